/* SPDX-License-Identifier: MIT */
#include "leader.h"

#include "cleanup.h"
#include "fd.h"
#include "syscalls.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/*
 * A pidfd is readable when its process has exited, and tells how (PIDFD_GET_INFO) when the process
 * has been reaped, which for another's child is PID 1's business and a moment later. In between the
 * pidfd goes on being readable: it is asked again by a timer, so that the loop doesn't spin.
 */

#define AGAIN_USEC 2000
#define STAT_MAX 4096

static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct leader_watch *watch = arg;

	(void)fd;
	(void)what;
	watch->exited(watch->arg);
}

int leader_watch_start(struct leader_watch *watch, struct event_base *base, int pidfd,
	void (*exited)(void *arg), void *arg)
{
	watch->exited = exited;
	watch->arg = arg;
	if (event_assign(&watch->again, base, -1, 0, on_exit_event, watch) < 0 ||
		event_assign(&watch->exit, base, pidfd, EV_READ | EV_PERSIST, on_exit_event,
			watch) < 0 ||
		event_add(&watch->exit, NULL) < 0)
		return -ENOMEM;
	return 0;
}

void leader_watch_again(struct leader_watch *watch)
{
	static const struct timeval soon = { .tv_usec = AGAIN_USEC };

	if (event_add(&watch->again, &soon) == 0)
		(void)event_del(&watch->exit);
}

void leader_watch_stop(struct leader_watch *watch)
{
	if (event_initialized(&watch->exit))
		(void)event_del(&watch->exit);
	if (event_initialized(&watch->again))
		(void)event_del(&watch->again);
}

static void from_wait_status(int status, siginfo_t *ret)
{
	if (WIFEXITED(status)) {
		ret->si_code = CLD_EXITED;
		ret->si_status = WEXITSTATUS(status);
	} else {
		ret->si_code = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
		ret->si_status = WTERMSIG(status);
	}
}

/*
 * Of a process that wasn't our child. In this order: how it ended is there before its number is
 * gone, so of one that is gone the kernel knows it, or never will.
 */
static int ask_kernel(int pidfd, siginfo_t *ret)
{
	struct pidfd_exit_info info = { .mask = PIDFD_INFO_EXIT };
	bool gone = syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH;

	if (ioctl(pidfd, PIDFD_GET_EXIT_INFO, &info) == 0 && (info.mask & PIDFD_INFO_EXIT)) {
		ret->si_pid = 1; /* somebody: it is known */
		from_wait_status(info.exit_code, ret);
		return 0;
	}
	return gone ? 0 : -EAGAIN;
}

int leader_reap(int pidfd, siginfo_t *ret_info, struct rusage *ret_usage)
{
	*ret_info = (siginfo_t){};
	*ret_usage = (struct rusage){};
	/* the system call has a parameter more than the function: resource usage */
	if (syscall(SYS_waitid, P_PIDFD, pidfd, ret_info, WEXITED | WNOHANG, ret_usage) == 0)
		return ret_info->si_pid ? 0 : -EAGAIN;
	return errno == ECHILD ? ask_kernel(pidfd, ret_info) : -errno;
}

int leader_status(const siginfo_t *info)
{
	if (info->si_pid == 0)
		return LEADER_STATUS_UNKNOWN;
	return info->si_code == CLD_EXITED ? W_EXITCODE(info->si_status, 0)
					   : W_EXITCODE(0, info->si_status);
}

/* From /proc: tcgetpgrp(3) tells only those who have the terminal themselves. */
pid_t leader_foreground(pid_t leader)
{
	_cleanup_free_ char *text = NULL;
	char path[32];
	const char *rest;
	int group;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)leader);
	if (file_read_all(AT_FDCWD, path, 0, STAT_MAX, &text) < 0)
		return -1;
	/* PID (COMM) STATE PPID PGRP SESSION TTY TPGID; COMM may hold anything */
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %d", &group) != 1)
		return -1;
	return group > 0 && getsid(group) == leader ? group : -1;
}
