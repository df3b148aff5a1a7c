/* SPDX-License-Identifier: MIT */
#pragma once

/* Counts crashes over the agents that have them, so that sessions that crash each agent end. */

#include <stdbool.h>

/* So many in a row, each agent younger than ten seconds, are too many. */
#define CRASHES_MAX 10

/* Whether a descriptor that systemd passed is the count, by its name. */
bool crashes_is_count(const char *name);

/* Takes the count over that an earlier agent has begun. fd: consumed. */
void crashes_take(int fd);

/*
 * From now on a crash of this agent is counted. Without systemd, which keeps the count, nothing is:
 * an agent's sessions end with it then.
 */
void crashes_start(void);

/* This agent can't go on, and will end: that counts as a crash. */
void crashes_note(void);

/* Whether there were too many. Asked once: it begins anew then. */
bool crashes_too_many(void);
