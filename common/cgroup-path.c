/* SPDX-License-Identifier: MIT */
#include "cgroup-path.h"

#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

static int mount_point(const char **ret)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct statfs fs;

		if (statfs(places[i], &fs) < 0) {
			if (errno == ENOENT || errno == ENOTDIR)
				continue;
			return -errno;
		}
		if (fs.f_type == CGROUP2_SUPER_MAGIC) {
			*ret = places[i];
			return 0;
		}
	}
	return -ENODATA;
}

int cgroup_path_of(pid_t pid, char ret[PATH_MAX])
{
	_cleanup_free_ char *text = NULL;
	char file[64] = "/proc/self/cgroup", *line;
	const char *mount = NULL;
	ssize_t n;
	int r = mount_point(&mount);

	if (r < 0)
		return r;
	if (pid > 0)
		(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	n = file_read_all(AT_FDCWD, file, 0, 65536, &text);
	if (n < 0)
		return (int)n;
	/* "0::/path" (cgroups(7)); the line may be the first or follow those of v1 */
	line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
	if (!line)
		return -ENODATA;
	line += strcspn(line, "/");
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "/..", 3) == 0)
		return -ENODATA; /* outside of the cgroup namespace that we see */
	if (snprintf(ret, PATH_MAX, "%s%s", mount, line[1] ? line : "") >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}
