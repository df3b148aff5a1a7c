/* SPDX-License-Identifier: MIT */
#include "agent/exec-request.h"

#include <errno.h>
#include <fcntl.h>
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

static struct exec_request request;
static struct spawn_request spawned;
static char root[] = "/tmp/test-exec-request.XXXXXX"; /* a guest that has nothing but runuser */

static gid_t groups[] = { 1000, 27 };
static const struct exec_user alice = {
	.name = (char *)"alice",
	.home = (char *)"/home/alice",
	.shell = (char *)"/bin/zsh",
	.uid = 1000,
	.gid = 1000,
	.groups = groups,
	.n_groups = 2,
	.known = true,
};
static gid_t root_groups[] = { 0 };
static const struct exec_user root_user = {
	.name = (char *)"root",
	.home = (char *)"/root",
	.shell = (char *)"/bin/bash",
	.groups = root_groups,
	.n_groups = 1,
	.known = true,
};

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE ((const char *const[]){ NULL })

static int setup(void **state)
{
	char path[128];
	int fd;

	if (!mkdtemp(root))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sbin", root);
	if (mkdir(path, 0755) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sbin/runuser", root);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/sbin/runuser", root);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/sbin", root);
	(void)rmdir(path);
	return rmdir(root);
}

static void prepare(uint32_t flags, const struct exec_user *user, const char *directory,
	const char *const *argv, const char *const *env, const char *guest)
{
	const char *why = "";
	ssize_t n = exec_message_start(request.buf, sizeof(request.buf), flags, user->name,
		directory, (char *const *)argv, (char *const *)env);

	assert_true(n > 0);
	/* what lies behind the message from an earlier one */
	memset(request.buf + n, 'x', sizeof(request.buf) - (size_t)n);
	assert_int_equal(exec_request_parse(&request, (size_t)n, &why), 0);
	assert_string_equal(request.user, user->name);
	assert_string_equal(request.directory, directory);
	assert_int_equal(exec_request_prepare(&request, user, guest, &spawned), 0);
}

static void expect_words(char *const *got, const char *const *want)
{
	size_t i = 0;

	for (; want[i]; i++) {
		if (!got[i])
			fail_msg("no '%s'", want[i]);
		assert_string_equal(got[i], want[i]);
	}
	if (got[i])
		fail_msg("more: '%s'", got[i]);
}

static void test_program(void **state)
{
	prepare(0, &alice, "/srv", WORDS("ls", "-l", ""), WORDS("PATH=/a::/b/:", "X="), NULL);
	expect_words(spawned.argv, WORDS("ls", "-l", ""));
	expect_words((char *const *)spawned.paths, WORDS("/a/ls", "ls", "/b/ls", "ls"));
	expect_words(spawned.envp, WORDS("PATH=/a::/b/:", "HOME=/home/alice", "USER=alice",
					   "LOGNAME=alice", "SHELL=/bin/zsh", "X="));
	assert_string_equal(spawned.cwd, "/srv");
	assert_true(spawned.cwd_only);
	assert_int_equal(spawned.identity->uid, 1000);
	assert_int_equal(spawned.identity->n_groups, 2);
	assert_true(exec_request_is_slow(&request, &spawned));
	exec_request_done(&request);
	exec_request_done(&request);
}

/* Each directory of PATH takes a copy of the name: 3.6 GB, if any name had one. */
static void test_long_name(void **state)
{
	static char name[60001], path[60001] = "PATH=";
	const char *why = "";
	ssize_t n;

	memset(name, 'x', sizeof(name) - 1);
	memset(path + strlen("PATH="), ':', sizeof(path) - sizeof("PATH="));
	n = exec_message_start(request.buf, sizeof(request.buf), 0, "root", "",
		(char *const *)WORDS(name), (char *const *)WORDS(path));
	assert_true(n > 0);
	assert_int_equal(exec_request_parse(&request, (size_t)n, &why), 0);
	assert_int_equal(exec_request_prepare(&request, &root_user, NULL, &spawned), -ENAMETOOLONG);
	/* one with a slash is no name of a file */
	name[1] = '/';
	prepare(0, &root_user, "", WORDS(name), WORDS(path), NULL);
	expect_words((char *const *)spawned.paths, WORDS(name));
	exec_request_done(&request);
}

static void test_root(void **state)
{
	struct exec_user other = root_user;

	prepare(0, &root_user, "", WORDS("./x"), NONE, NULL);
	expect_words((char *const *)spawned.paths, WORDS("./x"));
	assert_string_equal(spawned.cwd, "/");
	assert_null(spawned.identity);
	assert_false(exec_request_is_slow(&request, &spawned));
	exec_request_done(&request);
	/* root with groups besides its own */
	other.groups = groups;
	other.n_groups = 2;
	prepare(0, &other, "", WORDS("x"), NONE, NULL);
	assert_non_null(spawned.identity);
	exec_request_done(&request);
}

/* A later variable replaces an earlier one, and a name is not the beginning of another. */
static void test_environment(void **state)
{
	prepare(0, &root_user, "", WORDS("x"), WORDS("A=1", "AB=2", "A=3", "HOME=", "HOM=4"), NULL);
	expect_words(spawned.envp + 1, WORDS("HOME=", "USER=root", "LOGNAME=root",
					       "SHELL=/bin/bash", "A=3", "AB=2", "HOM=4"));
	exec_request_done(&request);
}

static void test_largest(void **state)
{
	static const char *words[EXEC_STRINGS_MAX + 1], *env[EXEC_STRINGS_MAX + 1];
	static char names[EXEC_STRINGS_MAX][16];

	for (int i = 0; i < EXEC_STRINGS_MAX; i++) {
		words[i] = "w";
		(void)snprintf(names[i], sizeof(names[i]), "V%d=%d", i, i);
		env[i] = names[i];
	}
	prepare(0, &root_user, "", words, env, NULL);
	expect_words(spawned.argv, words);
	expect_words(spawned.envp + EXEC_DEFAULTS, env);
	exec_request_done(&request);
	prepare(EXEC_PAM, &alice, "", words, env, root);
	expect_words(spawned.argv + 4, words);
	exec_request_done(&request);
}

static void test_shell(void **state)
{
	prepare(EXEC_LOGIN, &alice, "", NONE, NONE, NULL);
	expect_words(spawned.argv, WORDS("-zsh"));
	expect_words((char *const *)spawned.paths, WORDS("/bin/zsh"));
	assert_string_equal(spawned.cwd, "/home/alice");
	assert_false(spawned.cwd_only);
	exec_request_done(&request);
	prepare(EXEC_SHELL, &root_user, "/tmp", WORDS("a b", "it's", ""), NONE, NULL);
	expect_words(spawned.argv, WORDS("bash", "-c", "'a b' 'it'\\''s' ''"));
	expect_words((char *const *)spawned.paths, WORDS("/bin/bash", "/bin/sh"));
	assert_string_equal(spawned.cwd, "/tmp");
	exec_request_done(&request);
}

static void test_pam(void **state)
{
	prepare(EXEC_PAM | EXEC_LOGIN, &alice, "", NONE, NONE, root);
	expect_words(spawned.argv, WORDS("runuser", "-l", "--", "alice"));
	expect_words((char *const *)spawned.paths, WORDS("/sbin/runuser"));
	assert_true(request.pam);
	assert_null(spawned.identity);
	exec_request_done(&request);
	prepare(EXEC_PAM | EXEC_LOGIN, &alice, "/a'b", WORDS("x", "y z"), WORDS("A=1", "B=2"),
		root);
	expect_words(spawned.argv, WORDS("runuser", "-l", "-w", "A,B", "--session-command",
					   "cd -- '/a'\\''b' && 'x' 'y z'", "--", "alice"));
	assert_string_equal(spawned.cwd, "/");
	exec_request_done(&request);
	prepare(EXEC_PAM | EXEC_LOGIN, &alice, "/srv", NONE, NONE, root);
	expect_words(spawned.argv, WORDS("runuser", "-l", "--session-command",
					   "cd -- '/srv' && '/bin/zsh' '-l'", "--", "alice"));
	exec_request_done(&request);
	prepare(EXEC_PAM | EXEC_SHELL, &alice, "/srv", WORDS("x"), WORDS("A=1"), root);
	expect_words(spawned.argv, WORDS("runuser", "--session-command", "'x'", "--", "alice"));
	assert_string_equal(spawned.cwd, "/srv");
	exec_request_done(&request);
	prepare(EXEC_PAM, &alice, "", WORDS("x", "-y"), NONE, root);
	expect_words(spawned.argv, WORDS("runuser", "-u", "alice", "--", "x", "-y"));
	exec_request_done(&request);
}

/* Where there is no runuser there is no PAM: the command is run all the same. */
static void test_no_pam(void **state)
{
	struct exec_user stranger = alice;

	prepare(EXEC_PAM | EXEC_LOGIN, &alice, "", NONE, NONE, "/nonexistent");
	expect_words(spawned.argv, WORDS("-zsh"));
	assert_false(request.pam);
	assert_non_null(spawned.identity);
	exec_request_done(&request);
	stranger.known = false;
	prepare(EXEC_PAM, &stranger, "", WORDS("x"), NONE, root);
	expect_words(spawned.argv, WORDS("x"));
	exec_request_done(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_pam),
		cmocka_unit_test(test_no_pam),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
