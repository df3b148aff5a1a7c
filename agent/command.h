/* SPDX-License-Identifier: MIT */
#pragma once

/* What runs behind a door. */

#include "door.h"

struct command {
	char *path;
	char *argv[8]; /* NULL-terminated */
	char **environment;
	char *cwd;
	const char *program; /* for people: points into path or argv */
	bool fallback;	     /* root's own shell can't be executed, this is /bin/sh */
	int unread;	     /* -errno of an /etc/passwd that can't be read, or 0 */
};

/*
 * Finds the program of a door in this guest. term: TERM, terminal: "pts/3", for the
 * doors that have one. 0; -ENOENT:
 * the guest has no login program; -ENOEXEC: no shell; or -errno.
 */
int command_find(
	const struct door *door, const char *term, const char *terminal, struct command *ret);

/* Frees what command owns. */
void command_done(struct command *command);
