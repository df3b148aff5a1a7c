/* SPDX-License-Identifier: MIT */
#pragma once

/* The guest's users, as its /etc/passwd and /etc/group have them, for the exec door. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct exec_user {
	char *name, *home, *shell;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* as initgroups(3) sets them, gid first */
	size_t n_groups;
	bool known; /* has an entry in passwd */
};

/* Remembers the last user found for as long as the files stay as they were. */
struct exec_users {
	const char *passwd, *group; /* files to read; NULL: those in /etc */
	struct stat passwd_stat, group_stat;
	char *asked;
	struct exec_user user;
};

/*
 * A user by name, or else by decimal uid; "" is root. A uid without an entry is a user with that
 * gid, home "/" and /bin/sh; root needs no entry. *ret: valid until the next call. 0; -ESRCH: there
 * is none; another -errno: it can't be told, since the files can't be read; for root that is errno
 * above 0, and it is the one without an entry, which isn't remembered.
 */
int exec_users_find(struct exec_users *users, const char *asked, const struct exec_user **ret);
void exec_users_done(struct exec_users *users);
