/* SPDX-License-Identifier: MIT */
#pragma once

/* Where a keeper lives, and what it may do there. */

#include <sys/types.h>

/*
 * Moves this process to the cgroup of a container's launcher: its unit's, or that of whoever runs
 * it in the foreground. So it neither ends with the caller's login nor outlives the container. 0 or
 * -errno.
 */
int place_join(pid_t launcher);

/*
 * From here on this process reads, writes, accepts and unlinks files of dir (borrowed), which is
 * its root directory then, and nothing else. 0 or -errno.
 */
int place_confine(int dir);
