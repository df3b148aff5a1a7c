/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Removes a directory tree, whatever is in it: any names, any depth (neither the stack nor the
 * number of descriptors grows with it), immutable files. Symbolic links are removed, not followed,
 * and no other mount is entered. Nothing here logs.
 */

#include <stdint.h>

struct tree_removal {
	/* called now and then with the number of files removed so far; may be NULL */
	void (*progress)(void *userdata, uint64_t removed);
	void *userdata;
	uint64_t removed; /* files and directories that are gone */
	char failed[512]; /* where it failed first, relative to the tree, as well as it is known */
};

/*
 * Removes parent_fd/name, a directory. Goes on after an error and removes what it can. 0 or the
 * first -errno; -EBUSY: something is mounted at removal->failed. parent_fd: borrowed.
 * removal: zeroed but for progress and userdata.
 */
int tree_remove(int parent_fd, const char *name, struct tree_removal *removal);

/*
 * Whether something is mounted on path or below: 1 and its mount point in *ret (caller frees), 0,
 * or -errno. path: absolute, without links.
 */
int tree_find_mount(const char *path, char **ret);
