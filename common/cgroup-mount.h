/* SPDX-License-Identifier: MIT */
#pragma once

/* Where cgroup v2 is mounted, alone or, in systemd's hybrid layout, beside v1; NULL: nowhere. */
const char *cgroup_mount_point(void);
