/* SPDX-License-Identifier: MIT */
#pragma once

/* One session through the exec door, from the caller's descriptors to an exit status. */

#include "door-client.h"

#include <stdbool.h>
#include <stdint.h>

struct exec_request {
	struct door_place place;
	uint32_t flags;	       /* enum exec_flag; EXEC_TTY asks for a pty */
	const char *user;      /* NULL: root */
	const char *directory; /* NULL: see docs/exec-protocol.md */
	char *const *argv;     /* NULL-terminated, may be empty with EXEC_LOGIN or EXEC_SHELL */
	const char *record;    /* with EXEC_TTY: a new file for what is shown; NULL: none */
	char *const *env;      /* NULL-terminated, may be NULL; TERM is added for a pty */
};

/*
 * Runs it with the caller's stdin, stdout and stderr, forwards signals and the window's size, and
 * puts the terminal back. Logs. Returns the status to exit with: the command's, 128+N, or one of
 * our own.
 */
int exec_client(const struct exec_request *request);

/* Puts /dev/null where stdin, stdout or stderr are closed, so that no other descriptor gets there.
 */
int exec_hold_stdio(void);
