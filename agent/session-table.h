/* SPDX-License-Identifier: MIT */
#pragma once

/* The list of open sessions that the host can read (common/session-record.h). */

#include "session-record.h"

#include <stdint.h>

struct session_table {
	int fd; /* negative: nobody has asked for a list */
	uint8_t used[SESSION_RECORDS_MAX / 8];
};

#define SESSION_TABLE_NULL ((struct session_table){ .fd = -EBADF })

/* Starts an empty list in dir. 0; -ENOENT: there is no such directory; or -errno. */
int session_table_open(struct session_table *table, const char *dir);

/* Leaves an empty list. */
void session_table_close(struct session_table *table);

/*
 * Adds a session. user: "" when it isn't known. started: as session_clock_usec() had it. Returns
 * its place for session_table_remove(), negative when there is no list or no room: the session goes
 * without. Doesn't block.
 */
int session_table_add(
	struct session_table *table, const char *door, const char *user, uint64_t started);

/* *place: what session_table_add() returned; becomes negative. */
void session_table_remove(struct session_table *table, int *place);
