/* SPDX-License-Identifier: MIT */

#include "config-key.h"

#include <string.h>

static void test_timezone(void **state)
{
	static const char *const words[] = { "off", "copy", "bind", "symlink", "delete", "auto" };

	assert_int_equal(config.timezone, TIMEZONE_OFF);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		assert_int_equal(set_in("Exec", "Timezone", words[i]), 0);
		assert_int_equal(config.timezone, TIMEZONE_OFF + i);
	}
	assert_int_equal(set_in("Exec", "Timezone", ""), 0);
	assert_int_equal(config.timezone, TIMEZONE_OFF);
	assert_refused_in("Exec", "Timezone", "Europe/Berlin",
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
		assert_int_equal(set_in("Exec", "Timezone", words[i].word), 0);
		assert_int_equal(check(), words[i].r);
	}
}

static void test_link_journal(void **state)
{
	assert_int_equal(set_in("Exec", "LinkJournal", "host"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_HOST);
	assert_int_equal(set_in("Exec", "LinkJournal", "try-host"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_TRY_HOST);
	assert_int_equal(set_in("Exec", "LinkJournal", "auto"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_AUTO);
	assert_int_equal(set_in("Exec", "LinkJournal", "try-guest"), 0);
	assert_int_equal(config.link_journal, LINK_JOURNAL_NO);
	assert_int_equal(set_in("Exec", "LinkJournal", "off"), 0);
	assert_refused_in("Exec", "LinkJournal", "guest", "would have the host follow");
	assert_refused_in("Exec", "LinkJournal", "yes", "must be one of no, host, try-host");
}

static void test_bind_user(void **state)
{
	assert_int_equal(set_in("Files", "BindUser", "alice bob"), 0);
	assert_int_equal(set_in("Files", "BindUser", "carol"), 0);
	assert_string_equal(config.bind_users[0], "alice");
	assert_string_equal(config.bind_users[2], "carol");
	assert_null(config.bind_users[3]);
	assert_int_equal(check(), 0);
	assert_int_equal(set_in("Exec", "PrivateUsers", "no"), 0);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "BindUser= needs a user namespace"));
	assert_int_equal(set_in("Files", "BindUser", ""), 0);
	assert_null(config.bind_users);
	assert_refused_in("Files", "BindUser", "1000", "not the name of a user");
	assert_refused_in("Files", "BindUser", "a/b", "not the name of a user");
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
