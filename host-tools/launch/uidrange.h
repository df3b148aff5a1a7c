/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The ids of a container's user namespace: a range of the host's uids and gids that nobody else
 * uses. Ranges are whole multiples of 65536; each that is in use has a locked file below
 * /run/narthex/.uid-ranges, named by its number in hex.
 */

#include "../config/config.h"

#include <stdint.h>

#define UID_RANGE_SIZE UINT32_C(0x10000)
/* systemd's container range, which distributions keep free (UIDS-GIDS.md: 524288…1879048191). */
#define UID_RANGE_MIN UINT32_C(0x00080000)
#define UID_RANGE_MAX UINT32_C(0x6fffffff)
/* PrivateUsers=BASE:COUNT locks every 65536 that it touches */
#define UID_RANGE_LOCKS_MAX 16

struct uid_range {
	uint32_t base; /* the host's id of the guest's 0; 0: no user namespace */
	uint32_t count;
	int lock_fds[UID_RANGE_LOCKS_MAX];
	uint32_t locked[UID_RANGE_LOCKS_MAX];
	unsigned int n_locks;
};

/*
 * Picks and locks a range: from the name's hash, the next one on a collision with another
 * container or with a line of /etc/subuid or /etc/subgid; or the fixed one of the configuration.
 * Logs. 0 or -errno. *ret is safe to release whatever is returned.
 */
int uid_range_acquire(const struct container_config *config, struct uid_range *ret);

void uid_range_release(struct uid_range *range);

/* Removes the files that a launcher of name left when it crashed; locked ones stay. */
void uid_range_forget(const char *name);
