/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How much room a directory tree takes on its file system, as du(1) counts it: blocks, a file with
 * several names once. Symbolic links are not followed, other mounts not entered, nothing but
 * directories is opened.
 */

#include <stdint.h>

/*
 * dirfd: the tree, borrowed, may be O_PATH. Bytes in *ret. 0; -ETIME: it takes longer than
 * deadline_ms; -ELOOP: it is deeper than there are descriptors for; or -errno, such as -EACCES for
 * a directory that the caller may not read. What vanishes meanwhile is no error.
 */
int tree_size(int dirfd, unsigned deadline_ms, uint64_t *ret);
