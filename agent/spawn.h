/* SPDX-License-Identifier: MIT */
#pragma once

/* Starts a program as the leader of a new session. What it costs doesn't grow with the agent. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

struct spawner {
	int null_fd;
	int stage[3]; /* low descriptors, kept for handing stdio over */
	void *stack;
	struct spawn_report *report; /* one shared page: what the child has to say */
	struct rlimit nofile; /* what children get; as it was before the agent raised its own */
};

/* Null state: safe for spawner_done(). */
#define SPAWNER_NULL ((struct spawner){ .null_fd = -EBADF, .stage = { -EBADF, -EBADF, -EBADF } })

struct spawn_request {
	const char *path;
	char *const *argv;
	char *const *envp;
	const char *cwd; /* tried first, then "/" */
	int stdio[3];	 /* borrowed; O_CLOEXEC or not */
	bool tty;	 /* stdio[0] becomes the controlling terminal */
	int cgroup_fd;	 /* the child is born in it; negative: none. Borrowed */
};

/* Call early, while descriptor numbers are low. 0 or -errno. */
int spawner_init(struct spawner *spawner);
void spawner_done(struct spawner *spawner);

/*
 * Returns after the program's exec. *ret_pidfd: O_CLOEXEC, the caller closes it and reaps the
 * child. On failure -errno, and *ret_step (static text, may be NULL) says what failed; nothing is
 * left to reap.
 */
int spawn(struct spawner *spawner, const struct spawn_request *request, pid_t *ret_pid,
	int *ret_pidfd, const char **ret_step);
