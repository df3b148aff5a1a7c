/* SPDX-License-Identifier: MIT */
#include "agent/session-cgroup.h"

#include "agent/spawn.h"
#include "cleanup.h"
#include "fd.h"
#include "loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A real cgroup of our own, beside this process's. */
static struct session_cgroups cgroups = SESSION_CGROUPS_NULL;
static struct spawner spawner;
static char dir[512];

static int setup(void **state)
{
	_cleanup_free_ char *text = NULL;
	const char *mount = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0
				    ? "/sys/fs/cgroup"
				    : "/sys/fs/cgroup/unified";
	char *own;

	if (file_read_all(AT_FDCWD, "/proc/self/cgroup", 0, 1 << 16, &text) < 0)
		return -1;
	own = strstr(text, "0::/");
	if (!own)
		return -1;
	own[strcspn(own, "\n")] = '\0';
	(void)snprintf(dir, sizeof(dir), "%s%s/test-session-cgroup-XXXXXX", mount, own + 3);
	if (!mkdtemp(dir))
		return -1;
	cgroups.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cgroups.fd < 0 ? -1 : spawner_init(&spawner);
}

static int teardown(void **state)
{
	spawner_done(&spawner);
	session_cgroups_close(&cgroups);
	return rmdir(dir);
}

static pid_t start(int cgroup_fd, const char *script, int *ret_pidfd)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	char *envp[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	struct spawn_request request = {
		.path = "/bin/sh",
		.argv = argv,
		.envp = envp,
		.cwd = "/",
		.stdio = { 0, 1, 2 },
		.cgroup_fd = cgroup_fd,
	};
	pid_t pid;

	assert_int_equal(spawn(&spawner, &request, &pid, ret_pidfd, NULL), 0);
	return pid;
}

static size_t count(const char *name)
{
	char path[128];
	_cleanup_free_ char *text = NULL;
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	if (file_read_all(cgroups.fd, path, 0, 1 << 16, &text) < 0)
		return 0;
	for (char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static bool wait_count(const char *name, size_t want)
{
	double end = loop_now() + LOOP_DEADLINE_SEC;

	while (count(name) != want)
		if (loop_now() > end)
			return false;
	return true;
}

/* From Linux 6.19 on a process that can be waited for may be in its cgroup for a moment yet. */
static bool wait_removed(const char *name)
{
	double end = loop_now() + LOOP_DEADLINE_SEC;

	while (!session_cgroup_remove(&cgroups, name))
		if (errno != EBUSY || loop_now() > end)
			return false;
	return true;
}

static void reap(int pidfd)
{
	siginfo_t info;

	assert_return_code(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), errno);
	(void)close(pidfd);
}

static void test_life(void **state)
{
	int fd = session_cgroup_create(&cgroups, "session-1"), pidfd;
	siginfo_t info;

	assert_true(fd >= 0);
	assert_int_equal(session_cgroup_create(&cgroups, "session-1"), -EEXIST);
	(void)start(fd, "exec sleep 1000", &pidfd);
	(void)close(fd);
	assert_int_equal(count("session-1"), 1);
	assert_false(session_cgroup_remove(&cgroups, "session-1"));
	assert_false(session_cgroups_sweep(&cgroups));
	assert_int_equal(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), 0);
	/* a zombie is in nobody's way */
	assert_return_code(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT), errno);
	assert_true(wait_removed("session-1"));
	assert_true(session_cgroup_remove(&cgroups, "session-1"));
	reap(pidfd);
}

static void test_sweep(void **state)
{
	(void)close(session_cgroup_create(&cgroups, "session-1"));
	(void)close(session_cgroup_create(&cgroups, "session-2"));
	(void)close(session_cgroup_create(&cgroups, "other"));
	assert_true(session_cgroups_sweep(&cgroups));
	assert_int_equal(faccessat(cgroups.fd, "session-1", F_OK, 0), -1);
	assert_int_equal(faccessat(cgroups.fd, "session-2", F_OK, 0), -1);
	assert_int_equal(faccessat(cgroups.fd, "other", F_OK, 0), 0);
	assert_true(session_cgroup_remove(&cgroups, "other"));
}

/* Leader, a job of its session, a stopped one, one with a session of its own. */
static void hang_up(const char *name)
{
	int fd = session_cgroup_create(&cgroups, "session-1"), pidfd;
	pid_t leader, daemon;
	_cleanup_free_ char *text = NULL;
	siginfo_t info;

	leader = start(
		fd, "sleep 1000 & sleep 1000 & kill -STOP $!; setsid sleep 1001 & wait", &pidfd);
	(void)close(fd);
	assert_true(wait_count("session-1", 4));
	/* setsid(1) may not have got so far as setsid(2) */
	for (daemon = 0; daemon == 0;) {
		free(text);
		text = NULL;
		assert_true(file_read_all(
				    cgroups.fd, "session-1/cgroup.procs", 0, 1 << 16, &text) >= 0);
		for (char *p = text; *p; p = strchr(p, '\n') + 1)
			if (getsid((pid_t)strtol(p, NULL, 10)) != leader)
				daemon = (pid_t)strtol(p, NULL, 10);
	}
	session_cgroup_hang_up(&cgroups, name, leader);
	assert_return_code(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT), errno);
	assert_int_equal(info.si_status, SIGHUP);
	/* the zombie doesn't count in cgroup.procs, and the daemon lives */
	assert_true(wait_count("session-1", 1));
	assert_return_code(kill(daemon, SIGKILL), errno);
	assert_true(wait_count("session-1", 0));
	reap(pidfd);
	assert_true(wait_removed("session-1"));
}

static void test_hang_up(void **state)
{
	hang_up("session-1");
}

static void test_hang_up_everywhere(void **state)
{
	hang_up(NULL);
}

static void test_share(void **state)
{
	int fd = session_cgroup_share(&cgroups, "exec"),
	    again = session_cgroup_share(&cgroups, "exec");

	assert_true(fd >= 0);
	assert_true(again >= 0);
	(void)close(fd);
	(void)close(again);
	assert_true(session_cgroup_remove(&cgroups, "exec"));
}

/* What heeds SIGTERM ends by it; what doesn't, a session and a cgroup of its own, is killed. */
static void test_end(void **state)
{
	int fd = session_cgroup_create(&cgroups, "session-1"), inner, heeds, deaf;
	siginfo_t info;

	assert_true(fd >= 0);
	assert_true(session_cgroups_end(&cgroups, 0)); /* nothing is there */
	inner = session_cgroup_create(&cgroups, "session-1/own");
	assert_true(inner >= 0);
	(void)start(fd, "exec sleep 1000", &heeds);
	(void)start(inner, "trap '' TERM HUP INT; setsid sleep 1001 & wait", &deaf);
	(void)close(fd);
	(void)close(inner);
	assert_true(wait_count("session-1/own", 2));
	assert_true(session_cgroups_end(&cgroups, 200));
	assert_return_code(waitid(P_PIDFD, (id_t)heeds, &info, WEXITED | WNOWAIT), errno);
	assert_int_equal(info.si_status, SIGTERM);
	assert_return_code(waitid(P_PIDFD, (id_t)deaf, &info, WEXITED | WNOWAIT), errno);
	assert_int_equal(info.si_status, SIGKILL);
	assert_int_equal(count("session-1/own"), 0);
	reap(heeds);
	reap(deaf);
	assert_true(wait_removed("session-1/own"));
	assert_true(wait_removed("session-1"));
}

/* A child that is held up before its exec holds up nobody else: here by a frozen cgroup. */
static void test_held_up(void **state)
{
	_cleanup_close_ int fd = session_cgroup_share(&cgroups, "frozen");
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 7", NULL };
	char *envp[] = { NULL };
	const struct spawn_request request = {
		.path = "/bin/sh",
		.argv = argv,
		.envp = envp,
		.cwd = "/",
		.stdio = { 0, 1, 2 },
		.cgroup_fd = fd,
	};
	int pidfd, report;
	siginfo_t info;
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(file_write_string(fd, "cgroup.freeze", "1"), 0);
	assert_int_equal(spawn_apart(&spawner, &request, &pid, &pidfd, &report, NULL), 0);
	assert_int_equal(spawn_outcome(report, NULL), -EINPROGRESS);
	assert_int_equal(file_write_string(fd, "cgroup.freeze", "0"), 0);
	assert_return_code(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), errno);
	assert_int_equal(info.si_status, 7);
	assert_int_equal(spawn_outcome(report, NULL), 0);
	(void)close(pidfd);
	(void)close(report);
	assert_true(wait_removed("frozen"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_hang_up_everywhere),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_held_up),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
