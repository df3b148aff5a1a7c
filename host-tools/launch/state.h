/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * /run/narthex/NAME: what a running container has on the host outside its own namespaces. The
 * layout is in docs/architecture.md. Everything here belongs to root and no guest can write to it,
 * except the content of doors/.
 */

#include <stdbool.h>
#include <stdint.h>

#define RUN_DIR "/run/narthex"

/* In private/: a mount of the container's network namespace, while it has interfaces of the host's
 * (Interface=); beside it lies what they were. */
#define STATE_NETNS "netns"

struct state {
	char *name;
	int lock_fd;	  /* holds the flock */
	int dir_fd;	  /* RUN_DIR/NAME */
	int private_fd;	  /* its private/ */
	bool is_leftover; /* when acquired, it was a crashed launcher's */
	bool is_unclean;  /* something on the host could not be removed: the next start, or
			   * --cleanup, is to try again */
};

#define STATE_NULL ((struct state){ .lock_fd = -EBADF, .dir_fd = -EBADF, .private_fd = -EBADF })

/*
 * Takes the container's lock and makes its directories. -EBUSY, logged with the owner's pid, when
 * another launcher holds it. What a crashed predecessor left is removed. Logs. 0 or -errno.
 */
int state_acquire(const char *name, struct state *ret);

/* Mounts the doors' tmpfs at doors/, its root owned by uid (the guest's root). Logs. */
int state_mount_doors(struct state *state, uint32_t uid);

/* Removes the list of sessions that a guest which is gone may have left among the doors. */
void state_forget_sessions(struct state *state);

/*
 * Shows the live root at root: a tree on disk by a link to where it is, path; an ephemeral one, a
 * detached mount (consumed), at private/root, nosuid and nodev. Logs. 0 or -errno.
 */
int state_link_root(struct state *state, const char *path);
int state_mount_root(struct state *state, int mount);

/* -EBUSY, logged, when another container runs in the tree that the link leads to: two systems would
 * write to the same files. Of two that start at once both may be refused. Logs. 0 or -errno. */
int state_check_root(const struct state *state, const char *path);

/* Whether there are interfaces of the host's to give back. */
bool state_has_interfaces(const struct state *state);

/* Notes the payload's cgroup (a path on the host), for the cleaning after a crash. Logs. */
int state_note_cgroup(struct state *state, const char *path);

/*
 * Removes everything: mounts, interface, cgroup, sockets, the directory; gives the lock up. Logs
 * what can't be removed and goes on. Safe on the null state.
 */
void state_release(struct state *state);
