/* SPDX-License-Identifier: MIT */
#pragma once

/* What the two parts of an exec session share: exec-session.c, its life, and exec-start.c. */

#include "journal.h"
#include "leader.h"
#include "session.h"
#include "store.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum exec_state {
	EXEC_STATE_WAITS,
	EXEC_STATE_STARTING,
	EXEC_STATE_RUNS,
	EXEC_STATE_FAILED, /* the child has told so, and is to be reaped */
};

struct exec_session {
	LIST_ENTRY(exec_session) entry;
	struct sessions *all;
	struct journal_session record;
	uint64_t started; /* CLOCK_MONOTONIC, µs */
	struct store_slot *slot;
	enum exec_state state;
	bool tty, detached, pam;
	int socket; /* negative: the client is gone */
	int pidfd;  /* of the leader */
	int report; /* while STARTING */
	struct leader_watch leader;
	struct event socket_event, report_event, note_timer;
	int place; /* in the host's list of open sessions, once it has run for a while */
	char program[64];
	char user[SESSION_USER_SIZE];
};
