/* SPDX-License-Identifier: MIT */
#include "agent/spawn.h"
#include "agent/store.h"

#include "fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct spawner spawner;

static int setup(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	/* a descriptor below those that the spawner keeps, without O_CLOEXEC */
	return dup(0) < 0 ? -1 : spawner_init(&spawner);
}

static int teardown(void **state)
{
	spawner_done(&spawner);
	spawner_done(&spawner);
	return 0;
}

static int wait_status(int pidfd)
{
	siginfo_t info = {};

	assert_return_code(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), errno);
	(void)close(pidfd);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Runs a shell script; returns its status and, in *ret, what it wrote (freed by the caller). */
static int run_script(const char *script, const char *cwd, int cgroup_fd, char **ret)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	char *envp[] = { (char *)"PATH=/usr/bin:/bin", (char *)"ONLY=this", NULL };
	int fds[2], pidfd = -1;
	pid_t pid = -1;
	struct spawn_request request = {
		.path = "/bin/sh",
		.argv = argv,
		.envp = envp,
		.cwd = cwd,
		.cgroup_fd = cgroup_fd,
	};

	assert_return_code(pipe2(fds, O_CLOEXEC), errno);
	request.stdio[0] = fds[0];
	request.stdio[1] = request.stdio[2] = fds[1];
	assert_int_equal(spawn(&spawner, &request, &pid, &pidfd, NULL), 0);
	assert_true(pid > 0);
	(void)close(fds[1]);
	assert_true(fd_read_all(fds[0], 1 << 20, ret) >= 0);
	(void)close(fds[0]);
	return wait_status(pidfd);
}

static void expect(const char *script, const char *want)
{
	char *text = NULL;

	assert_int_equal(run_script(script, "/tmp", -1, &text), 0);
	assert_string_equal(text, want);
	free(text);
}

static void test_inside(void **state)
{
	int noise[8];

	/* what the agent has open must not be seen inside, O_CLOEXEC or not */
	for (int i = 0; i < 8; i++)
		noise[i] = dup(0);
	expect("pwd; echo $ONLY; umask", "/tmp\nthis\n0022\n");
	expect("cd /proc/self/fd && echo *",
		"0 1 2 3\n"); /* 3: the shell's own, of this directory */
	expect("read -r a b c d e f rest </proc/self/stat; [ $a = $f ] && echo leader", "leader\n");
	for (int i = 0; i < 8; i++)
		(void)close(noise[i]);
}

static void test_signals(void **state)
{
	sigset_t set, before;
	char *text = NULL;

	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	assert_int_equal(
		run_script("grep -E '^Sig(Blk|Ign)' /proc/self/status", "/", -1, &text), 0);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	free(text);
}

static void test_limit(void **state)
{
	struct rlimit limit, raised;
	char want[32];

	assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
	raised = limit;
	raised.rlim_cur = limit.rlim_cur - 1;
	assert_return_code(setrlimit(RLIMIT_NOFILE, &raised), errno);
	(void)snprintf(want, sizeof(want), "%lu\n", (unsigned long)limit.rlim_cur);
	expect("ulimit -n", want);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
}

static void test_status(void **state)
{
	char *text = NULL;

	assert_int_equal(run_script("exit 42", "/", -1, &text), 42);
	free(text);
	/* the agent ignores this one, its children must not */
	assert_int_equal(run_script("kill -PIPE $$", "/", -1, &text), 128 + SIGPIPE);
	free(text);
}

static void test_directory(void **state)
{
	char *text = NULL;

	assert_int_equal(run_script("pwd", "/no/such/directory", -1, &text), 0);
	assert_string_equal(text, "/\n");
	free(text);
}

static void test_no_cgroup(void **state)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* no cgroup at all */
	char *text = NULL;

	assert_int_equal(run_script("echo lives", "/", fd, &text), 0);
	assert_string_equal(text, "lives\n");
	free(text);
	(void)close(fd);
}

static void test_failure(void **state)
{
	char *argv[] = { (char *)"x", NULL }, *envp[] = { NULL };
	enum spawn_step step = 0;
	int pidfd = -7;
	pid_t pid = -7;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct spawn_request request = {
		.path = "/no/such/program",
		.argv = argv,
		.envp = envp,
		.cwd = "/",
		.cgroup_fd = -1,
		.stdio = { null, null, null },
	};

	assert_int_equal(spawn(&spawner, &request, &pid, &pidfd, &step), -ENOENT);
	assert_int_equal(step, SPAWN_PROGRAM);
	request.path = "/etc/passwd";
	assert_int_equal(spawn(&spawner, &request, &pid, &pidfd, NULL), -EACCES);
	request.tty = true; /* stdin is no terminal */
	assert_int_equal(spawn(&spawner, &request, &pid, &pidfd, &step), -ENOTTY);
	assert_int_equal(step, SPAWN_TERMINAL);
	request.stdio[1] = 9999;
	assert_int_equal(spawn(&spawner, &request, &pid, &pidfd, NULL), -EBADF);
	assert_int_equal(pid, -7);
	assert_int_equal(pidfd, -7);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing to reap */
	assert_int_equal(errno, ECHILD);
	(void)close(null);
}

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* The child itself keeps its session, before its exec: an agent that dies in between leaves one
 * that is whole. */
static void test_keeps_itself(void **state)
{
	static const char *const programs[] = { "/bin/cat", "/nonexistent" };
	static const struct store_record record = { .version = STORE_VERSION, .program = "cat" };

	for (int i = 0; i < 2; i++) {
		char *argv[] = { (char *)"cat", NULL };
		const int fds[2] = { 0, -1 };
		int fd, r, pidfd = -1, got_fds[STORE_FDS_MAX], pair[2];
		struct store store = {}, next = {};
		struct store_slot *slot;
		struct store_record got;
		struct spawn_first first;
		size_t n;
		pid_t pid = -1;

		assert_return_code(pipe2(pair, O_CLOEXEC), errno);
		slot = store_prepare(&store, &record, fds, 2);
		assert_non_null(slot);
		first = store_first(&store, slot);
		const struct spawn_request request = {
			.path = programs[i],
			.argv = argv,
			.envp = argv + 1,
			.cwd = "/",
			.stdio = { pair[0], pair[1], pair[1] },
			.cgroup_fd = -1,
			.first = &first,
		};
		r = spawn(&spawner, &request, &pid, &pidfd, NULL);
		assert_int_equal(r, i == 0 ? 0 : -ENOENT);
		assert_true(first.sent);

		fd = fcntl(slot->out, F_DUPFD_CLOEXEC, 3);
		assert_non_null(store_take(&next, fd, slot->name, &got, got_fds, &n));
		assert_int_equal(n, 2);
		assert_string_equal(got.program, "cat");
		if (i == 0) {
			assert_int_equal(got.leader, pid);
			/* its pidfd */
			assert_return_code(
				syscall(SYS_pidfd_send_signal, got_fds[1], SIGKILL, NULL, 0),
				errno);
			assert_int_equal(wait_status(pidfd), 128 + SIGKILL);
		} else {
			assert_int_equal(
				syscall(SYS_pidfd_send_signal, got_fds[1], 0, NULL, 0), -1);
			assert_int_equal(errno, ESRCH);
		}
		(void)close(got_fds[0]);
		(void)close(got_fds[1]);
		(void)close(pair[0]);
		(void)close(pair[1]);
		store_done(&next);
		store_done(&store);
	}
}

static void test_no_growth(void **state)
{
	size_t before = count_fds();
	char *text = NULL;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(run_script(":", "/", -1, &text), 0);
		free(text);
	}
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_keeps_itself),
		cmocka_unit_test(test_no_growth),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
