/* SPDX-License-Identifier: MIT */
#pragma once

/* A cgroup a session, outside the agent's own, and the processes that a session left behind. */

#include <stdbool.h>
#include <sys/types.h>

struct session_cgroups {
	int fd; /* the cgroup of narthex-sessions.slice; negative: there is none */
};

#define SESSION_CGROUPS_NULL ((struct session_cgroups){ .fd = -EBADF })
#define SESSION_CGROUP_NAME_SIZE 32

/*
 * Finds narthex-sessions.slice beside the agent's own cgroup, in cgroup v2. 0; -ENOENT: there is
 * none, sessions do without; or -errno.
 */
int session_cgroups_open(struct session_cgroups *cgroups);
void session_cgroups_close(struct session_cgroups *cgroups);

/* Makes a cgroup. Returns an O_CLOEXEC descriptor for CLONE_INTO_CGROUP, or -errno. */
int session_cgroup_create(const struct session_cgroups *cgroups, const char *name);

/* The same for one of many sessions, which may be there already. */
int session_cgroup_share(const struct session_cgroups *cgroups, const char *name);

/* Removes a cgroup. True when it's gone; false: processes are left in it. */
bool session_cgroup_remove(const struct session_cgroups *cgroups, const char *name);

/* Removes every empty session cgroup. True when none is left. */
bool session_cgroups_sweep(const struct session_cgroups *cgroups);

/*
 * Hangs up (SIGHUP, and SIGCONT for who is stopped) every process of the session (setsid(2)) sid:
 * those of the cgroup, or with name NULL all that /proc shows. A daemon that has made its own
 * session is left alone, as at the end of any login. The caller has not reaped sid yet, so the
 * number means that session and no other.
 */
void session_cgroup_hang_up(const struct session_cgroups *cgroups, const char *name, pid_t sid);

/*
 * Ends whatever is in the sessions' cgroups, sessions of their own (setsid(2)) and daemons, too:
 * SIGTERM and SIGHUP, and SIGKILL for what is left after grace_ms. Blocks as long, and a moment
 * more. True when nothing is left.
 */
bool session_cgroups_end(const struct session_cgroups *cgroups, int grace_ms);
