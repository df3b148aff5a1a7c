/* SPDX-License-Identifier: MIT */
#pragma once

/* A user as the guest's own /etc/passwd and /etc/group have it. */

#include <stddef.h>
#include <sys/types.h>

struct guest_user {
	uid_t uid;
	gid_t gid;
	char *name, *home, *shell;
	gid_t *groups; /* the supplementary ones */
	size_t n_groups;
};

/*
 * Looks name, which may be a number, up in the caller's root. To be called inside the container,
 * with nothing open that its files could lead to by a link. Nothing is freed: the caller executes
 * another program. 0, -ENOENT when there is no such user, or -errno.
 */
int guest_user_find(const char *name, struct guest_user *ret);
