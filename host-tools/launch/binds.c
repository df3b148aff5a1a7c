/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define NIX_STATE_DIR "/nix/var/nix"

struct bind {
	const char *source, *target;
	uint64_t attributes;
	bool recursive, idmap, optional;
};

static int clone_source(const struct build *build, const struct bind *bind, mode_t *ret_kind)
{
	_cleanup_close_ int source = open(bind->source, O_PATH | O_CLOEXEC), mount = -EBADF;
	struct stat st;
	char type[64];
	int r;

	if (source < 0 || fstat(source, &st) < 0)
		return -errno;
	*ret_kind = S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG;
	mount = mnt_clone(source, "", bind->recursive);
	if (mount < 0)
		return mount;
	if (bind->idmap && build->userns_fd >= 0) {
		r = mnt_idmap(mount, build->userns_fd, bind->recursive);
		if (r == -EINVAL || r == -EOPNOTSUPP)
			log_error("'%s' can't be bound with \"idmap\": its file system (%s) has no "
				  "idmapped "
				  "mounts in this kernel; use \"noidmap\"",
				bind->source, mnt_fs_name(source, type, sizeof(type)));
		if (r < 0)
			return r;
	}
	r = bind->attributes ? mnt_set(mount, bind->attributes, bind->recursive) : 0;
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

static void nix_path(char path[PATH_MAX], const struct container_config *config, const char *kind)
{
	(void)snprintf(path, PATH_MAX, NIX_STATE_DIR "/%s/per-container/%s", kind, config->name);
}

int nix_make_directories(const struct container_config *config)
{
	for (size_t i = 0; config->per_container_nix && i < ARRAY_SIZE(nix_kinds); i++) {
		char path[PATH_MAX];
		int r;

		nix_path(path, config, nix_kinds[i]);
		r = make_host_directory(path);
		if (r < 0)
			return log_errno(r, "cannot make '%s'", path);
	}
	return 0;
}

/* The host's store, which nothing inside may ever change, and the container's own profiles. */
int nix_apply(struct build *build)
{
	const struct container_config *config = &build->launch->config;
	int r = 0;

	if (config->store)
		r = bind_one(build, &(struct bind){
					    .source = config->store,
					    .target = config->store,
					    .recursive = true,
					    .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
							  MOUNT_ATTR_NODEV,
				    });
	for (size_t i = 0; r >= 0 && config->per_container_nix && i < ARRAY_SIZE(nix_kinds); i++) {
		char source[PATH_MAX], target[PATH_MAX];

		nix_path(source, config, nix_kinds[i]);
		(void)snprintf(target, sizeof(target), NIX_STATE_DIR "/%s", nix_kinds[i]);
		r = bind_one(build, &(struct bind){
					    .source = source,
					    .target = target,
					    .idmap = true,
					    .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				    });
	}
	return r;
}

int binds_apply(struct build *build)
{
	const struct container_config *config = &build->launch->config;
	int r = show_bundle(build);

	if (r >= 0)
		r = show_notify(build);
	for (size_t i = 0; r >= 0 && i < config->n_tmpfs; i++)
		r = tmpfs_add(build, &config->tmpfs[i]);
	for (size_t i = 0; r >= 0 && i < config->n_binds; i++) {
		const struct config_bind *b = &config->binds[i];

		r = bind_one(build, &(struct bind){
					    .source = b->source,
					    .target = b->target,
					    .recursive = b->recursive,
					    .idmap = b->idmap,
					    .optional = b->optional,
					    .attributes = b->read_only ? MOUNT_ATTR_RDONLY : 0,
				    });
	}
	return r;
}
