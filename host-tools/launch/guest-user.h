/* SPDX-License-Identifier: MIT */
#pragma once

/* A user as the guest's own /etc/passwd and /etc/group have it. */

#include <stddef.h>
#include <stdio.h>
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
 * with nothing open that its files could lead to by a link. 0, -ENOENT when there is no such user,
 * or -errno. Who executes another program then needn't free it.
 */
int guest_user_find(const char *name, struct guest_user *ret);

/* The same in files of passwd(5) and group(5) (borrowed; group may be NULL). */
int guest_user_read(FILE *passwd, FILE *group, const char *name, struct guest_user *ret);

void guest_user_done(struct guest_user *user);
