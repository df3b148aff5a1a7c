/* SPDX-License-Identifier: MIT */
#pragma once

/* The entries that a session leaves in the journal, at its start and at its end. */

#include "door.h"

#include <stdint.h>

/* Documented in narthex-agent(8); never to be changed. */
#define JOURNAL_SESSION_OPENED "6b6f2b1f4c2f4f0ab27b7a1c4fe0d38a"
#define JOURNAL_SESSION_CLOSED "e1c7f9d05ac34a0b9d1f2d6a8f4c7b52"

struct journal {
	int fd; /* of a datagram socket; negative: no journald, stderr takes the messages */
	unsigned long lost;
};

#define JOURNAL_NULL ((struct journal){ .fd = -EBADF })

struct journal_session {
	const struct door *door;
	uint64_t id;
	uid_t peer_uid;
	pid_t peer_pid;
	pid_t leader;
	const char *program;
	int status; /* as from wait(2) */
	uint64_t duration_usec;
};

/* Without journald it succeeds all the same. 0 or -errno. */
int journal_open(struct journal *journal);
void journal_close(struct journal *journal);

/* Neither blocks: with a journald that doesn't read, the entry goes to stderr as one line. */
void journal_session_opened(struct journal *journal, const struct journal_session *session);
void journal_session_closed(struct journal *journal, const struct journal_session *session);
