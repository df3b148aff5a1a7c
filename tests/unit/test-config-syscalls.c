/* SPDX-License-Identifier: MIT */

#include "config-key.h"

static int set(const char *value)
{
	return set_in("Exec", "SystemCallFilter", value);
}

static void assert_refused(const char *value, const char *wanted)
{
	int r = set(value);

	if (r != -EINVAL || !strstr(said, wanted) || config.system_calls)
		fail_msg("%s: %d, '%s'", value, r, said);
}

static void lines_are_added(void **state)
{
	static const char *const wanted[] = { "+mount", "+@swap", "~@module", "~bpf" };

	assert_int_equal(set("mount @swap"), 0);
	assert_int_equal(set("~@module  bpf"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(config.system_calls[i], wanted[i]);
	assert_null(config.system_calls[ARRAY_SIZE(wanted)]);
	assert_int_equal(set(""), 0);
	assert_null(config.system_calls);
}

static void unknown_names_are_told(void **state)
{
	assert_refused("mnt", "there is no system call 'mnt'");
	assert_refused("mount moun", "there is no system call 'moun'; did you mean mount?");
	assert_refused("@moun", "there is no system call group '@moun'; did you mean @mount?");
	assert_refused("mount ~bpf", "there is no system call '~bpf'");
	assert_refused("~", "no system call");
	assert_refused("~'mount", "a quote is not closed");
	assert_refused("mount:EPERM", "there is no system call 'mount:EPERM'");
}

/* Calls of the newest kernels are in the table by their numbers, those of other machines, too. */
static void all_of_the_table_are_known(void **state)
{
	assert_int_equal(set("futex_waitv file_setattr _sysctl @known @system-service"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_are_added),
		TEST(unknown_names_are_told),
		TEST(all_of_the_table_are_known),
	};

	return cmocka_run_group_tests(tests, listen_setup, NULL);
}
