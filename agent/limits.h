/* SPDX-License-Identifier: MIT */
#pragma once

/* How many sessions there may be, in all and for one peer uid. */

#include <stddef.h>
#include <sys/types.h>

struct limits {
	size_t max, max_per_uid; /* set by the owner */
	size_t count;
	struct limits_uid {
		uid_t uid;
		size_t count;
	} * uids; /* only those with sessions */
	size_t n_uids;
};

/*
 * Takes a place for a session of uid. 0; -EUSERS: all places are taken; -EDQUOT: all that one uid
 * may have are; -ENOMEM.
 */
int limits_take(struct limits *limits, uid_t uid);

/* Gives back what limits_take(uid) took. */
void limits_release(struct limits *limits, uid_t uid);

void limits_done(struct limits *limits);
