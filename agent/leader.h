/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The process with which a session ends: our child, or one of an earlier agent, which PID 1 has
 * adopted and reaps.
 */

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <sys/resource.h>

struct leader_watch {
	struct event exit, again;
	void (*exited)(void *arg);
	void *arg;
};

/*
 * Calls exited(arg) from the loop when the process has exited, until leader_watch_stop(). pidfd:
 * borrowed, open as long. watch: zeroes before, stays in its place. 0 or -ENOMEM.
 */
int leader_watch_start(struct leader_watch *watch, struct event_base *base, int pidfd,
	void (*exited)(void *arg), void *arg);

/* After leader_reap() said -EAGAIN: calls exited(arg) again in a moment, not at once. */
void leader_watch_again(struct leader_watch *watch);

/* Safe on zeroes. */
void leader_watch_stop(struct leader_watch *watch);

/*
 * How it ended, and what it used (zeroes when it wasn't our child). 0, with si_pid 0 in *ret_info
 * when nobody can tell any more (before Linux 6.15); -EAGAIN: it hasn't ended, or PID 1 hasn't
 * reaped it yet; or -errno.
 */
int leader_reap(int pidfd, siginfo_t *ret_info, struct rusage *ret_usage);

#define LEADER_STATUS_UNKNOWN (-1) /* no status that wait(2) gives */

/* What leader_reap() has said as wait(2) says it, or LEADER_STATUS_UNKNOWN. */
int leader_status(const siginfo_t *info);

/*
 * The foreground process group of the session's terminal. Negative: none, or one of another
 * session. leader: not reaped yet.
 */
pid_t leader_foreground(pid_t leader);
