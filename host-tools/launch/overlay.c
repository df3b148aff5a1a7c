/* SPDX-License-Identifier: MIT */

/*
 * Overlay= and OverlayReadOnly=.
 *
 * The kernel takes layers by their paths; what it gets are names of descriptors, opened before, so
 * that nobody exchanges anything between our look and its. Layers keep their owners: those of the
 * host's are nobody's in the container, as with Bind=; those of the container's own tree ("+") are
 * opened through its shifted mount; a temporary one belongs to the container's root.
 *
 * A layer to write to needs a directory on the same mount for what is half done. It is made beside
 * the layer, with a name that says whose it is: what a crash leaves is used again. On the host it
 * is removed at the end; one in the container's tree is left there, as everything in it is.
 */

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "mounts.h"
#include "outside.h"
#include "syscalls.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct layers {
	int fds[CONFIG_LAYERS_MAX]; /* lowest first */
	size_t n;
	int work; /* -EBADF for a read-only one */
};

static void layers_done(struct layers *layers)
{
	for (size_t i = 0; i < layers->n; i++)
		close_fdp(&layers->fds[i]);
	close_fdp(&layers->work);
}

/* The directory that holds a layer, wherever links led to it, on the same mount. */
static int open_parent(int layer)
{
	return sys_openat2(layer, "..", O_PATH | O_DIRECTORY, 0, RESOLVE_NO_XDEV);
}

/* ret_parent: for the directory that it lies in; may be NULL. */
static int open_layer(const struct build *build, const char *layer, int *ret_parent)
{
	_cleanup_close_ int fd =
		*layer == '+' ? open_inside(build, layer + 1)
			      : outside_open(&build->launch->config, build->wanted, layer);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (ret_parent) {
		*ret_parent = open_parent(fd);
		if (*ret_parent < 0)
			return *ret_parent;
	}
	return TAKE_FD(fd);
}

/* ".LAYER.narthex-NAME", beside the layer. */
static void work_name(char name[NAME_MAX + 1], const char *layer, const char *container)
{
	(void)snprintf(
		name, NAME_MAX + 1, ".%.170s.narthex-%s", strrchr(layer, '/') + 1, container);
}

static int make_work(const struct build *build, const char *layer, int parent)
{
	char name[NAME_MAX + 1];

	work_name(name, layer, build->launch->config.name);
	return tree_mkdir_p(parent, name);
}

static int open_temporary(struct build *build, struct layers *layers)
{
	_cleanup_close_ int directory = stage_directory(build);

	layers->work = directory < 0 ? directory : tree_mkdir_p(directory, "work");
	return layers->work < 0 ? layers->work : tree_mkdir_p(directory, "upper");
}

static int open_layers(
	struct build *build, const struct config_overlay *overlay, struct layers *layers)
{
	for (size_t i = 0; overlay->layers[i]; i++) {
		bool upper = !overlay->read_only && !overlay->layers[i + 1];
		const char *layer = overlay->layers[i];
		_cleanup_close_ int parent = -EBADF;
		int fd = *layer ? open_layer(build, layer, upper ? &parent : NULL)
				: open_temporary(build, layers);

		if (fd < 0)
			return log_errno(fd, "cannot open layer '%s' of the overlay on '%s'%s",
				layer, overlay->target,
				fd == -EXDEV ? ": it is a mount point, and the kernel needs a "
					       "directory beside it on the same mount"
					     : "");
		layers->fds[layers->n++] = fd;
		if (!upper || !*layer)
			continue;
		layers->work = make_work(build, layer, parent);
		if (layers->work < 0)
			return log_errno(layers->work,
				"cannot make a directory beside layer '%s' of the overlay on '%s'",
				layer, overlay->target);
	}
	return 0;
}

static void fd_path(char *path, size_t size, int fd)
{
	(void)snprintf(path, size, "/proc/self/fd/%d", fd);
}

static int mount_layers(const struct config_overlay *overlay, const struct layers *layers)
{
	size_t n_lower = layers->n - (overlay->read_only ? 0 : 1), len = 0;
	char lower[256] = "", upper[40], work[40], why[256];
	int mount;

	for (size_t i = n_lower; i-- > 0 && len < sizeof(lower);)
		len += (size_t)snprintf(lower + len, sizeof(lower) - len, "%s/proc/self/fd/%d",
			len > 0 ? ":" : "", layers->fds[i]);
	if (len >= sizeof(lower))
		return log_errno(-E2BIG, "too many layers on '%s'", overlay->target);
	fd_path(upper, sizeof(upper), layers->fds[layers->n - 1]);
	fd_path(work, sizeof(work), layers->work);
	mount = mnt_new("overlay",
		(const struct mnt_option[]){
			{ "source", "overlay" },
			{ "lowerdir", lower },
			{ overlay->read_only ? NULL : "upperdir", upper },
			{ "workdir", work },
			{},
		},
		MOUNT_ATTR_NODEV | (overlay->read_only ? MOUNT_ATTR_RDONLY : 0), why, sizeof(why));
	if (mount < 0)
		return log_errno(mount, "cannot make the overlay on '%s'%s%s", overlay->target,
			why[0] ? ": " : "", why);
	return mount;
}

int overlay_add(struct build *build, const struct config_overlay *overlay)
{
	struct layers layers = { .work = -EBADF };
	int r = open_layers(build, overlay, &layers);

	if (r >= 0)
		r = mount_layers(overlay, &layers);
	layers_done(&layers);
	return r < 0 ? r : mount_at(build, r, overlay->target, S_IFDIR);
}

void overlays_forget(const struct container_config *config)
{
	for (size_t i = 0; i < config->n_overlays; i++) {
		const char *layer = config_overlay_upper(&config->overlays[i]);
		_cleanup_close_ int fd = layer ? outside_open(config, NULL, layer) : -EBADF,
				    parent = fd < 0 ? -EBADF : open_parent(fd), work = -EBADF;
		char name[NAME_MAX + 1];

		if (parent < 0)
			continue;
		work_name(name, layer, config->name);
		work = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* the kernel's own names in it; what isn't empty is used again */
		(void)unlinkat(work, "work", AT_REMOVEDIR);
		(void)unlinkat(work, "index", AT_REMOVEDIR);
		(void)unlinkat(parent, name, AT_REMOVEDIR);
	}
}
