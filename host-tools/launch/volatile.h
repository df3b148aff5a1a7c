/* SPDX-License-Identifier: MIT */
#pragma once

/* Volatile=yes and Volatile=state: trees of which only a part is taken from the disk. */

#include "mounts.h"

/*
 * Volatile=yes: a detached tmpfs with the links of a merged /usr (/bin, /lib …), as the tree has
 * them. Logs.
 */
int volatile_root(struct build *build);

/* The tree's /usr, as a detached mount with its owners shifted (root.c). Logs. */
int root_clone_usr(const struct build *build);

/* Mounts what the root has for itself: the tree's /usr, or an empty /var; or nothing. Logs. */
int volatile_fill(struct build *build);
