/* SPDX-License-Identifier: MIT */
#pragma once

/* Starts a program as the leader of a new session. What it costs doesn't grow with the agent. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>

struct spawner {
	int null_fd;
	int stage[4]; /* low descriptors, kept for handing stdio and the report's pipe over */
	void *stack;
	struct spawn_report *report; /* one shared page: what the child has to say */
	struct rlimit nofile; /* what children get; as it was before the agent raised its own */
	uint64_t ignored;     /* signals that the agent ignores, bit N - 1 for N */
};

/* Null state: safe for spawner_done(). */
#define SPAWNER_NULL                                                                               \
	((struct spawner){ .null_fd = -EBADF, .stage = { -EBADF, -EBADF, -EBADF, -EBADF } })

/* Where a start can fail. */
enum spawn_step {
	SPAWN_PROCESS = 1,
	SPAWN_DESCRIPTORS,
	SPAWN_SESSION,
	SPAWN_TERMINAL,
	SPAWN_LIMIT,
	SPAWN_IDENTITY,
	SPAWN_DIRECTORY,
	SPAWN_PROGRAM,
};

/* "cannot …" */
const char *spawn_step_text(enum spawn_step step);

struct spawn_identity {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
};

/*
 * A message that the child sends before anything else, so that it is sent although the parent,
 * which waits for the exec, is killed: one that says who the child is. Needs shared memory.
 */
struct spawn_first {
	int fd; /* a socket */
	struct msghdr *message;
	int *pid, *pidfd; /* places in the message where these belong */
	bool sent;	  /* if not, it is the parent's to send, with both in place */
};

struct spawn_request {
	const char *path;
	const char *const
		*paths; /* instead of path: tried in turn, as by execvp(3); ends in NULL */
	char *const *argv;
	char *const *envp;
	const char *cwd;		       /* tried first, then "/" */
	bool cwd_only;			       /* not "/" */
	const struct spawn_identity *identity; /* NULL: the agent's own */
	int stdio[3];			       /* borrowed; O_CLOEXEC or not */
	bool tty;			       /* stdio[0] becomes the controlling terminal */
	int cgroup_fd;		   /* the child is born in it; negative: none. Borrowed */
	struct spawn_first *first; /* NULL: none; not for spawn_apart() */
};

/* Call early, while descriptor numbers are low, but after signals have been ignored. 0 or -errno.
 */
int spawner_init(struct spawner *spawner);
void spawner_done(struct spawner *spawner);

/* Low descriptor numbers have become free since: takes them. What a start costs depends on it. */
void spawner_settle(struct spawner *spawner);

/*
 * Returns after the program's exec. *ret_pidfd: O_CLOEXEC, the caller closes it and reaps the
 * child. On failure -errno, and *ret_step (may be NULL) says what failed; nothing is left to reap.
 */
int spawn(struct spawner *spawner, const struct spawn_request *request, pid_t *ret_pid,
	int *ret_pidfd, enum spawn_step *ret_step);

/*
 * The same, but returns before the exec: for what others could hold up, a program or directory of
 * somebody else, or a process that has another's identity before its exec. *ret_report (O_CLOEXEC,
 * the caller closes it) becomes readable when spawn_outcome() knows more. After a failure there
 * the child is to be reaped, too.
 */
int spawn_apart(struct spawner *spawner, const struct spawn_request *request, pid_t *ret_pid,
	int *ret_pidfd, int *ret_report, enum spawn_step *ret_step);

/* 0: the program runs, or was killed first; -EINPROGRESS: not known yet; or as spawn(). */
int spawn_outcome(int report, enum spawn_step *ret_step);
