/* SPDX-License-Identifier: MIT */

/* A user in the guest's own files, whatever is in them. */

#include "host-tools/launch/guest-user.h"

#include "cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct guest_user user;

static int find(const char *passwd, const char *group, const char *name)
{
	_cleanup_fclose_ FILE *p = fmemopen((void *)passwd, strlen(passwd), "r"), *g = NULL;

	assert_non_null(p);
	if (group) {
		g = fmemopen((void *)group, strlen(group), "r");
		assert_non_null(g);
	}
	return guest_user_read(p, g, name, &user);
}

static void test_user(void **state)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:100::home:\n";

	assert_int_equal(find(passwd, "adm:x:4:bob,alice\nusers:x:100:alice\n", "alice"), 0);
	assert_string_equal(user.name, "alice");
	assert_string_equal(user.home, "/");
	assert_string_equal(user.shell, "/bin/sh");
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.n_groups, 2);
	assert_int_equal(user.groups[0], 100);
	assert_int_equal(user.groups[1], 4);
	guest_user_done(&user);

	assert_int_equal(find(passwd, NULL, "0"), 0);
	assert_string_equal(user.shell, "/bin/bash");
	assert_int_equal(user.n_groups, 1);
	guest_user_done(&user);
	guest_user_done(&user);

	assert_int_equal(find(passwd, NULL, "bob"), -ENOENT);
	assert_int_equal(find(passwd, NULL, "1001"), -ENOENT);
	assert_null(user.name);
}

/* Lines that ask for NIS are nobody, and give nobody the group 0. */
static void test_nis(void **state)
{
	assert_int_equal(find("+\nroot:x:0:0::/r:/bin/x\n", "+\n+g:::root\n", "0"), 0);
	assert_string_equal(user.home, "/r");
	guest_user_done(&user);
	assert_int_equal(find("+\n+a::::::\n", NULL, "0"), -ENOENT);
	assert_int_equal(find("+\n+a::::::\n", NULL, "+"), -ENOENT);
	assert_int_equal(find("a:x:5:5::/:\n", "+g:::a\nr:x:6:a\n", "a"), 0);
	assert_int_equal(user.n_groups, 2);
	assert_int_equal(user.groups[1], 6);
	guest_user_done(&user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_nis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
