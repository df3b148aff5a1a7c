/* SPDX-License-Identifier: MIT */

#include "volatile.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* As much as nspawn lets one have, of the host's memory. */
#define ROOT_SIZE "10%"
#define VAR_SIZE "10%"

/* The directories that are links into /usr where it is merged (file-hierarchy(7)). */
static const char *const merged[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32" };

/* Copies a link as it is: what it says holds inside the root. */
static int copy_link(int tree, int root, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(tree, name, target, sizeof(target) - 1);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0 && errno == EINVAL)
		return -EISDIR;
	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, root, name) < 0 ? -errno : 0;
}

int volatile_root(struct build *build)
{
	const char *path = build->launch->config.root;
	_cleanup_close_ int tree = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), mount = -EBADF;

	if (tree < 0)
		return log_errno(-errno, "cannot open root '%s'", path);
	mount = owned_tmpfs(
		build, "narthex-volatile", ROOT_SIZE, build->userns_fd >= 0 ? MOUNT_ATTR_NODEV : 0);
	if (mount < 0)
		return mount;
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
		int r = copy_link(tree, mount, merged[i]);

		if (r == -EISDIR) {
			log_error("Volatile=yes: /%s of root '%s' is no link into /usr, so nothing "
				  "would be left of it: use Volatile=overlay",
				merged[i], path);
			return -EINVAL;
		}
		if (r < 0)
			return log_errno(
				r, "cannot copy the link /%s of root '%s'", merged[i], path);
	}
	return TAKE_FD(mount);
}

static int show_usr(struct build *build)
{
	_cleanup_close_ int mount = root_clone_usr(build);
	int r;

	if (mount < 0)
		return mount;
	r = mnt_set(mount, MOUNT_ATTR_RDONLY, true);
	if (r < 0)
		return log_errno(r, "cannot make /usr read-only");
	return mount_at(build, TAKE_FD(mount), "/usr", S_IFDIR);
}

int volatile_fill(struct build *build)
{
	int mount;

	switch (build->launch->config.volatile_mode) {
	case VOLATILE_YES:
		return show_usr(build);
	case VOLATILE_STATE:
		mount = owned_tmpfs(
			build, "narthex-volatile", VAR_SIZE, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
		return mount < 0 ? mount : mount_at(build, mount, "/var", S_IFDIR);
	default:
		return 0;
	}
}
