/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include "../config/reload-binds.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "mnt.h"
#include "outside.h"
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NIX_STATE_DIR "/nix/var/nix"

struct bind {
	const char *source, *target;
	uint64_t attributes;
	bool inside, recursive, optional;
	enum bind_ids ids;
};

/* One id of the source's, as which one of the container's shows. */
static int write_owner_map(pid_t pid, const char *file, uint32_t owner, uint32_t root)
{
	char path[64], line[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	(void)snprintf(line, sizeof(line), "%u %u 1\n", owner, root);
	return file_write_string(AT_FDCWD, path, line);
}

/*
 * A user namespace that maps the owner of the source to one of the container's users, as st_uid and
 * st_gid of inside say, and nobody else. It takes a process to have one made; it ends with the
 * builder at the latest, whose end of the pipe it waits for.
 */
static int make_owner_userns(const struct stat *st, const struct stat *inside)
{
	int fds[2], userns, r;
	char path[64], byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		(void)close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 0 ? 0 : 1);
	}
	r = pid < 0 ? -errno : 0;
	(void)close(fds[0]);
	if (r < 0) {
		(void)close(fds[1]);
		return r;
	}
	r = write_owner_map(pid, "uid_map", st->st_uid, inside->st_uid);
	if (r >= 0)
		r = write_owner_map(pid, "gid_map", st->st_gid, inside->st_gid);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	userns = r < 0 ? r : open(path, O_RDONLY | O_CLOEXEC);
	if (r >= 0 && userns < 0)
		userns = -errno;
	(void)close(fds[1]);
	(void)waitpid(pid, NULL, 0);
	return userns;
}

/*
 * As whom the source's owner is to show: the container's root, or who owns the target there, which
 * an idmapped root tells by the host's number. Logs.
 */
static int owner_inside(const struct build *build, const struct bind *bind, struct stat *ret)
{
	const struct uid_range *range = &build->launch->range;
	_cleanup_close_ int target = -EBADF;

	*ret = (struct stat){ .st_uid = range->base, .st_gid = range->base };
	if (bind->ids != BIND_IDS_OWNER)
		return 0;
	target = tree_open(build->root, bind->target, 0);
	if (target == -ENOENT)
		return 0; /* it is made, as the root's */
	if (target < 0 || fstat(target, ret) < 0)
		return log_errno(target < 0 ? target : -errno,
			"cannot examine '%s' in the container", bind->target);
	if (ret->st_uid - range->base < range->count && ret->st_gid - range->base < range->count)
		return 0;
	log_error("'%s' can't be bound with \"owneridmap\": nobody in the container owns '%s'",
		bind->source, bind->target);
	return -EPERM;
}

static int shift_owners(
	const struct build *build, const struct bind *bind, int mount, const struct stat *st)
{
	static const char *const options[] = { [BIND_IDS_SAME] = "idmap",
		[BIND_IDS_ROOT] = "rootidmap",
		[BIND_IDS_OWNER] = "owneridmap" };
	_cleanup_close_ int owner = -EBADF;
	const char *option = options[bind->ids];
	struct stat inside;
	char type[64];
	int r;

	if (bind->ids == BIND_IDS_HOST || build->userns_fd < 0)
		return 0;
	if (bind->ids != BIND_IDS_SAME) {
		r = owner_inside(build, bind, &inside);
		if (r < 0)
			return r;
		owner = make_owner_userns(st, &inside);
		if (owner < 0)
			return log_errno(
				owner, "cannot make a user namespace for '%s'", bind->source);
	}
	r = mnt_idmap(mount, owner >= 0 ? owner : build->userns_fd, bind->recursive);
	if (r == -EINVAL || r == -EOPNOTSUPP)
		log_error("'%s' can't be bound with \"%s\": its file system (%s)%s has no idmapped "
			  "mounts in this kernel; use \"noidmap\"%s",
			bind->source, option, mnt_fs_name(mount, type, sizeof(type)),
			bind->recursive ? ", or one mounted below it," : "",
			bind->recursive ? ", or \"norbind\" for what is mounted below" : "");
	else if (r == -EPERM)
		log_error("'%s' can't be bound with \"%s\": its mount%s is shifted already, or not "
			  "of this host's own making; use \"noidmap\"",
			bind->source, option, bind->recursive ? ", or one below it," : "");
	return r;
}

static int open_outside(const struct build *build, const char *path)
{
	return outside_open(&build->launch->config, build->wanted, path);
}

static int clone_source(const struct build *build, const struct bind *bind, mode_t *ret_kind)
{
	_cleanup_close_ int source = bind->inside ? open_inside(build, bind->source)
						  : open_outside(build, bind->source),
			    mount = -EBADF;
	struct stat st;
	int r;

	if (source < 0)
		return source;
	if (fstat(source, &st) < 0)
		return -errno;
	*ret_kind = S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG;
	mount = mnt_clone(source, "", bind->recursive);
	if (mount < 0)
		return mount;
	r = shift_owners(build, bind, mount, &st);
	if (r >= 0 && bind->attributes)
		r = mnt_set(mount, bind->attributes, bind->recursive);
	return r < 0 ? r : TAKE_FD(mount);
}

static int bind_one(struct build *build, const struct bind *bind)
{
	mode_t kind = 0;
	int mount = clone_source(build, bind, &kind);

	if (mount == -ENOENT && bind->optional)
		return 0;
	if (mount < 0)
		return log_errno(mount, "cannot bind '%s' to '%s' in the container", bind->source,
			bind->target);
	return mount_at(build, mount, bind->target, kind);
}

/*
 * A root without a user namespace could make a read-only mount of the host's files writable again;
 * an overlay without an upper layer has nothing to write to. (It wants two lower layers.)
 */
static int bundle_overlay(const struct launch *launch)
{
	char lower[256], why[256];
	int mount;

	if (snprintf(lower, sizeof(lower), "%s:" RUN_DIR "/%s/private/staging/empty",
		    launch->bundle, launch->config.name) >= (int)sizeof(lower) ||
		strchr(launch->bundle, ':') || strchr(launch->bundle, '\\')) {
		log_error("'%s' can't be shown in the container: the path is too long or has ':' "
			  "or '\\'",
			launch->bundle);
		return -EINVAL;
	}
	mount = mnt_new("overlay",
		(const struct mnt_option[]){
			{ "source", "narthex" },
			{ "lowerdir", lower },
			{},
		},
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, why, sizeof(why));
	if (mount < 0)
		return log_errno(mount, "cannot make the overlay of '%s'%s%s", launch->bundle,
			why[0] ? ": " : "", why);
	return mount;
}

/* The agent's directory at /run/host/narthex, and the doors' tmpfs in it. */
static int show_bundle(struct build *build)
{
	const struct launch *launch = build->launch;
	int r;

	if (launch->bundle && build->userns_fd < 0) {
		r = bundle_overlay(launch);
		r = r < 0 ? r : mount_at(build, r, "/run/host/narthex", S_IFDIR);
	} else if (launch->bundle) {
		r = bind_one(build, &(struct bind){
					    .source = launch->bundle,
					    .target = "/run/host/narthex",
					    .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
							  MOUNT_ATTR_NODEV,
				    });
	} else {
		r = 0;
	}
	if (r < 0)
		return r;
	return mount_at(build, TAKE_FD(build->doors_fd), "/run/host/narthex/doors", S_IFDIR);
}

static int show_notify(struct build *build)
{
	char path[PATH_MAX];

	(void)snprintf(
		path, sizeof(path), RUN_DIR "/%s/private/notify", build->launch->config.name);
	return bind_one(build, &(struct bind){ .source = path, .target = "/run/host/notify" });
}

static int make_host_directory(const char *path)
{
	_cleanup_close_ int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = host < 0 ? -errno : tree_mkdir_p(host, path);

	return fd < 0 ? fd : 0;
}

static const char *const nix_kinds[] = { "profiles", "gcroots" };

/*
 * What the guest's root makes in its directories is the host's root's, setuid files not excluded:
 * no other user of the host may come there.
 */
static int close_to_users(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return st.st_mode & 077 && chmod(path, st.st_mode & 0700) < 0 ? -errno : 0;
}

static void nix_path(char path[PATH_MAX], const char *name, const char *kind)
{
	(void)snprintf(path, PATH_MAX, NIX_STATE_DIR "/%s/per-container/%s", kind, name);
}

int nix_make_directories(const struct container_config *config)
{
	for (size_t i = 0; config->per_container_nix && i < ARRAY_SIZE(nix_kinds); i++) {
		char path[PATH_MAX];
		int r;

		nix_path(path, "", nix_kinds[i]);
		r = make_host_directory(path);
		if (r >= 0)
			r = close_to_users(path);
		nix_path(path, config->name, nix_kinds[i]);
		if (r >= 0)
			r = make_host_directory(path);
		if (r < 0)
			return log_errno(r, "cannot make '%s'", path);
	}
	return 0;
}

static int show_host_nix(struct build *build, const char *path, bool optional)
{
	return bind_one(build,
		&(struct bind){
			.source = path,
			.target = path,
			.recursive = true,
			.optional = optional,
			.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		});
}

/*
 * The host's store and what is known of it, which nothing inside may ever change; the daemon's
 * socket, which can be connected to all the same; and the container's own profiles.
 */
int nix_apply(struct build *build)
{
	const struct container_config *config = &build->launch->config;
	int r = 0;

	if (config->store)
		r = show_host_nix(build, config->store, false);
	if (r >= 0 && (config->per_container_nix || config->nix_daemon))
		r = show_host_nix(build, NIX_STATE_DIR "/db", true);
	if (r >= 0 && config->nix_daemon)
		r = show_host_nix(build, NIX_STATE_DIR "/daemon-socket", false);
	for (size_t i = 0; r >= 0 && config->per_container_nix && i < ARRAY_SIZE(nix_kinds); i++) {
		char source[PATH_MAX], target[PATH_MAX];

		nix_path(source, config->name, nix_kinds[i]);
		(void)snprintf(target, sizeof(target), NIX_STATE_DIR "/%s", nix_kinds[i]);
		r = bind_one(build, &(struct bind){
					    .source = source,
					    .target = target,
					    .ids = BIND_IDS_SAME,
					    .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				    });
	}
	return r;
}

int bundle_show(struct build *build)
{
	int r = show_bundle(build);

	return r < 0 ? r : show_notify(build);
}

/* A directory of the stage's, which ends with the container's mount namespace. */
static int bind_temporary(struct build *build, const struct config_bind *bind)
{
	_cleanup_close_ int directory = stage_directory(build), mount = -EBADF;
	int r;

	mount = directory < 0 ? directory : mnt_clone(directory, "", false);
	r = mount < 0 ? mount
		      : mnt_set(mount,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					(bind->read_only ? MOUNT_ATTR_RDONLY : 0),
				false);
	if (r < 0)
		return log_errno(r, "cannot make a temporary directory for '%s'", bind->target);
	return mount_at(build, TAKE_FD(mount), bind->target, S_IFDIR);
}

int bind_for_user(struct build *build, const char *source, const char *target,
	const struct stat *outside, const struct stat *inside)
{
	_cleanup_close_ int fd = open_outside(build, source), mount = -EBADF, owner = -EBADF;
	char type[64];
	int r;

	mount = fd < 0 ? fd : mnt_clone(fd, "", false);
	owner = mount < 0 ? mount : make_owner_userns(outside, inside);
	if (owner < 0)
		return log_errno(
			owner, "cannot bind '%s' to '%s' in the container", source, target);
	r = mnt_idmap(mount, owner, false);
	if (r < 0)
		return log_errno(r, "cannot shift the owners of '%s' on %s", source,
			mnt_fs_name(mount, type, sizeof(type)));
	r = mnt_set(mount, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
	if (r < 0)
		return log_errno(r, "cannot bind '%s' to '%s' in the container", source, target);
	return mount_at(build, TAKE_FD(mount), target, S_IFDIR);
}

static struct bind describe(const struct config_bind *bind)
{
	return (struct bind){
		.source = bind->source,
		.target = bind->target,
		.inside = bind->inside,
		.recursive = bind->recursive,
		.ids = bind->ids,
		.optional = bind->optional,
		.attributes = bind->read_only ? MOUNT_ATTR_RDONLY : 0,
	};
}

int bind_clone(const struct build *build, const struct config_bind *bind)
{
	struct bind b = describe(bind);
	mode_t kind;
	int mount = clone_source(build, &b, &kind);

	if (mount == -ENOENT && bind->optional)
		return mount;
	if (mount < 0)
		return log_errno(mount, "cannot bind '%s' to '%s' in the container", bind->source,
			bind->target);
	return mount;
}

/* What the leader gets when it has its own mount namespace (live-binds.c). */
static int bind_later(struct build *build, const struct config_bind *bind)
{
	int mount = bind_clone(build, bind);
	struct stat st;

	if (mount == -ENOENT && bind->optional)
		return 0;
	if (mount < 0)
		return mount;
	build->live_binds[bind - build->launch->config.binds] = mount;
	/* now, since the root may be read-only then; what is wrong with it is said then */
	if (fstat(mount, &st) == 0 && !bind_is_below_live(&build->launch->config, bind)) {
		_cleanup_close_ int target =
			tree_mount_point(build->root, bind->target, st.st_mode & S_IFMT);

		(void)target;
	}
	return 0;
}

int bind_add(struct build *build, const struct config_bind *bind)
{
	struct bind b = describe(bind);

	if (bind->temporary)
		return bind_temporary(build, bind);
	if (bind_is_live(&build->launch->config, bind))
		return bind_later(build, bind);
	return bind_one(build, &b);
}
