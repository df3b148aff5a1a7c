/* SPDX-License-Identifier: MIT */

#include "config-key.h"

#include <sys/socket.h>

#define BIT(name) (UINT64_C(1) << AF_##name)
#define ALL (BIT(UNIX) | BIT(INET) | BIT(INET6) | BIT(NETLINK) | BIT(PACKET))

static void set(const char *value)
{
	assert_int_equal(set_in("Exec", "RestrictAddressFamilies", value), 0);
}

static void assert_open(uint64_t wanted)
{
	assert_int_equal(config_address_families(&config), wanted);
}

static void lines_make_one_list(void **state)
{
	assert_open(ALL);
	set("AF_UNIX AF_INET");
	assert_open(BIT(UNIX) | BIT(INET));
	set("AF_INET6");
	assert_open(BIT(UNIX) | BIT(INET) | BIT(INET6));
	set("~AF_INET AF_VSOCK");
	assert_open(BIT(UNIX) | BIT(INET6));
	set("");
	assert_false(config.address_families.restricted);
	assert_open(ALL);
	set("~AF_LOCAL AF_BLUETOOTH");
	assert_open(ALL & ~BIT(UNIX));
	set("AF_UNIX");
	assert_open(ALL);
	set("none");
	assert_open(0);
	set("AF_ROUTE");
	assert_open(BIT(NETLINK));
}

static void wrong_words_are_refused(void **state)
{
	static const struct {
		const char *value, *wanted;
	} cases[] = {
		{ "AF_UNX", "there is no address family 'AF_UNX'; did you mean AF_UNIX?" },
		{ "af_unix", "there is no address family 'af_unix'; did you mean AF_UNIX?" },
		{ "AF_UNIX 1", "there is no address family '1'" },
		{ "AF_UNIX ~AF_INET", "there is no address family '~AF_INET'" },
		{ "AF_UNIX none", "there is no address family 'none'" },
		{ "~", "no address family" },
		{ "AF_INET AF_VSOCK", "AF_VSOCK is closed in every container" },
		{ "'AF_INET", "a quote is not closed" },
	};

	set("AF_UNIX");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused_in(
			"Exec", "RestrictAddressFamilies", cases[i].value, cases[i].wanted);
	/* and nothing of them is kept */
	assert_open(BIT(UNIX));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_make_one_list),
		TEST(wrong_words_are_refused),
	};

	return cmocka_run_group_tests(tests, listen_setup, NULL);
}
