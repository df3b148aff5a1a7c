/* SPDX-License-Identifier: MIT */
#pragma once

/* Whose a copy is, and what may be done with it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct copy_rules {
	bool archive, outwards;
	uid_t uid; /* without archive */
	gid_t gid;
	uint32_t from_base, to_base; /* by how much owners are shifted at each end */
};

struct copy_owner {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool archive;	   /* times, too */
	bool capabilities; /* security.capability, too */
	bool acls;	   /* ACLs have ids in them, right only where nothing is shifted */
};

/* What the copy of a file gets. */
struct copy_owner copy_owner(const struct copy_rules *rules, const struct stat *st);

/* Owner, extended attributes, mode and times of an open file or directory. 0 or -errno. */
int copy_metadata(int in, int out, const struct copy_owner *owner, const struct stat *st);

/*
 * Owner, and but for links mode, of an O_PATH descriptor; -EIO when it is no file of the kind of
 * st: it was exchanged.
 */
int copy_owner_only(int path_fd, const struct copy_owner *owner, const struct stat *st);
