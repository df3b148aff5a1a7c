/* SPDX-License-Identifier: MIT */
#include "agent/shortage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void of_memory_only(void **state)
{
	unsigned int tries = 0;

	assert_false(shortage_passes(-EAGAIN, &tries));
	assert_false(shortage_passes(-EPIPE, &tries));
	assert_true(shortage_passes(-ENOMEM, &tries));
	assert_true(shortage_passes(-ENOBUFS, &tries));
}

static void it_ends(void **state)
{
	unsigned int tries = 0, n = 0;

	while (shortage_passes(-ENOMEM, &tries) && n < 1000)
		n++;
	assert_int_equal(n, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_memory_only),
		cmocka_unit_test(it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
