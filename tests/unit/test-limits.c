/* SPDX-License-Identifier: MIT */
#include "agent/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_limits(void **state)
{
	struct limits limits = { .max = 4, .max_per_uid = 2 };

	assert_int_equal(limits_take(&limits, 1, false), 0);
	assert_int_equal(limits_take(&limits, 1, false), 0);
	assert_int_equal(limits_take(&limits, 1, false), -EDQUOT);
	assert_int_equal(limits_take(&limits, 2, false), 0);
	assert_int_equal(limits_take(&limits, 3, false), 0);
	assert_int_equal(limits_take(&limits, 4, false), -EUSERS);
	assert_int_equal(limits.count, 4);
	assert_int_equal(limits.n_uids, 3);
	limits_release(&limits, 1);
	assert_int_equal(limits_take(&limits, 1, false), 0);
	limits_release(&limits, 2);
	assert_int_equal(limits.n_uids, 2);
	limits_release(&limits, 2); /* has none: nothing happens */
	assert_int_equal(limits.count, 3);
	assert_int_equal(limits_take(&limits, 1, false), -EDQUOT);
	assert_int_equal(limits_take(&limits, 3, false), 0);
	limits_done(&limits);
	limits_done(&limits);
}

static void test_none(void **state)
{
	struct limits limits = { .max = 4 };

	assert_int_equal(limits_take(&limits, 1, false), -EDQUOT);
	limits_done(&limits);
}

static void test_many_uids(void **state)
{
	struct limits limits = { .max = 1000, .max_per_uid = 1 };

	for (uid_t uid = 0; uid < 1000; uid++)
		assert_int_equal(limits_take(&limits, uid, false), 0);
	for (uid_t uid = 0; uid < 1000; uid++)
		limits_release(&limits, uid);
	assert_int_equal(limits.count, 0);
	assert_int_equal(limits.n_uids, 0);
	limits_done(&limits);
}

/* Whatever anybody does at the door that is open to all, there is room at root's. */
static void test_a_quarter_is_roots(void **state)
{
	struct limits limits = { .max = 8, .max_per_uid = 4 };

	for (int i = 0; i < 3; i++)
		assert_int_equal(limits_take(&limits, 65534, true), 0);
	assert_int_equal(limits_take(&limits, 65534, true), -EDQUOT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(limits_take(&limits, 1000, true), 0);
	assert_int_equal(limits_take(&limits, 1001, true), -EUSERS);
	assert_int_equal(limits_take(&limits, 65534, false), 0);
	assert_int_equal(limits_take(&limits, 65534, false), -EDQUOT);
	assert_int_equal(limits_take(&limits, 0, false), 0);
	assert_int_equal(limits_take(&limits, 0, false), -EUSERS);
	/* one is one: a door without a place is none */
	assert_int_equal(limits_share(1, true), 1);
	limits_done(&limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_many_uids),
		cmocka_unit_test(test_a_quarter_is_roots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
