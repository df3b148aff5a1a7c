/* SPDX-License-Identifier: MIT */
#pragma once

/* How many sessions there may be, in all and for one peer uid. */

#include <stdbool.h>
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
 * How many of max a door has. A quarter is kept for root's doors: whoever may knock at the one that
 * is open to anybody can't lock root out. In a guest with a user namespace all users of the host,
 * its root too, are one uid.
 */
size_t limits_share(size_t max, bool anybody);

/*
 * Takes a place for a session of uid at a door that anybody may knock at, or one of root's. 0;
 * -EUSERS: all places are taken; -EDQUOT: all that one uid may have are; -ENOMEM.
 */
int limits_take(struct limits *limits, uid_t uid, bool anybody);

/* Gives back what limits_take(uid) took. */
void limits_release(struct limits *limits, uid_t uid);

void limits_done(struct limits *limits);
