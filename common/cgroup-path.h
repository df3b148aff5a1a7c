/* SPDX-License-Identifier: MIT */
#pragma once

#include <limits.h>
#include <sys/types.h>

/*
 * The directory of a process' cgroup v2 (0: the caller's), wherever that is mounted: alone or, in
 * systemd's hybrid layout, beside v1. 0; -ENODATA: there is no cgroup v2 here, or none in sight for
 * this process; or -errno.
 */
int cgroup_path_of(pid_t pid, char ret[PATH_MAX]);
