/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which binds can come and go while the container runs.
 *
 * The kernel locks what is mounted when the guest's mount namespace is made: nobody can unmount it
 * singly any more. So these are mounted after that, and by descriptor, so that the launcher can
 * always unmount exactly them.
 */

#include "config.h"

/* More descriptors than that the launcher doesn't keep: of a container with more, none is live. */
#define LIVE_BINDS_MAX 128

/* Whether it is one of those in its configuration. */
bool bind_is_live(const struct container_config *config, const struct config_bind *bind);

/* Whether nothing but live binds is mounted at target or below. */
bool bind_place_is_free(const struct container_config *config, const char *target);

/* Whether its target is in the directory that a live one shows. */
bool bind_is_below_live(const struct container_config *config, const struct config_bind *bind);

/* Whether two of them make the same mount at the same place. */
bool bind_is_same(const struct config_bind *a, const struct config_bind *b);

/*
 * Which of the binds after a reload are there already: for each of wanted the index of the one in
 * running, or -1 for one that has to be mounted. One that is there but lies below a place where
 * something is mounted or unmounted is mounted again; one whose source was missing is mounted when
 * it is optional no more. mounts (running->n_binds): the descriptors of the live ones, negative
 * where nothing is mounted. *ret (wanted->n_binds): caller frees. 0 or -ENOMEM.
 */
int binds_match(const struct container_config *running, const struct container_config *wanted,
	const int *mounts, int **ret);
