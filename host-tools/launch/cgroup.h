/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The payload's cgroup (v2). As a service (Delegate=yes) the launcher lives in supervisor/ and the
 * payload in payload/ of the unit's cgroup, so that controllers can be enabled for the payload; in
 * the foreground the payload gets narthex-NAME below the caller's own cgroup. Nothing is ever moved
 * by writing cgroup.procs (7 to 20 ms): processes are born where they belong.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup {
	int fd;	    /* the payload's directory; -EBADF: there is no cgroup v2 */
	char *path; /* its absolute path on the host */
};

#define CGROUP_NULL ((struct cgroup){ .fd = -EBADF })

/*
 * In a service: continues in a child that lives in supervisor/, tells systemd its new main process
 * and never returns in the parent. Elsewhere: does nothing. Call it before any state exists. Logs.
 */
int cgroup_enter_supervisor(bool service);

/*
 * Where the payload's cgroup is to be: ret->path, or NULL with a warning on a host without cgroup
 * v2. To be noted before it is made, so that a crash in between leaves nothing. Logs. 0 or -errno.
 */
int cgroup_find_payload(bool service, const char *name, struct cgroup *ret);

/*
 * Makes the one that was found, an empty one; kills what a predecessor left in it. uid: its owner
 * (the guest's root). fd stays -EBADF where there is none. Logs. 0 or -errno.
 */
int cgroup_make_payload(uint32_t uid, struct cgroup *cgroup);

/* Enables every controller of the unit's cgroup for its children; what fails is skipped. */
void cgroup_enable_controllers(const struct cgroup *cgroup);

/* Kills everything in it (cgroup.kill, Linux 5.14; else one by one). 0 or -errno. */
int cgroup_kill(const struct cgroup *cgroup);

/* Kills, waits for and removes it and all below; frees. Safe on the null state. */
void cgroup_destroy(struct cgroup *cgroup);

/* The same by path, for what a crashed launcher left. Quiet when it is gone. */
void cgroup_destroy_path(const char *path);
