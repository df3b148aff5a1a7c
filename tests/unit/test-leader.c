/* SPDX-License-Identifier: MIT */
#include "agent/leader.h"

#include "cleanup.h"
#include "loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "fd.h"

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	return fd;
}

_Noreturn static void end(int status, int signal_number)
{
	if (signal_number)
		(void)kill(getpid(), signal_number);
	_exit(status);
}

/*
 * Another's child, as after the end of an agent: its parent sends us its pidfd, and reaps it when
 * we say so (a byte on *ret_parent).
 */
static int start_orphan(int status, int signal_number, int *ret_parent)
{
	int pair[2], fd;
	char tag;
	pid_t parent;

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	parent = fork();
	if (parent == 0) {
		pid_t child = fork();

		if (child == 0)
			end(status, signal_number);
		fd = (int)syscall(SYS_pidfd_open, child, 0);
		(void)fd_send(pair[1], 'p', &fd, 1);
		if (read(pair[1], &tag, 1) == 1)
			(void)waitpid(child, NULL, 0);
		_exit(0);
	}
	(void)close(pair[1]);
	assert_int_equal(fd_receive(pair[0], &tag, &fd, 1), 1);
	*ret_parent = pair[0];
	return fd;
}

static struct {
	int calls, pidfd, result;
	siginfo_t info;
	struct leader_watch watch;
} f;

static void on_exit_of_leader(void *arg)
{
	struct rusage usage;

	f.calls++;
	f.result = leader_reap(f.pidfd, &f.info, &usage);
	if (f.result == -EAGAIN)
		leader_watch_again(&f.watch);
	else
		leader_watch_stop(&f.watch);
}

static bool has_ended(void *arg)
{
	return f.calls > 0 && f.result != -EAGAIN;
}

static bool was_called(void *arg)
{
	return f.calls >= 3;
}

static void status_as_wait_says_it(void **state)
{
	siginfo_t info = { .si_code = CLD_EXITED };

	assert_int_equal(leader_status(&info), LEADER_STATUS_UNKNOWN);
	info.si_pid = 1;
	assert_int_equal(leader_status(&info), 0);
	info.si_status = 255;
	assert_true(WIFEXITED(leader_status(&info)));
	assert_int_equal(WEXITSTATUS(leader_status(&info)), 255);
	info.si_code = CLD_DUMPED;
	info.si_status = SIGSEGV;
	assert_true(WIFSIGNALED(leader_status(&info)));
	assert_int_equal(WTERMSIG(leader_status(&info)), SIGSEGV);
}

static void our_child(void **state)
{
	pid_t pid = fork();
	struct rusage usage;
	siginfo_t info;

	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	f.pidfd = open_pidfd(pid);
	assert_int_equal(leader_reap(f.pidfd, &info, &usage), -EAGAIN);
	(void)kill(pid, SIGTERM);
	(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(leader_reap(f.pidfd, &info, &usage), 0);
	assert_int_equal(info.si_pid, pid);
	assert_int_equal(info.si_code, CLD_KILLED);
	assert_int_equal(info.si_status, SIGTERM);
	close_fdp(&f.pidfd);
}

/* It is a zombie first: the loop must not spin, nor take that for the end. */
static void anothers_child(int status, int signal_number, int code, int value)
{
	struct event_base *base = event_base_new();
	int parent;

	f.calls = 0;
	f.result = -EAGAIN;
	f.watch = (struct leader_watch){};
	f.pidfd = start_orphan(status, signal_number, &parent);
	assert_int_equal(leader_watch_start(&f.watch, base, f.pidfd, on_exit_of_leader, NULL), 0);
	assert_true(loop_until(base, was_called, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.result, -EAGAIN);
	assert_int_equal(write(parent, "r", 1), 1);
	assert_true(loop_until(base, has_ended, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.result, 0);
	assert_int_not_equal(f.info.si_pid, 0);
	assert_int_equal(f.info.si_code, code);
	assert_int_equal(f.info.si_status, value);
	close_fdp(&f.pidfd);
	close_fdp(&parent);
	(void)wait(NULL);
	event_base_free(base);
}

static void anothers_child_exits(void **state)
{
	anothers_child(0, 0, CLD_EXITED, 0);
	anothers_child(42, 0, CLD_EXITED, 42);
	anothers_child(255, 0, CLD_EXITED, 255);
}

static void anothers_child_is_killed(void **state)
{
	anothers_child(0, SIGKILL, CLD_KILLED, SIGKILL);
	anothers_child(0, SIGUSR1, CLD_KILLED, SIGUSR1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_as_wait_says_it),
		cmocka_unit_test(our_child),
		cmocka_unit_test(anothers_child_exits),
		cmocka_unit_test(anothers_child_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
