/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tree of a container that is being created: CONTAINERS_DIR/.create-NAME, locked, until it gets
 * its name. All functions log.
 */

#include <stdbool.h>

struct new_tree {
	const char *name;
	int parent_fd; /* CONTAINERS_DIR */
	int fd;	       /* the tree; negative: there is none */
	char temporary[80];
	bool published;
};

#define NEW_TREE_NULL ((struct new_tree){ .parent_fd = -EBADF, .fd = -EBADF })

/*
 * Makes the empty tree; what an earlier create of that name left, killed, is removed. -EEXIST:
 * there is a tree of that name; -EBUSY: another create is at it. name: by reference.
 */
int new_tree_begin(const char *name, struct new_tree *ret);

/* Fills it from a tar archive, compressed in any way. */
int new_tree_unpack(struct new_tree *tree, const char *archive);

/* Fills it with a Debian system by mmdebstrap or debootstrap. mirror: NULL for theirs. */
int new_tree_bootstrap(struct new_tree *tree, const char *suite, const char *mirror);

/* Gives it its name. */
int new_tree_publish(struct new_tree *tree);

/* Removes it, whatever has become of it, unless kept. Any state but garbage is fine. */
void new_tree_end(struct new_tree *tree, bool keep);
