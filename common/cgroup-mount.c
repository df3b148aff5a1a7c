/* SPDX-License-Identifier: MIT */
#include "cgroup-mount.h"

#include "cleanup.h"

#include <linux/magic.h>
#include <sys/vfs.h>

const char *cgroup_mount_point(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct statfs fs;

		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	}
	return NULL;
}
