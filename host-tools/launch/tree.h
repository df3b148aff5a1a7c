/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Paths below a root that belongs to somebody hostile. Every walk is openat2(2) with
 * RESOLVE_IN_ROOT and no symbolic or magic links, so that a name means what it says or is refused
 * (-ELOOP for a link on the way). Paths start with "/" or not, it makes no difference. root: an
 * O_PATH descriptor, borrowed. Nothing here logs.
 */

#include <sys/types.h>

/* Opens a path, O_PATH; kind: S_IFDIR (-ENOTDIR), S_IFREG (-EINVAL) or 0 for anything. */
int tree_open(int root, const char *path, mode_t kind);

/* The same, but makes the missing directories with mode 0755. Never follows a link either. */
int tree_mkdir_p(int root, const char *path);

/* Opens, O_PATH, a path to mount something on: a directory, or a file; made when missing. */
int tree_mount_point(int root, const char *path, mode_t kind);

/* Makes a new file (O_EXCL, so never through anything that lies there) and writes text. 0 or
 * -errno. */
int tree_write(int root, const char *path, const char *text, mode_t mode);

/*
 * The path, as seen from the root, that path leads to when symbolic links are followed inside the
 * root (they can't leave it). For looking only, never for opening afterwards. *ret: caller frees.
 */
int tree_resolve(int root, const char *path, char **ret);
