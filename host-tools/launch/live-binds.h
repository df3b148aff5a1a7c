/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Binds that come and go while the guest runs (../reload-binds.h). A "mount" is a descriptor of a
 * mount, detached at first, which goes on leading to it when it has been attached. Where several
 * are given, -EBADF is skipped.
 */

#include "hand-over.h"
#include "mounts.h"

/* What the launcher keeps: one mount for each bind of its configuration, -EBADF for those that are
 * not live, or whose source is missing. */
struct live_binds {
	int *mounts;
	size_t n;
};

/* Makes it n binds without a mount. 0 or -ENOMEM. */
int live_binds_init(struct live_binds *binds, size_t n);

/* Closes all and leaves the null state. */
void live_binds_close(struct live_binds *binds);

/* The next launcher gets them. n: how many binds there are. */
void live_binds_hand_over(struct live_binds *binds, struct hand_over *h, size_t n);

/*
 * Locks the flags of detached mounts, so that the guest's root can't make a read-only one writable:
 * each is replaced by a copy. The caller has a mount namespace of its own, without propagation;
 * name is the container's. Logs. 0 or -errno.
 */
int live_binds_lock(const char *name, int *mounts, size_t n);

/* Enters the guest's mount namespace, whose root becomes the caller's. Logs. 0 or -errno. */
int live_binds_enter(int leader_fd);

/*
 * Both are for somebody in the guest's mount namespace, with the host's capabilities and the
 * guest's root's fsuid. Attaching goes by the binds' targets, parents first, and makes what is
 * missing of them. Logs. 0, or -errno with some attached: those that aren't are closed and -EBADF
 * then, so that what is left can be detached.
 */
int live_binds_attach(const struct config_bind *binds, int *mounts, size_t n);

/*
 * Unmounts exactly these, wherever the guest's root has moved them and whatever lies over them;
 * one that is gone is fine. fds_dir: the caller's own /proc/self/fd, since the guest's procfs
 * doesn't show it; it becomes the working directory. Logs. 0 or -errno.
 */
int live_binds_detach(const struct config_bind *binds, const int *mounts, size_t n, int fds_dir);
