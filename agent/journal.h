/* SPDX-License-Identifier: MIT */
#pragma once

/* The entries that a session leaves in the journal, at its start and at its end. */

#include "door.h"

#include <stdbool.h>
#include <stdint.h>

/* Documented in narthex-agent(8); never to be changed. */
#define JOURNAL_SESSION_OPENED "6b6f2b1f4c2f4f0ab27b7a1c4fe0d38a"
#define JOURNAL_SESSION_CLOSED "e1c7f9d05ac34a0b9d1f2d6a8f4c7b52"

#define JOURNAL_LATER_MAX 32768

struct journal {
	int fd; /* of a datagram socket; negative: no journald, stderr takes the messages */
	unsigned long lost;
	size_t later_len;
	char later[JOURNAL_LATER_MAX]; /* entries to be sent: each a uint16_t length and the text */
};

#define JOURNAL_NULL ((struct journal){ .fd = -EBADF })

struct journal_session {
	const struct door *door;
	uint64_t id;
	uid_t peer_uid;
	pid_t peer_pid;
	pid_t leader;
	const char *program;
	int status; /* as from leader_status() */
	uint64_t duration_usec;
};

/* Without journald it succeeds all the same. 0 or -errno. */
int journal_open(struct journal *journal);
/* Sends what was to be sent later, too. */
void journal_close(struct journal *journal);

/* Neither blocks: with a journald that doesn't read, the entry goes to stderr as one line. */
void journal_session_opened(struct journal *journal, const struct journal_session *session);
void journal_session_closed(struct journal *journal, const struct journal_session *session);

/*
 * The same, but sent by journal_flush() only: journald is woken once for many short sessions, and
 * not while a client is on its way out. When there are too many the entry is sent at once.
 */
void journal_session_closed_later(struct journal *journal, const struct journal_session *session);

/* False: journald's queue is full, the rest is to be flushed in a while. */
bool journal_flush(struct journal *journal);
