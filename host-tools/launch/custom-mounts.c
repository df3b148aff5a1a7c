/* SPDX-License-Identifier: MIT */

/*
 * What Bind=, TemporaryFileSystem=, Overlay= and Inaccessible= add, in the order of their targets:
 * a directory before what lies in it, whatever the order in the files is. The kinds are a table, so
 * that all of them go through one sort.
 */

#include "mounts.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum kind { KIND_BIND, KIND_TMPFS, KIND_OVERLAY, KIND_INACCESSIBLE };

struct custom_mount {
	const char *target;
	enum kind kind;
	size_t index;
};

/* "/a" before "/a/b" before "/a.b": by components. */
static int by_target(const void *a, const void *b)
{
	const char *p = ((const struct custom_mount *)a)->target;
	const char *q = ((const struct custom_mount *)b)->target;

	while (*p && *p == *q)
		p++, q++;
	if (*p == *q)
		return 0;
	if (*p == '\0' || *q == '\0')
		return *p == '\0' ? -1 : 1;
	if (*p == '/' || *q == '/')
		return *p == '/' ? -1 : 1;
	return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
}

/* A file or directory without any permission, owned by nobody the container knows. */
static int make_blank(const struct build *build, mode_t kind)
{
	const char *name = S_ISDIR(kind) ? "inaccessible-dir" : "inaccessible-file";
	_cleanup_close_ int fd = tree_mount_point(build->stage, name, kind);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	/* by the name: an O_PATH descriptor has no owner to change; nobody but us is on the stage
	 */
	if (fchownat(build->stage, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 ||
		fchmodat(build->stage, name, 0, 0) < 0)
		return -errno;
	return mnt_clone(fd, "", false);
}

int inaccessible_add(struct build *build, const char *path)
{
	_cleanup_close_ int target = open_inside(build, path), mount = -EBADF;
	struct stat st;
	int r;

	if (target < 0 || fstat(target, &st) < 0)
		return log_errno(target < 0 ? target : -errno,
			"cannot make '%s' inaccessible (Inaccessible=)", path);
	mount = make_blank(build, S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG);
	r = mount < 0 ? mount
		      : mnt_set(mount,
				MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC,
				false);
	if (r >= 0)
		r = mnt_attach(mount, target);
	return r < 0 ? log_errno(r, "cannot make '%s' inaccessible (Inaccessible=)", path) : 0;
}

static int apply(struct build *build, const struct custom_mount *mount)
{
	const struct container_config *config = &build->launch->config;

	switch (mount->kind) {
	case KIND_BIND:
		return bind_add(build, &config->binds[mount->index]);
	case KIND_TMPFS:
		return tmpfs_add(build, &config->tmpfs[mount->index]);
	case KIND_OVERLAY:
		return overlay_add(build, &config->overlays[mount->index]);
	case KIND_INACCESSIBLE:
		return inaccessible_add(build, mount->target);
	}
	return -EINVAL;
}

int custom_mounts_apply(struct build *build)
{
	const struct container_config *config = &build->launch->config;
	_cleanup_free_ struct custom_mount *mounts = NULL;
	size_t n = 0, n_inaccessible = 0;
	int r = 0;

	while (config->inaccessible && config->inaccessible[n_inaccessible])
		n_inaccessible++;
	mounts = calloc(config->n_binds + config->n_tmpfs + config->n_overlays + n_inaccessible + 1,
		sizeof(*mounts));
	if (!mounts)
		return log_errno(-ENOMEM, "cannot sort the mounts");
	for (size_t i = 0; i < config->n_binds; i++)
		mounts[n++] = (struct custom_mount){ config->binds[i].target, KIND_BIND, i };
	for (size_t i = 0; i < config->n_tmpfs; i++)
		mounts[n++] = (struct custom_mount){ config->tmpfs[i].target, KIND_TMPFS, i };
	for (size_t i = 0; i < config->n_overlays; i++)
		mounts[n++] = (struct custom_mount){ config->overlays[i].target, KIND_OVERLAY, i };
	for (size_t i = 0; i < n_inaccessible; i++)
		mounts[n++] =
			(struct custom_mount){ config->inaccessible[i], KIND_INACCESSIBLE, i };
	qsort(mounts, n, sizeof(*mounts), by_target);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = apply(build, &mounts[i]);
	return r;
}
