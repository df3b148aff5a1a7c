/* SPDX-License-Identifier: MIT */

/*
 * The root, on a tmpfs that only the builder's mount namespace has, at private/staging: root/ is
 * where the container's tree grows, empty/ what covers a directory; an ephemeral one is an overlay
 * of lower/ (the tree on disk) and rw/, which dies with the namespace.
 *
 * With a user namespace the tree on disk keeps its owners (0 is 0) and the mount shifts them: the
 * guest's root owns what the disk says root owns, and is nobody on the host. An overlay can't be
 * shifted itself, but its lower layer can.
 */

#include "mounts.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int log_no_idmap(int r, const char *what, const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	char type[64];

	if (r == -EINVAL || r == -EOPNOTSUPP) {
		log_error("%s '%s' can't be used with a user namespace: its file system (%s), or "
			  "one mounted "
			  "below it, has no idmapped mounts in this kernel; put it on ext4, xfs or "
			  "btrfs, or set "
			  "PrivateUsers=no (and trust the container)",
			what, path, mnt_fs_name(fd, type, sizeof(type)));
		return r;
	}
	return log_errno(r, "cannot shift the owners of '%s'", path);
}

/* The tree of Root=, detached, with its owners shifted. */
static int clone_tree(const struct build *build, bool recursive)
{
	const char *path = build->launch->config.root;
	_cleanup_close_ int source = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), mount = -EBADF;
	int r;

	if (source < 0)
		return log_errno(-errno, "cannot open root '%s'", path);
	mount = mnt_clone(source, "", recursive);
	if (mount < 0)
		return log_errno(mount, "cannot clone the mount of '%s'", path);
	if (build->userns_fd >= 0) {
		r = mnt_idmap(mount, build->userns_fd, recursive);
		if (r < 0)
			return log_no_idmap(r, "root", path);
		/* a tree may come from anywhere, with nodes in it; its root can't make any itself
		 */
		r = mnt_set(mount, MOUNT_ATTR_NODEV, recursive);
		if (r < 0)
			return log_errno(r, "cannot close the devices in '%s'", path);
	}
	return TAKE_FD(mount);
}

static int stage_tmpfs(const struct build *build, char *path, size_t size)
{
	char owner[16], why[256];
	_cleanup_close_ int mount = -EBADF, target = -EBADF;
	int r;

	(void)snprintf(owner, sizeof(owner), "%u", build->launch->range.base);
	(void)snprintf(path, size, RUN_DIR "/%s/private/staging", build->launch->config.name);
	mount = mnt_new("tmpfs",
		(const struct mnt_option[]){
			{ "source", "narthex-root" },
			{ "mode", "0755" },
			{ "uid", owner },
			{ "gid", owner },
			{},
		},
		0, why, sizeof(why));
	if (mount < 0)
		return log_errno(mount, "cannot make a tmpfs%s%s", why[0] ? ": " : "", why);
	target = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = target < 0 ? -errno : mnt_attach(mount, target);
	return r < 0 ? log_errno(r, "cannot mount '%s'", path) : 0;
}

static int overlay(struct build *build, const char *staging, int stage)
{
	char lower[PATH_MAX + 16], upper[PATH_MAX + 16], work[PATH_MAX + 16], why[256];
	_cleanup_close_ int tree = clone_tree(build, false), target = -EBADF;
	int mount, r;

	if (tree < 0)
		return tree;
	(void)snprintf(lower, sizeof(lower), "%s/lower", staging);
	(void)snprintf(upper, sizeof(upper), "%s/rw/upper", staging);
	(void)snprintf(work, sizeof(work), "%s/rw/work", staging);
	target = tree_mkdir_p(stage, "lower");
	r = target < 0 ? target : mnt_attach(tree, target);
	if (r >= 0) {
		close_fdp(&target);
		target = tree_mkdir_p(stage, "rw/upper");
		close_fdp(&target);
		target = r = tree_mkdir_p(stage, "rw/work");
	}
	if (r < 0)
		return log_errno(
			r, "cannot prepare the overlay of '%s'", build->launch->config.root);
	mount = mnt_new("overlay",
		(const struct mnt_option[]){
			{ "source", "narthex-ephemeral" },
			{ "lowerdir", lower },
			{ "upperdir", upper },
			{ "workdir", work },
			{},
		},
		build->userns_fd >= 0 ? MOUNT_ATTR_NODEV : 0, why, sizeof(why));
	if (mount < 0)
		return log_errno(mount, "cannot make the overlay of '%s'%s%s",
			build->launch->config.root, why[0] ? ": " : "", why);
	return mount;
}

/* An ephemeral root lives until the container ends for good, so a reboot finds it as it was. */
static int clone_live_root(const struct build *build)
{
	char path[PATH_MAX];
	_cleanup_close_ int mount = -EBADF;
	int r;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/private/root", build->launch->config.name);
	mount = mnt_clone(AT_FDCWD, path, false);
	r = mount < 0 ? mount
		      : mnt_clear(mount,
				MOUNT_ATTR_NOSUID | (build->userns_fd >= 0 ? 0 : MOUNT_ATTR_NODEV),
				false);
	return r < 0 ? log_errno(r, "cannot clone '%s'", path) : TAKE_FD(mount);
}

static int make_root(struct build *build, const char *staging, int stage)
{
	if (!build->launch->config.ephemeral)
		return clone_tree(build, true);
	return build->launch->boots > 1 ? clone_live_root(build) : overlay(build, staging, stage);
}

int root_mount(struct build *build)
{
	char staging[PATH_MAX];
	_cleanup_close_ int stage = -EBADF, mount = -EBADF, target = -EBADF;
	int r = stage_tmpfs(build, staging, sizeof(staging));

	if (r < 0)
		return r;
	stage = open(staging, O_PATH | O_DIRECTORY | O_CLOEXEC);
	build->empty_fd = stage < 0 ? -errno : tree_mkdir_p(stage, "empty");
	target = build->empty_fd < 0 ? build->empty_fd : tree_mkdir_p(stage, "root");
	if (target < 0)
		return log_errno(target, "cannot make '%s/root'", staging);
	mount = make_root(build, staging, stage);
	if (mount < 0)
		return mount;
	r = mnt_attach(mount, target);
	if (r < 0)
		return log_errno(r, "cannot mount the root '%s'", build->launch->config.root);
	build->root = tree_open(stage, "root", S_IFDIR);
	return build->root < 0 ? log_errno(build->root, "cannot open '%s/root'", staging) : 0;
}
