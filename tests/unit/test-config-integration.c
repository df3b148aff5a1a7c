/* SPDX-License-Identifier: MIT */

#include "host-tools/config.h"

#include "cleanup.h"
#include "said.h"

#include <string.h>

static struct container_config config;

static int setup(void **state)
{
	return config_default("test", &config);
}

static int teardown(void **state)
{
	config_done(&config);
	return 0;
}

static int set(const char *section, const char *key, const char *value)
{
	int r;

	listen_begin();
	r = config_set(&config, "here", section, key, value);
	listen_end();
	return r;
}

static void assert_refused(
	const char *section, const char *key, const char *value, const char *wanted)
{
	int r = set(section, key, value);

	if (r != -EINVAL || !strstr(said, wanted))
		fail_msg("%s=%s: %d, '%s'", key, value, r, said);
}

static int check(void)
{
	int r;

	listen_begin();
	r = config_check(&config, "here");
	listen_end();
	return r;
}

static void test_timezone(void **state)
{
	static const char *const words[] = { "off", "copy", "bind", "symlink", "delete", "auto" };

	assert_int_equal(config.timezone, TIMEZONE_OFF);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		assert_int_equal(set("Exec", "Timezone", words[i]), 0);
		assert_int_equal(config.timezone, TIMEZONE_OFF + i);
	}
	assert_int_equal(set("Exec", "Timezone", ""), 0);
	assert_int_equal(config.timezone, TIMEZONE_OFF);
	assert_refused("Exec", "Timezone", "Europe/Berlin",
		"must be one of off, copy, bind, symlink, delete, auto");
}

static void test_timezone_of_a_tree_that_is_read_only(void **state)
{
	static const struct {
		const char *word;
		int r;
	} words[] = {
		{ "off", 0 },
		{ "copy", -EINVAL },
		{ "bind", 0 },
		{ "symlink", -EINVAL },
		{ "delete", -EINVAL },
		{ "auto", 0 },
	};

	config.read_only = true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		assert_int_equal(set("Exec", "Timezone", words[i].word), 0);
		assert_int_equal(check(), words[i].r);
	}
}

static void test_link_journal(void **state)
{
	assert_int_equal(set("Exec", "LinkJournal", "host"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_HOST);
	assert_int_equal(set("Exec", "LinkJournal", "try-host"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_TRY_HOST);
	assert_int_equal(set("Exec", "LinkJournal", "auto"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_AUTO);
	assert_int_equal(set("Exec", "LinkJournal", "try-guest"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_NO);
	assert_int_equal(set("Exec", "LinkJournal", "off"), 0);
	assert_refused("Exec", "LinkJournal", "guest", "would have the host follow");
	assert_refused("Exec", "LinkJournal", "yes", "must be one of no, host, try-host");
}

static void test_bind_user(void **state)
{
	assert_int_equal(set("Files", "BindUser", "alice bob"), 0);
	assert_int_equal(set("Files", "BindUser", "carol"), 0);
	assert_string_equal(config.bind_users[0], "alice");
	assert_string_equal(config.bind_users[2], "carol");
	assert_null(config.bind_users[3]);
	assert_int_equal(check(), 0);
	assert_int_equal(set("Exec", "PrivateUsers", "no"), 0);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "BindUser= needs a user namespace"));
	assert_int_equal(set("Files", "BindUser", ""), 0);
	assert_null(config.bind_users);
	assert_refused("Files", "BindUser", "1000", "not the name of a user");
	assert_refused("Files", "BindUser", "a/b", "not the name of a user");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timezone),
		TEST(test_timezone_of_a_tree_that_is_read_only),
		TEST(test_link_journal),
		TEST(test_bind_user),
	};

	return cmocka_run_group_tests(tests, listen_setup, NULL);
}
