/* SPDX-License-Identifier: MIT */
#include "agent/session.h"

#include "cleanup.h"
#include "exec-message.h"
#include "fd.h"
#include "loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

/* Real commands of this machine over socketpairs, and clients that mean no good. */

static struct {
	struct event_base *base;
	struct sessions sessions;
	int client;
	int in, out, err; /* the host's ends */
	char buf[EXEC_MESSAGE_MAX];
	char got[EXEC_TEXT_MAX + 64];
	struct exec_message message;
	ssize_t len;
	size_t fds_before;
} f;

static size_t count_fds(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	return n;
}

static int setup(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	memset(&f, 0, sizeof(f));
	f.client = f.in = f.out = f.err = -EBADF;
	f.base = event_base_new();
	f.fds_before = count_fds();
	return sessions_init(&f.sessions, f.base, 3, 2, "vt100");
}

static int teardown(void **state)
{
	sessions_done(&f.sessions, false);
	close_fdp(&f.client);
	close_fdp(&f.in);
	close_fdp(&f.out);
	close_fdp(&f.err);
	assert_int_equal(count_fds(), f.fds_before);
	event_base_free(f.base);
	return 0;
}

static int knock(void)
{
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), errno);
	session_start(&f.sessions, door_find("exec"), fds[1]);
	return fds[0];
}

static void send_packet(const void *data, size_t len, const int *fds, size_t n)
{
	static union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 253)];
	} control;
	struct iovec iov = { (void *)data, len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n);
	}
	assert_int_equal(sendmsg(f.client, &message, MSG_NOSIGNAL), len);
}

static size_t write_start(uint32_t flags, const char *user, const char *directory,
	const char *const *argv, const char *const *env)
{
	ssize_t n = exec_message_start(f.buf, sizeof(f.buf), flags, user, directory,
		(char *const *)argv, (char *const *)env);

	assert_true(n > 0);
	return (size_t)n;
}

/* A command with three pipes. */
static void start(uint32_t flags, const char *user, const char *directory, const char *const *argv,
	const char *const *env)
{
	size_t len = write_start(flags, user, directory, argv, env);
	int in[2], out[2], err[2], i;

	if (f.client < 0)
		f.client = knock();
	assert_return_code(pipe2(in, O_CLOEXEC), errno);
	assert_return_code(pipe2(out, O_CLOEXEC), errno);
	assert_return_code(pipe2(err, O_CLOEXEC), errno);
	send_packet(f.buf, len, (int[]){ in[0], out[1], err[1] }, 3);
	(void)close(in[0]);
	(void)close(out[1]);
	(void)close(err[1]);
	for (i = 0; i < 3; i++)
		close_fdp(i == 0 ? &f.in : i == 1 ? &f.out : &f.err);
	f.in = in[1];
	f.out = out[0];
	f.err = err[0];
}

static void start_script(uint32_t flags, const char *user, const char *directory, const char *text)
{
	start(flags, user, directory, (const char *[]){ "sh", "-c", text, NULL }, NULL);
}

static bool heard(void *arg)
{
	f.len = recv(f.client, f.got, sizeof(f.got), MSG_DONTWAIT);
	return f.len >= 0 || errno != EAGAIN;
}

/* The next message, which has to be of this type. */
static void expect(enum exec_type type)
{
	const char *why = "";

	assert_true(loop_until(f.base, heard, NULL, LOOP_DEADLINE_SEC));
	assert_true(f.len > 0);
	if (exec_message_parse(f.got, (size_t)f.len, &f.message, &why) < 0)
		fail_msg("malformed: %s", why);
	if (f.message.type != type)
		fail_msg("type %d, not %d: %.*s", f.message.type, type,
			f.message.type == EXEC_ERROR ? (int)f.message.error.len : 0,
			f.message.error.data);
}

static bool nobody(void *arg)
{
	return f.sessions.limits.count == 0;
}

/* End of file, not ECONNRESET, and nothing left. */
static void expect_end(void)
{
	assert_true(loop_until(f.base, heard, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.len, 0);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	assert_null(LIST_FIRST(&f.sessions.exec.list));
}

static void expect_exit(uint32_t how, uint32_t value)
{
	expect(EXEC_EXITED);
	assert_int_equal(f.message.exited.how, how);
	assert_int_equal(f.message.exited.value, value);
	expect_end();
}

static void expect_failed(uint32_t step, uint32_t error)
{
	expect(EXEC_FAILED);
	assert_int_equal(f.message.failed.step, step);
	assert_int_equal(f.message.failed.error, error);
	expect_end();
}

static void expect_error(const char *text)
{
	expect(EXEC_ERROR);
	assert_int_equal(f.message.error.len, strlen(text));
	assert_memory_equal(f.message.error.data, text, strlen(text));
	expect_end();
}

/* Until end of file: the agent may hold none of the ends that it was given. */
static void expect_text(int fd, const char *text)
{
	_cleanup_free_ char *got = NULL;

	assert_true(fd_read_all(fd, 1 << 20, &got) >= 0);
	assert_string_equal(got, text);
}

static void send_signal(int number)
{
	const struct exec_message m = { .type = EXEC_SIGNAL, .signal = (uint32_t)number };
	char buf[EXEC_TEXT_MAX + 64];

	send_packet(buf, exec_message_write(buf, &m), NULL, 0);
}

static bool has_text(void *arg)
{
	int n = 0;

	return ioctl(*(int *)arg, FIONREAD, &n) == 0 && n > 0;
}

static void wait_text(int fd)
{
	assert_true(loop_until(f.base, has_text, &fd, LOOP_DEADLINE_SEC));
}

/* --- commands -------------------------------------------------------------------------------- */

static void test_command(void **state)
{
	const char *argv[] = { "sh", "-c", "cat; echo err >&2; echo $A$TERM; pwd; exit 7", NULL };
	const char *env[] = { "A=1", "TERM=vt52", "A=2", NULL };

	start(0, "", "", argv, env);
	expect(EXEC_STARTED);
	assert_true(f.message.pid > 1);
	assert_int_equal(write(f.in, "in\n", 3), 3);
	close_fdp(&f.in);
	expect_text(f.out, "in\n2vt52\n/\n");
	expect_text(f.err, "err\n");
	expect(EXEC_EXITED);
	assert_int_equal(f.message.exited.how, EXEC_HOW_EXITED);
	assert_int_equal(f.message.exited.value, 7);
	assert_true(f.message.exited.maxrss > 100 * 1024);
	expect_end();
}

static void test_environment(void **state)
{
	const char *argv[] = { "env", NULL };
	const char *env[] = { "B=b", "HOME=/elsewhere", NULL };

	start(0, "root", "", argv, env);
	expect(EXEC_STARTED);
	expect_exit(EXEC_HOW_EXITED, 0);
	expect_text(f.out, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
			   "HOME=/elsewhere\nUSER=root\nLOGNAME=root\nSHELL=/bin/bash\nB=b\n");
}

static void test_user(void **state)
{
	start_script(0, "daemon", "/tmp", "id -un; id -gn; echo $HOME; pwd; umask");
	expect(EXEC_STARTED);
	expect_exit(EXEC_HOW_EXITED, 0);
	expect_text(f.out, "daemon\ndaemon\n/usr/sbin\n/tmp\n0022\n");
	close_fdp(&f.client);
	start_script(0, "54321", "", "id -u; id -g; id -G; grep Cap[EP] /proc/self/status");
	expect(EXEC_STARTED);
	expect_exit(EXEC_HOW_EXITED, 0);
	expect_text(f.out, "54321\n54321\n54321\n"
			   "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
	close_fdp(&f.client);
	start_script(0, "nobody-of-that-name", "", ":");
	expect_failed(EXEC_STEP_USER, 0);
}

static void expect_not_started(
	const char *user, const char *directory, const char *program, uint32_t step, uint32_t error)
{
	start(0, user, directory, (const char *[]){ program, NULL }, NULL);
	expect_failed(step, error);
	expect_text(f.out, "");
	close_fdp(&f.client);
}

static void test_failures(void **state)
{
	static const char *const users[] = { "", "daemon" };
	char longest[NAME_MAX + 1], too_long[NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	/* as root at once, as another user by way of the report */
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		const char *user = users[i];

		expect_not_started(user, "", "no-such-program", EXEC_STEP_PROGRAM, ENOENT);
		expect_not_started(user, "", "/no/such/program", EXEC_STEP_PROGRAM, ENOENT);
		expect_not_started(user, "", "/etc/passwd", EXEC_STEP_PROGRAM, EACCES);
		expect_not_started(user, "", "/tmp", EXEC_STEP_PROGRAM, EACCES);
		expect_not_started(user, "/no/such", "true", EXEC_STEP_DIRECTORY, ENOENT);
		expect_not_started(user, "", longest, EXEC_STEP_PROGRAM, ENOENT);
		expect_not_started(user, "", too_long, EXEC_STEP_PROGRAM, ENAMETOOLONG);
	}
	expect_not_started("daemon", "/root", "true", EXEC_STEP_DIRECTORY, EACCES);
	/* one that is there but can't be executed counts, not the last one */
	start(0, "", "", (const char *[]){ "passwd", NULL },
		(const char *[]){ "PATH=/etc:/nonexistent", NULL });
	expect_failed(EXEC_STEP_PROGRAM, EACCES);
}

static void test_shells(void **state)
{
	const char *argv[] = { "echo", "it's", "$HOME", NULL };

	start(EXEC_SHELL, "", "", argv, NULL);
	expect(EXEC_STARTED);
	expect_exit(EXEC_HOW_EXITED, 0);
	expect_text(f.out, "it's $HOME\n");
	close_fdp(&f.client);
	start(EXEC_LOGIN, "", "", (const char *[]){ NULL }, NULL);
	expect(EXEC_STARTED);
	assert_true(write(f.in, "echo $0; pwd\n", 13) == 13);
	close_fdp(&f.in);
	expect_exit(EXEC_HOW_EXITED, 0);
	expect_text(f.out, "-bash\n/root\n");
}

static void test_signal(void **state)
{
	start_script(0, "", "", "trap 'echo usr1' USR1; echo; while :; do :; done");
	expect(EXEC_STARTED);
	wait_text(f.out);
	send_signal(SIGUSR1);
	send_signal(SIGTERM);
	expect_exit(EXEC_HOW_KILLED, SIGTERM);
}

/* The host's pty, its slave handed over. */
static int start_on_terminal(const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

	assert_return_code(master, errno);
	assert_return_code(unlockpt(master), errno);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_return_code(slave, errno);
	f.client = knock();
	send_packet(f.buf, write_start(EXEC_TTY, "", "", argv, NULL), &slave, 1);
	(void)close(slave);
	return master;
}

static void test_terminal(void **state)
{
	f.out = start_on_terminal("test -t 0 && test -t 1 && test -t 2 && "
				  "test $(tty) = $(readlink /proc/self/fd/2) && : </dev/tty");
	expect(EXEC_STARTED);
	expect_exit(EXEC_HOW_EXITED, 0);
}

/* With a terminal a signal is for the foreground group, and nobody else. */
static void test_foreground(void **state)
{
	f.out = start_on_terminal("set -m; trap 'echo wrong' USR1; (echo; exec sleep 1000); "
				  "[ $? = 138 ] && exit 5");
	expect(EXEC_STARTED);
	wait_text(f.out);
	send_signal(SIGUSR1);
	expect_exit(EXEC_HOW_EXITED, 5);
}

static pid_t read_pid(void)
{
	char text[32] = "";

	wait_text(f.out);
	assert_true(read(f.out, text, sizeof(text) - 1) > 0);
	return (pid_t)strtol(text, NULL, 10);
}

static void test_client_gone(void **state)
{
	pid_t pid;

	start_script(0, "", "", "sleep 1000 & echo $!; wait");
	expect(EXEC_STARTED);
	pid = read_pid();
	close_fdp(&f.client);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	assert_true(loop_until(f.base, loop_has_died, &pid, LOOP_DEADLINE_SEC));
}

static bool exists(void *arg)
{
	return access(arg, F_OK) == 0;
}

static void test_detached(void **state)
{
	char file[] = "/tmp/test-exec.XXXXXX", script[256], flag[64];
	const char *argv[] = { "sh", "-c", script, NULL };
	int fd = mkostemp(file, O_CLOEXEC);

	(void)snprintf(flag, sizeof(flag), "%s.flag", file);
	(void)snprintf(script, sizeof(script),
		"while [ -e %s ]; do :; done; "
		"readlink /proc/self/fd/0 /proc/self/fd/1 >%s",
		file, flag);
	f.client = knock();
	send_packet(f.buf, write_start(EXEC_DETACH, "", "", argv, NULL), NULL, 0);
	expect(EXEC_STARTED);
	close_fdp(&f.client);
	(void)close(fd);
	/* the loop has seen the client go before the script may end */
	(void)event_base_loop(f.base, EVLOOP_NONBLOCK);
	(void)event_base_loop(f.base, EVLOOP_NONBLOCK);
	assert_return_code(unlink(file), errno);
	assert_true(loop_until(f.base, exists, flag, LOOP_DEADLINE_SEC));
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	(void)unlink(flag);
}

static void test_limit(void **state)
{
	int first = knock(), second = knock();

	f.client = knock();
	expect(EXEC_FAILED);
	assert_int_equal(f.message.failed.step, EXEC_STEP_LIMIT);
	(void)close(first);
	(void)close(second);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
}

static void test_many(void **state)
{
	const char *argv[] = { "true", NULL };
	size_t before = 0;

	for (int i = 0; i < 200; i++) {
		start(0, i % 2 ? "daemon" : "", "", argv, NULL);
		expect(EXEC_STARTED);
		expect_exit(EXEC_HOW_EXITED, 0);
		close_fdp(&f.client);
		if (i == 1)
			before = count_fds();
	}
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* --- clients that mean no good --------------------------------------------------------------- */

static void refused(const void *data, size_t len, size_t n_fds, const char *why)
{
	int fds[250];
	size_t before;

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = STDERR_FILENO;
	f.client = knock();
	before = count_fds();
	send_packet(data, len, fds, n_fds);
	expect_error(why);
	assert_int_equal(count_fds(), before - 1); /* the connection's */
	close_fdp(&f.client);
}

static void test_malformed(void **state)
{
	static char big[EXEC_MESSAGE_MAX + 1];
	const char *argv[] = { "true", NULL };
	const struct exec_message signal_message = { .type = EXEC_SIGNAL, .signal = 1 };
	size_t len;

	refused("garbage, garbage", 16, 3, "another version");
	refused("x", 1, 0, "cut short");
	refused("", 0, 0, "cut short");
	refused(big, sizeof(big), 3, "more than fits");
	refused(big, exec_message_write(big, &signal_message), 0, "START has to come first");
	for (size_t n = 0; n < 5; n++) {
		len = write_start(0, "", "", argv, NULL);
		if (n != 3)
			refused(f.buf, len, n,
				n > 3 ? "more than fits" : "a wrong number of descriptors");
	}
	len = write_start(0, "", "", argv, NULL);
	refused(f.buf, len, 250, "more than fits");
	len = write_start(EXEC_TTY, "", "", argv, NULL);
	refused(f.buf, len, 3, "a wrong number of descriptors");
	len = write_start(EXEC_DETACH, "", "", argv, NULL);
	refused(f.buf, len, 1, "a wrong number of descriptors");
	len = write_start(0, "", "", argv, NULL);
	refused(f.buf, len - 1, 3, "a wrong length");
	len = write_start(0, "", "", argv, NULL);
	f.buf[0] = 2;
	refused(f.buf, len, 3, "another version");
}

/* Each of these ends the session, too. */
static void test_malformed_later(void **state)
{
	const int fd = STDERR_FILENO;

	for (int i = 0; i < 4; i++) {
		pid_t pid;

		start_script(0, "", "", "echo $$; exec sleep 1000");
		expect(EXEC_STARTED);
		pid = read_pid();
		if (i == 0)
			send_packet("garbage, garbage", 16, NULL, 0);
		else if (i == 1) /* a second START */
			send_packet(f.buf,
				write_start(0, "", "", (const char *[]){ "true", NULL }, NULL),
				NULL, 0);
		else if (i == 2)
			send_packet("x", 1, &fd, 1);
		else
			send_packet("", 0, NULL, 0);
		expect(EXEC_ERROR);
		expect_end();
		assert_true(loop_until(f.base, loop_has_died, &pid, LOOP_DEADLINE_SEC));
		close_fdp(&f.client);
	}
}

static void test_early_close(void **state)
{
	const char *argv[] = { "true", NULL };

	f.client = knock();
	close_fdp(&f.client);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	start(0, "", "", argv, NULL);
	close_fdp(&f.client);
	assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
}

/* A client that goes before its command runs: whoever starts slowly is hung up as soon as it can
 * be.
 */
static void test_early_close_while_starting(void **state)
{
	const char *argv[] = { "sleep", "1000", NULL };

	for (int i = 0; i < 20; i++) {
		start(0, i % 2 ? "daemon" : "", i % 2 ? "" : "/tmp", argv, NULL);
		close_fdp(&f.client);
		assert_true(loop_until(f.base, nobody, NULL, LOOP_DEADLINE_SEC));
	}
}

static void test_silent(void **state)
{
	double begin = loop_now();

	f.client = knock();
	expect_error("no START in 10 s");
	assert_true(loop_now() - begin >= 9.9);
}

/* An agent that was held up past the deadline finds the START nevertheless. */
static void test_held_up(void **state)
{
	start(0, "", "", (const char *[]){ "true", NULL }, NULL);
	assert_int_equal(poll(NULL, 0, 10500), 0);
	expect(EXEC_STARTED);
	expect_exit(EXEC_HOW_EXITED, 0);
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
		cmocka_unit_test_setup_teardown(test_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shells, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreground, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_detached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_close_while_starting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, hide_home, NULL);
}
