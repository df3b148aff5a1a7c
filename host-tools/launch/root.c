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
#include "volatile.h"

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

/*
 * ReadOnly=: what is mounted below the tree is read-only at once, the tree itself when all mount
 * points in it have been made. mount: consumed.
 */
static int close_submounts(const struct build *build, int mount)
{
	int r = 0;

	if (config_root_is_read_only(&build->launch->config)) {
		r = mnt_set(mount, MOUNT_ATTR_RDONLY, true);
		if (r >= 0)
			r = mnt_clear(mount, MOUNT_ATTR_RDONLY, false);
	}
	if (r >= 0)
		return mount;
	(void)close(mount);
	return log_errno(
		r, "cannot make what is mounted below '%s' read-only", build->launch->config.root);
}

/* The disk has to have the very ids that the container's are on the host. */
static int check_shifted(const struct build *build, int source)
{
	const struct launch *launch = build->launch;
	struct stat st;

	if (fstat(source, &st) < 0)
		return log_errno(-errno, "cannot examine root '%s'", launch->config.root);
	if (st.st_uid == launch->range.base)
		return 0;
	log_error("PrivateUsersOwnership=off: root '%s' belongs to user %u, and the container's "
		  "root is %u on this host: set PrivateUsers=%u, or remove "
		  "PrivateUsersOwnership=",
		launch->config.root, st.st_uid, launch->range.base, st.st_uid);
	return -EPERM;
}

/* A directory of the tree of Root=, detached, with its owners shifted. below: "." for the tree. */
static int clone_tree(const struct build *build, const char *below, bool recursive)
{
	const char *path = build->launch->config.root;
	_cleanup_close_ int source = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), mount = -EBADF,
			    part = source < 0 ? -errno : tree_open(source, below, S_IFDIR);
	int r;

	if (part < 0)
		return log_errno(part, "cannot open root '%s'%s%s", path, source < 0 ? "" : ", ",
			source < 0 ? "" : below);
	mount = mnt_clone(part, "", recursive);
	if (mount < 0)
		return log_errno(mount, "cannot clone the mount of '%s'", path);
	if (build->userns_fd < 0)
		return TAKE_FD(mount);
	if (build->launch->config.ownership == OWNERSHIP_OFF) {
		r = check_shifted(build, source);
		if (r < 0)
			return r;
	} else {
		r = mnt_idmap(mount, build->userns_fd, recursive);
		if (r < 0)
			return log_no_idmap(r, "root", path);
	}
	/* a tree may come from anywhere, with nodes in it; its root can't make any itself */
	r = mnt_set(mount, MOUNT_ATTR_NODEV, recursive);
	return r < 0 ? log_errno(r, "cannot close the devices in '%s'", path) : TAKE_FD(mount);
}

int root_clone_usr(const struct build *build)
{
	return clone_tree(build, "usr", true);
}

int owned_tmpfs(
	const struct build *build, const char *source, const char *size, uint64_t attributes)
{
	char owner[16], why[256];
	int mount;

	(void)snprintf(owner, sizeof(owner), "%u", build->launch->range.base);
	mount = mnt_new("tmpfs",
		(const struct mnt_option[]){
			{ "source", source },
			{ "mode", "0755" },
			{ "uid", owner },
			{ "gid", owner },
			{ size ? "size" : NULL, size },
			{},
		},
		attributes, why, sizeof(why));
	if (mount < 0)
		return log_errno(mount, "cannot make a tmpfs%s%s", why[0] ? ": " : "", why);
	return mount;
}

static int stage_tmpfs(const struct build *build, char *path, size_t size)
{
	_cleanup_close_ int mount = owned_tmpfs(build, "narthex-root", NULL, 0), target = -EBADF;
	int r;

	if (mount < 0)
		return mount;
	(void)snprintf(path, size, RUN_DIR "/%s/private/staging", build->launch->config.name);
	target = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = target < 0 ? -errno : mnt_attach(mount, target);
	return r < 0 ? log_errno(r, "cannot mount '%s'", path) : 0;
}

static int overlay(struct build *build, const char *staging, int stage)
{
	char lower[PATH_MAX + 16], upper[PATH_MAX + 16], work[PATH_MAX + 16], why[256];
	_cleanup_close_ int tree = clone_tree(build, ".", false), target = -EBADF;
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
	const struct container_config *config = &build->launch->config;

	if (!config_root_is_temporary(config)) {
		int mount = clone_tree(build, ".", true);

		return mount < 0 ? mount : close_submounts(build, mount);
	}
	if (build->launch->boots > 1)
		return clone_live_root(build);
	if (config->volatile_mode == VOLATILE_YES)
		return volatile_root(build);
	return overlay(build, staging, stage);
}

int stage_directory(struct build *build)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "temporary/%u", build->n_staged++);
	return tree_mkdir_p(build->stage, name);
}

/* Attaches a mount (consumed) to a directory of the stage, and opens what is there then. */
static int put_on_stage(const struct build *build, int mount_consumed, const char *name)
{
	_cleanup_close_ int mount = mount_consumed, target = tree_mkdir_p(build->stage, name);
	int r = target < 0 ? target : mnt_attach(mount, target);

	return r < 0 ? r : tree_open(build->stage, name, S_IFDIR);
}

/* Through links that stay inside. */
static int open_below(int root, const char *path)
{
	_cleanup_free_ char *real = NULL;
	int r = tree_resolve(root, path, &real);

	/* without links from here on: whoever exchanges something meanwhile gets an error */
	return r < 0 ? r : tree_open(root, real, 0);
}

int open_inside(const struct build *build, const char *path)
{
	return open_below(build->root, path);
}

/*
 * PivotRoot=: a directory in the tree is the container's root. It is opened once the tree is
 * mounted, and cloned, so no path of the guest's is ever looked at by the host again.
 */
static int pivot(struct build *build)
{
	const struct container_config *config = &build->launch->config;
	_cleanup_close_ int target = -EBADF, old = -EBADF, mount = -EBADF;
	int r;

	build->whole = TAKE_FD(build->root);
	target = open_below(build->whole, config->pivot_root);
	mount = target < 0 ? target : mnt_clone(target, "", true);
	if (mount < 0)
		return log_errno(mount, "cannot use PivotRoot=%s in root '%s'", config->pivot_root,
			config->root);
	build->root = put_on_stage(build, TAKE_FD(mount), "root");
	if (build->root < 0)
		return log_errno(build->root, "cannot mount PivotRoot=%s", config->pivot_root);
	if (!config->pivot_root_old)
		return 0;
	old = mnt_clone(build->whole, "", true);
	r = old < 0 ? old : 0;
	if (r >= 0 && config_root_is_read_only(config))
		r = mnt_set(old, MOUNT_ATTR_RDONLY, true);
	if (r < 0)
		return log_errno(r, "cannot clone the root '%s'", config->root);
	return mount_at(build, TAKE_FD(old), config->pivot_root_old, S_IFDIR);
}

int root_mount(struct build *build)
{
	const struct container_config *config = &build->launch->config;
	char staging[PATH_MAX];
	_cleanup_close_ int mount = -EBADF;
	int r = stage_tmpfs(build, staging, sizeof(staging));

	if (r < 0)
		return r;
	build->stage = open(staging, O_PATH | O_DIRECTORY | O_CLOEXEC);
	build->empty_fd = build->stage < 0 ? -errno : tree_mkdir_p(build->stage, "empty");
	if (build->empty_fd < 0)
		return log_errno(build->empty_fd, "cannot make '%s/empty'", staging);
	mount = make_root(build, staging, build->stage);
	if (mount < 0)
		return mount;
	build->root = put_on_stage(build, TAKE_FD(mount), config->pivot_root ? "whole" : "root");
	if (build->root < 0)
		return log_errno(build->root, "cannot mount the root '%s'", config->root);
	if (config->pivot_root)
		r = pivot(build);
	return r < 0 ? r : volatile_fill(build);
}

int root_finish(const struct build *build)
{
	const struct container_config *config = &build->launch->config;
	int r;

	if (!config_root_is_read_only(config))
		return 0;
	r = mnt_set(build->root, MOUNT_ATTR_RDONLY, false);
	return r < 0 ? log_errno(r, "cannot make the root '%s' read-only", config->root) : 0;
}
