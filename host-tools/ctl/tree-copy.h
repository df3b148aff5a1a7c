/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Copies files between a container's tree and the host, never outside of the tree that was opened,
 * whatever somebody exchanges in it meanwhile: each step is one name, by openat2(2), from a
 * directory that is open already; links are copied, never followed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One end: a directory that is open, and the name in it. */
struct copy_end {
	int dir_fd;	  /* the directory that has (or will have) the file; borrowed, not O_PATH */
	const char *name; /* one name, or "." for the directory itself */
	bool guest;	  /* in a container: no other mount is entered */
	uint32_t uid_base; /* how far owners are shifted there; 0: not */
};

struct tree_copy {
	/* owners, times, all permissions, capabilities, ACLs, devices and FIFOs, too */
	bool archive;
	uid_t uid; /* owner of the copies without archive, before a shift */
	gid_t gid;

	/* called now and then with the bytes so far; non-zero ends the copy and is returned */
	int (*progress)(void *userdata, uint64_t bytes);
	/* what could not be copied; the copy goes on. path: from the source's name on */
	void (*problem)(void *userdata, const char *path, int error, const char *what);
	void *userdata;
	uint64_t bytes;
};

/*
 * Copies from to to: a file replaces what is there, but no directory; a directory is merged with
 * one that is there. Out of a container, setuid and setgid are dropped whatever archive says. 0, or
 * the first -errno after all problems were reported. progress and problem: not NULL.
 */
int tree_copy(struct tree_copy *copy, const struct copy_end *from, const struct copy_end *to);
