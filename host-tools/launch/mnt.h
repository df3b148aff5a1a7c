/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The mount API by descriptor (fsopen(2), fsmount(2), open_tree(2), move_mount(2),
 * mount_setattr(2); Linux 5.2, 5.12 for attributes). A "mount" here is a descriptor of a detached
 * mount: closing it unmounts it unless it was attached. Nothing here logs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

struct mnt_option {
	const char *key;
	const char *value; /* NULL: a flag */
};

/*
 * Makes a new file system instance. options ends with a NULL key. attributes: MOUNT_ATTR_*.
 * Returns the mount or -errno; on failure *why (size bytes) has the kernel's own words, or "".
 */
int mnt_new(const char *type, const struct mnt_option *options, uint64_t attributes, char *why,
	size_t size);

/* A detached copy of the tree at path (dirfd and path as for openat; "" for dirfd itself). */
int mnt_clone(int dirfd, const char *path, bool recursive);

/* Sets, or clears, MOUNT_ATTR_* on a mount, attached or not. */
int mnt_set(int mount, uint64_t attributes, bool recursive);
int mnt_clear(int mount, uint64_t attributes, bool recursive);

/*
 * Maps the owners of the files of a detached mount: what the disk has as N appears as the host's id
 * that userns_fd's N stands for. -EINVAL when a file system below doesn't support it.
 */
int mnt_idmap(int mount, int userns_fd, bool recursive);

/* Attaches a detached mount onto target (O_PATH, file or directory as the mount's root is). */
int mnt_attach(int mount, int target);

/* The name of the file system that fd is on, e.g. "ext4"; "unknown" when it isn't to be had. */
const char *mnt_fs_name(int fd, char *buffer, size_t size);
