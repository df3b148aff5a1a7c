/* SPDX-License-Identifier: MIT */
#include "agent/account.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char file[64];

static int setup(void **state)
{
	int fd;

	(void)strcpy(file, "/tmp/test-account.XXXXXX");
	fd = mkostemp(file, O_CLOEXEC);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	return unlink(file);
}

static void write_file(const char *text)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void expect(
	const char *passwd, const char *name, const char *home, const char *shell, bool fallback)
{
	struct account account = {};

	if (passwd)
		write_file(passwd);
	assert_int_equal(account_read_root(passwd ? file : "/nonexistent", &account), 0);
	assert_string_equal(account.name, name);
	assert_string_equal(account.home, home);
	assert_string_equal(account.shell, shell);
	assert_int_equal(account.fallback, fallback);
	account_done(&account);
	account_done(&account);
}

static void test_root(void **state)
{
	expect("daemon:x:1:1::/:/bin/false\nroot:x:0:0:r:/root:/bin/bash\n", "root", "/root",
		"/bin/bash", false);
	expect("root:x:0:0:r:/root:\n", "root", "/root", "/bin/sh", false);
	expect("root:x:0:0:r:home:/bin/bash\n", "root", "/", "/bin/bash", false);
	expect("root:x:0:0:r:/root:/no/such/shell\n", "root", "/root", "/bin/sh", true);
	expect("root:x:0:0:r:/root:/etc/passwd\n", "root", "/root", "/bin/sh", true);
	expect("root:x:0:0:r:/root:/tmp\n", "root", "/root", "/bin/sh", true);
	expect("root:x:0:0:r:/root:bash\n", "root", "/root", "/bin/sh", true);
}

/* Root gets in, and somebody can say why it isn't as usual. */
static void test_unread(void **state)
{
	static const struct {
		const char *passwd;
		int unread;
	} cases[] = {
		{ "/etc", -EISDIR },
		{ "/etc/passwd/x", -ENOTDIR },
		{ "/nonexistent", 0 },
		{ "/etc/passwd", 0 },
	};
	struct account account = {};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(account_read_root(cases[i].passwd, &account), 0);
		assert_string_equal(account.home, "/root");
		assert_int_equal(account.unread, cases[i].unread);
		account_done(&account);
	}
}

static void test_names(void **state)
{
	expect("toor:x:0:0::/toor:/bin/sh\nroot:x:0:0::/root:/bin/bash\n", "root", "/root",
		"/bin/bash", false);
	expect("root:x:0:0::/root:/bin/bash\ntoor:x:0:0::/toor:/bin/sh\n", "root", "/root",
		"/bin/bash", false);
	expect("toor:x:0:0::/toor:/bin/sh\nadmin:x:0:0::/admin:/bin/sh\n", "toor", "/toor",
		"/bin/sh", false);
	expect("admin:x:0:0::/admin:/bin/sh\n", "admin", "/admin", "/bin/sh", false);
	expect("root:x:1000:0::/home/root:/bin/bash\n", "root", "/root", "/bin/sh", false);
}

static void test_broken(void **state)
{
	expect("", "root", "/root", "/bin/sh", false);
	expect("garbage\n:::\nroot:x:0:0:r:/root:/bin/bash", "root", "/root", "/bin/bash", false);
	expect(NULL, "root", "/root", "/bin/sh", false);
}

/* Lines that ask for NIS have uid 0 and no other fields. */
static void test_nis(void **state)
{
	expect("+\nroot:x:0:0:r:/r:/bin/bash\n", "root", "/r", "/bin/bash", false);
	expect("+::::::\n-evil:x:0:0::/evil:/bin/bash\n", "root", "/root", "/bin/sh", false);
}

static void expect_lang(const char *text, const char *want)
{
	char *lang;

	write_file(text);
	lang = account_read_lang(file);
	if (want)
		assert_string_equal(lang, want);
	else
		assert_null(lang);
	free(lang);
}

static void test_lang(void **state)
{
	expect_lang("LANG=C.UTF-8\n", "C.UTF-8");
	expect_lang("# comment\nLC_ALL=x\nLANG=\"de_DE.UTF-8\"\n", "de_DE.UTF-8");
	expect_lang("LANG='fr_FR'", "fr_FR");
	expect_lang("LANG=\nLANGUAGE=de\n", NULL);
	expect_lang("", NULL);
	assert_null(account_read_lang("/nonexistent"));
}

static bool has(char **environment, const char *entry)
{
	for (; *environment; environment++)
		if (strncmp(*environment, entry, strlen(entry)) == 0)
			return true;
	return false;
}

static void test_environment(void **state)
{
	struct account account = { .name = "admin", .home = "/admin", .shell = "/bin/ash" };
	char **environment = account_environment(&account, "vt220");

	assert_true(has(environment, "HOME=/admin"));
	assert_true(has(environment, "USER=admin"));
	assert_true(has(environment, "LOGNAME=admin"));
	assert_true(has(environment, "SHELL=/bin/ash"));
	assert_true(has(environment, "TERM=vt220"));
	assert_true(has(environment, "PATH="));
	account_free_environment(environment);
	environment = account_environment(NULL, NULL);
	assert_false(has(environment, "HOME="));
	assert_false(has(environment, "TERM="));
	account_free_environment(environment);
	account_free_environment(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_nis),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_lang),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
