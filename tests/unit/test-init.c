/* SPDX-License-Identifier: MIT */

/*
 * narthex-init as a program: the built one (NARTHEX_BUILD), as PID 1 of a PID namespace. Needs
 * root.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_S 60

static char init_path[PATH_MAX];

struct run {
	pid_t pid;
	int in;	 /* its stdin: a pipe's write end, or the terminal's master */
	int out; /* stdout and stderr: a pipe's read end, or the master again */
};

struct setup {
	int slave;	  /* a terminal for stdio, or -1 */
	bool controlling; /* the terminal already is that of init's session */
	bool ignore_sigchld;
	const char *path; /* PATH, NULL for the test's own */
};

static _Noreturn void child_exec(
	const struct setup *setup, int in, int out, const char *const *argv)
{
	if (setup->slave >= 0) {
		in = out = setup->slave;
		(void)setsid();
		if (setup->controlling && ioctl(setup->slave, TIOCSCTTY, 0) < 0)
			_exit(99);
	}
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(99);
	(void)syscall(SYS_close_range, 3U, ~0U, 0U);
	/* a failed test leaves it running */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setup->ignore_sigchld) {
		/* and one of the C library's own, which signal(3) doesn't touch */
		const unsigned long ignore[4] = { (unsigned long)SIG_IGN };

		(void)signal(SIGCHLD, SIG_IGN);
		(void)syscall(SYS_rt_sigaction, 33, ignore, NULL, (size_t)(NSIG - 1) / 8);
	}
	if (setup->path)
		(void)setenv("PATH", setup->path, 1);
	execv(init_path, (char *const *)argv);
	_exit(99);
}

/* Starts narthex-init with args (NULL-terminated, without argv[0]). */
static struct run start(const struct setup *setup, const char *const *args)
{
	const char *argv[16] = { "narthex-init" };
	int in[2], out[2];
	struct run run = { .in = -1, .out = -1 };

	for (size_t i = 0; args[i] && i < 14; i++)
		argv[i + 1] = args[i];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	run.pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | SIGCHLD), 0, 0, 0, 0);
	assert_true(run.pid >= 0);
	if (run.pid == 0)
		child_exec(setup, in[0], out[1], argv);
	close(in[0]);
	close(out[1]);
	run.in = in[1];
	run.out = out[0];
	return run;
}

/* Reads until text has come, or to the end of file when text is NULL. */
static void read_until(int fd, const char *text, char *buf, size_t size)
{
	size_t len = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_true(len + 1 < size);
		assert_int_equal(poll(&p, 1, DEADLINE_S * 1000), 1);
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EIO)
			n = 0;
		assert_true(n >= 0);
		len += (size_t)n;
		buf[len] = '\0';
		if (text ? strstr(buf, text) != NULL : n == 0)
			return;
		if (n == 0)
			fail_msg("end of file before '%s': '%s'", text, buf);
	}
}

static int finish(struct run *run)
{
	int pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int status;

	assert_true(pidfd >= 0);
	close(run->in);
	if (poll(&p, 1, DEADLINE_S * 1000) != 1)
		fail_msg("narthex-init doesn't end");
	close(pidfd);
	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	close(run->out);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SHELL(script) ARGS("--", "sh", "-c", script)

static int status_of(const struct setup *setup, const char *const *args)
{
	struct run run = start(setup, args);

	return finish(&run);
}

static const struct setup plain = { .slave = -1 };

static void exit_status_is_the_commands(void **state)
{
	const struct setup ignoring = { .slave = -1, .ignore_sigchld = true };

	assert_int_equal(status_of(&plain, SHELL("exit 0")), 0);
	assert_int_equal(status_of(&plain, SHELL("exit 7")), 7);
	assert_int_equal(status_of(&plain, SHELL("exit 255")), 255);
	assert_int_equal(status_of(&plain, SHELL("kill -KILL $$")), 137);
	assert_int_equal(status_of(&plain, SHELL("kill -TERM $$")), 143);
	assert_int_equal(status_of(&ignoring, SHELL("exit 7")), 7);
}

static void expect_error(const char *const *args, int status, const char *text)
{
	struct run run = start(&plain, args);
	char out[1024];

	read_until(run.out, NULL, out, sizeof(out));
	assert_string_equal(out, text);
	assert_int_equal(finish(&run), status);
}

static void errors_have_one_line(void **state)
{
	const char *usage = "narthex-init: usage: narthex-init [--chdir DIR] -- CMD [ARG...]\n";

	expect_error(ARGS("--", "no-such-command"), 127,
		"narthex-init: no-such-command: No such file or directory\n");
	expect_error(
		ARGS("--", "/no/such"), 127, "narthex-init: /no/such: No such file or directory\n");
	expect_error(ARGS("--", "/etc"), 126, "narthex-init: /etc: Permission denied\n");
	expect_error(
		ARGS("--", "/etc/passwd"), 126, "narthex-init: /etc/passwd: Permission denied\n");
	expect_error(ARGS("--chdir", "/no/such", "--", "true"), 125,
		"narthex-init: /no/such: No such file or directory\n");
	expect_error(ARGS("--"), 2, usage);
	expect_error(ARGS("true"), 2, usage);
	expect_error(ARGS("--chdir", "/"), 2, usage);
}

static void expect_output(const struct setup *setup, const char *const *args, const char *text)
{
	struct run run = start(setup, args);
	char out[4096];

	read_until(run.out, NULL, out, sizeof(out));
	assert_string_equal(out, text);
	assert_int_equal(finish(&run), 0);
}

static void the_command_is_pid_2_where_it_should_be(void **state)
{
	expect_output(&plain, SHELL("echo $$"), "2\n");
	expect_output(&plain, ARGS("--chdir", "/usr", "--", "/bin/pwd"), "/usr\n");
}

static void path_is_searched(void **state)
{
	char dir[] = "/tmp/test-init.XXXXXX", file[64], path[128];
	struct setup setup = { .slave = -1, .path = path };
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/mine", dir);
	snprintf(path, sizeof(path), "/no/such:%s", dir);
	f = fopen(file, "we");
	assert_non_null(f);
	fputs("#!/bin/sh\necho \"$1\"\n", f);
	fclose(f);
	assert_int_equal(chmod(file, 0755), 0);
	expect_output(&setup, ARGS("--", "mine", "two words"), "two words\n");
	unlink(file);
	rmdir(dir);
}

static void signals_start_out_clean(void **state)
{
	const struct setup ignoring = { .slave = -1, .ignore_sigchld = true };

	/* SIGCHLD is bit 16; the shell itself ignores and blocks nothing */
	expect_output(&ignoring, ARGS("--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"),
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/* The command says with its status which signal it got. It doesn't read meanwhile: dash runs no
 * trap for a signal that comes right before its read(2) sleeps. */
static void expect_forwarded(int sig, int status)
{
	struct run run = start(
		&plain, SHELL("trap 'exit 41' INT; trap 'exit 42' TERM; trap 'exit 43' HUP; trap "
			      "'exit 44' QUIT; "
			      "trap 'exit 45' USR1; trap 'exit 46' USR2; trap 'exit 47' WINCH; "
			      "echo ready; while :; do :; done"));
	char out[64];

	read_until(run.out, "ready\n", out, sizeof(out));
	assert_int_equal(kill(run.pid, sig), 0);
	read_until(run.out, NULL, out, sizeof(out));
	assert_int_equal(finish(&run), status);
}

static void signals_are_forwarded(void **state)
{
	expect_forwarded(SIGINT, 41);
	expect_forwarded(SIGTERM, 42);
	expect_forwarded(SIGHUP, 43);
	expect_forwarded(SIGQUIT, 44);
	expect_forwarded(SIGUSR1, 45);
	expect_forwarded(SIGUSR2, 46);
	expect_forwarded(SIGWINCH, 47);
	expect_forwarded(SIGRTMIN + 3, 42);
}

static void the_whole_group_is_told(void **state)
{
	struct run run = start(&plain, SHELL("trap 'wait; exit 9' TERM; "
					     "sh -c 'trap \"echo child; exit\" TERM; echo ready; "
					     "while :; do :; done' & wait"));
	char out[64];

	read_until(run.out, "ready\n", out, sizeof(out));
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	read_until(run.out, NULL, out, sizeof(out));
	assert_non_null(strstr(out, "child\n"));
	assert_int_equal(finish(&run), 9);
}

static void a_stopped_command_can_be_ended(void **state)
{
	struct run run = start(&plain, SHELL("echo ready; kill -STOP $$; exit 1"));
	char out[64];

	read_until(run.out, "ready\n", out, sizeof(out));
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 143);
}

/* The only child init is left with is the command, however many orphans it was given. */
static void orphans_are_reaped(void **state)
{
	struct run run = start(&plain, SHELL("for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'exit 3' "
					     "&); done; echo made; read -r x"));
	char out[256], path[64], children[256];
	time_t end = time(NULL) + DEADLINE_S;
	size_t n = 0;

	read_until(run.out, "made\n", out, sizeof(out));
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", run.pid, run.pid);
	do {
		FILE *f = fopen(path, "re");

		assert_non_null(f);
		n = fread(children, 1, sizeof(children) - 1, f);
		fclose(f);
		children[n] = '\0';
	} while (strchr(children, ' ') != strrchr(children, ' ') && time(NULL) < end);
	assert_true(n > 0);
	assert_ptr_equal(strchr(children, ' '), strrchr(children, ' '));
	assert_int_equal(finish(&run), 1);
}

/* ^C on the terminal reaches the command, and so does the terminal itself. */
static void expect_terminal(bool controlling)
{
	struct setup setup = { .controlling = controlling };
	struct run run;
	char out[1024];
	int master;

	assert_int_equal(openpty(&master, &setup.slave, NULL, NULL, NULL), 0);
	run = start(
		&setup, SHELL("trap 'exit 41' INT; echo ready >/dev/tty; read -r line </dev/tty; "
			      "echo \"got $line\"; while :; do :; done"));
	close(setup.slave);
	close(run.in);
	close(run.out);
	run.in = run.out = master;
	read_until(master, "ready\r\n", out, sizeof(out));
	assert_int_equal(write(master, "abc\n", 4), 4);
	read_until(master, "got abc\r\n", out, sizeof(out));
	assert_int_equal(write(master, "\003", 1), 1);
	read_until(master, NULL, out, sizeof(out));
	run.in = -1;
	assert_int_equal(finish(&run), 41);
}

static void a_free_terminal_is_taken(void **state)
{
	expect_terminal(false);
}

static void the_sessions_terminal_is_shared(void **state)
{
	expect_terminal(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status_is_the_commands),
		cmocka_unit_test(errors_have_one_line),
		cmocka_unit_test(the_command_is_pid_2_where_it_should_be),
		cmocka_unit_test(path_is_searched),
		cmocka_unit_test(signals_start_out_clean),
		cmocka_unit_test(signals_are_forwarded),
		cmocka_unit_test(the_whole_group_is_told),
		cmocka_unit_test(a_stopped_command_can_be_ended),
		cmocka_unit_test(orphans_are_reaped),
		cmocka_unit_test(a_free_terminal_is_taken),
		cmocka_unit_test(the_sessions_terminal_is_shared),
	};
	const char *build = getenv("NARTHEX_BUILD");

	snprintf(init_path, sizeof(init_path), "%s/narthex-init", build ? build : "build");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
