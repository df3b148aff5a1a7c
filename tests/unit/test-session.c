/* SPDX-License-Identifier: MIT */
#include "agent/session.h"

#include "cleanup.h"
#include "loop.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Real shells of this machine's root, over socketpairs. */

static struct {
	struct event_base *base;
	struct sessions sessions;
	int client;
	char got[256 * 1024];
	size_t len;
	bool eof;
	int error;
} f;

static int setup(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	memset(&f, 0, sizeof(f));
	f.client = -EBADF;
	f.base = event_base_new();
	return sessions_init(&f.sessions, f.base, 3, 2, "vt100");
}

static int teardown(void **state)
{
	sessions_done(&f.sessions, false);
	close_fdp(&f.client);
	event_base_free(f.base);
	return 0;
}

static int sndbuf; /* of the agent's socket; 0: as it comes */

static int knock(const char *door)
{
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
	if (sndbuf > 0)
		assert_return_code(
			setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), errno);
	session_start(&f.sessions, door_find(door), fds[1]);
	assert_return_code(fcntl(fds[0], F_SETFL, O_NONBLOCK), errno);
	return fds[0];
}

static void say(const char *text)
{
	assert_int_equal(write(f.client, text, strlen(text)), strlen(text));
}

static bool hear(void *arg)
{
	ssize_t n;

	while ((n = read(f.client, f.got + f.len, sizeof(f.got) - 1 - f.len)) > 0)
		f.len += (size_t)n;
	if (n == 0)
		f.eof = true;
	else if (n < 0 && errno != EAGAIN)
		f.error = errno;
	return f.eof || f.error;
}

static bool hear_text(void *arg)
{
	(void)hear(NULL);
	return strstr(f.got, arg) != NULL;
}

static void expect_end(const char *text)
{
	assert_true(loop_until(f.base, hear, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.error, 0);
	if (text)
		assert_string_equal(f.got, text);
}

static bool nobody(void *arg)
{
	return f.sessions.limits.count == 0;
}

static void test_root_shell(void **state)
{
	f.client = knock("root-shell");
	say("printf '<%s>' \"$HOME\" \"$USER\" \"$PWD\" \"$TERM\"; id -u\n");
	assert_return_code(shutdown(f.client, SHUT_WR), errno);
	expect_end("</root><root></root><dumb>0\n");
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
}

/* exit with unread input: end of file for the client, not ECONNRESET. */
static void test_unread_input(void **state)
{
	char big[50000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	f.client = knock("root-shell");
	say("echo bye; exit 3\n");
	say(big);
	expect_end("bye\n");
}

static void test_background_job(void **state)
{
	pid_t pid;

	f.client = knock("root-shell");
	say("trap '' HUP; sleep 1000 & echo $!; exit\n");
	expect_end(NULL);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	pid = (pid_t)strtol(f.got, NULL, 10);
	assert_true(pid > 1);
	(void)kill(pid, SIGKILL);
}

/* What a session leaves behind is hung up at its end. */
static void test_leftover(void **state)
{
	pid_t pid;

	f.client = knock("root-shell");
	say("sleep 1000 & echo $!; exit\n");
	expect_end(NULL);
	pid = (pid_t)strtol(f.got, NULL, 10);
	assert_true(pid > 1);
	assert_true(loop_until(f.base, loop_has_died, &pid, LOOP_DEADLINE_SEC));
}

/* A client that goes away takes its session along, though not in its first second. */
static void test_client_gone(void **state)
{
	double start = loop_now();

	f.client = knock("root-shell");
	say("echo ready; exec sleep 1000\n");
	assert_true(loop_until(f.base, hear_text, (char *)"ready\n", LOOP_DEADLINE_SEC));
	close_fdp(&f.client);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	assert_true(loop_now() - start >= 0.9);
}

static bool has_content(void *arg)
{
	struct stat st;

	return fstat(*(int *)arg, &st) == 0 && st.st_size > 0;
}

/* One that ended its input first has its last command done. */
static void test_client_ended(void **state)
{
	char file[] = "/tmp/test-session.XXXXXX", command[128];
	int fd = mkostemp(file, O_CLOEXEC);

	(void)snprintf(command, sizeof(command), "echo ready; sleep 2; echo x >%s\n", file);
	f.client = knock("root-shell");
	say(command);
	assert_return_code(shutdown(f.client, SHUT_WR), errno);
	assert_true(loop_until(f.base, hear_text, (char *)"ready\n", LOOP_DEADLINE_SEC));
	close_fdp(&f.client);
	assert_true(loop_until(f.base, has_content, &fd, LOOP_DEADLINE_SEC));
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	(void)close(fd);
	(void)unlink(file);
}

static void test_root_login(void **state)
{
	f.client = knock("root-login");
	say("PS1=; stty -echo size; tty; echo \"$TERM $0\"; exit\n");
	expect_end(NULL);
	assert_non_null(strstr(f.got, "24 80\r\n/dev/pts/"));
	assert_non_null(strstr(f.got, "vt100 -"));
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
}

static void test_pty_client_gone(void **state)
{
	f.client = knock("root-login");
	/* not the bash: what it forks at that moment could go on without the hangup */
	say("sh -c \"echo rea''dy; exec sleep 1000\"\n");
	assert_true(loop_until(f.base, hear_text, (char *)"ready\r\n", LOOP_DEADLINE_SEC));
	close_fdp(&f.client);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
}

/* The text behind what the shell was told to say, up to its next prompt. */
static bool hear_leader(void *arg)
{
	const char *found;

	(void)hear(NULL);
	found = strstr(f.got, "leader=");
	return found && strstr(found, ".\r\n\033");
}

/* Whether our own child has been reaped. */
static bool no_process(void *arg)
{
	return kill(*(pid_t *)arg, 0) < 0;
}

/* All that a program wrote arrives, though its client reads nothing until it has exited. */
static void test_tail(void **state)
{
	const char *found;
	pid_t leader;

	sndbuf = 4096;
	f.client = knock("root-login");
	sndbuf = 0;
	say("stty -echo; PS1=; echo lea''der=$$.\n");
	assert_true(loop_until(f.base, hear_leader, NULL, LOOP_DEADLINE_SEC));
	found = strstr(f.got, "leader=");
	leader = (pid_t)strtol(found + strlen("leader="), NULL, 10);
	say("seq 1 3000; echo e''nd; exit\n");
	assert_true(loop_until(f.base, no_process, &leader, LOOP_DEADLINE_SEC));
	assert_int_equal(f.sessions.limits.count, 1);
	expect_end(NULL);
	assert_non_null(strstr(f.got, "\r\n2999\r\n3000\r\nend\r\n"));
}

static void test_limits(void **state)
{
	int first = knock("root-shell"), second = knock("root-shell");

	f.client = knock("root-shell");
	expect_end("narthex: too many sessions of one user (limit 2)\r\n");
	(void)close(first);
	(void)close(second);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	close_fdp(&f.client);
	f.client = knock("root-shell");
	f.len = 0;
	f.eof = false;
	memset(f.got, 0, sizeof(f.got));
	say("echo again; exit\n");
	expect_end("again\n");
}

static void test_limit_in_all(void **state)
{
	int first = knock("root-shell");

	f.sessions.limits.max = 1;
	f.client = knock("root-shell");
	expect_end("narthex: too many sessions (limit 1)\r\n");
	(void)close(first);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
}

/* Login shells find no profile of this machine's root: it may say or do anything, and take long. */
static int hide_home(void **state)
{
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			       mount("home", "/root", "tmpfs", 0, "mode=0700") < 0
		       ? -1
		       : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_root_shell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unread_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_background_job, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leftover, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root_login, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pty_client_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit_in_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, hide_home, NULL);
}
