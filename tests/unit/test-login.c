/* SPDX-License-Identifier: MIT */
#include "agent/login.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];

static void make(const char *what)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "cd %s && %s", root, what);
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	(void)strcpy(root, "/tmp/test-login.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	make("rm -rf -- \"$PWD\"");
	return 0;
}

/* words: what argv must be, NULL-terminated */
static void expect(const char *const *words)
{
	char *argv[8] = {};
	size_t n = 0;

	assert_int_equal(login_find(root, "pts/7", argv, 8), 0);
	for (; words[n]; n++) {
		assert_non_null(argv[n]);
		if (strcmp(words[n], "*") != 0)
			assert_string_equal(argv[n], words[n]);
		free(argv[n]);
	}
	assert_null(argv[n]);
}

static void test_nothing(void **state)
{
	char *argv[8] = {};

	assert_int_equal(login_find(root, "pts/7", argv, 8), -ENOENT);
	assert_null(argv[0]);
}

static void test_not_programs(void **state)
{
	char *argv[8] = {};

	make("mkdir -p bin/login usr/sbin && touch usr/sbin/login && ln -s nowhere usr/sbin/getty");
	assert_int_equal(login_find(root, "pts/7", argv, 8), -ENOENT);
}

static void test_debian(void **state)
{
	make("mkdir -p bin sbin && install -m 755 /dev/null bin/login && "
	     "install -m 755 /dev/null sbin/agetty && ln -s agetty sbin/getty");
	expect((const char *[]){
		"/bin/sh", "-c", "*", "login", "/sbin/agetty", "/bin/login", "pts/7", NULL });
}

static void test_login_only(void **state)
{
	make("mkdir -p usr/bin && install -m 755 /dev/null usr/bin/login && "
	     "install -m 755 /dev/null usr/bin/getty");
	expect((const char *[]){ "/usr/bin/login", NULL });
}

static void test_busybox(void **state)
{
	make("mkdir -p bin sbin && install -m 755 /dev/null bin/busybox && "
	     "ln -s busybox bin/login && ln -s ../bin/busybox sbin/getty");
	expect((const char *[]){ "/sbin/getty", "-L", "0", "-", NULL });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_debian, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busybox, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
