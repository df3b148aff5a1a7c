/* SPDX-License-Identifier: MIT */
#pragma once

/* Sessions: from an accepted connection to the end of what ran behind the door. */

#include "door.h"
#include "exec-session.h"
#include "hangup.h"
#include "journal.h"
#include "limits.h"
#include "session-cgroup.h"
#include "session-table.h"
#include "spawn.h"

#include <sys/queue.h>

struct session;
LIST_HEAD(session_list, session);

/* What all sessions share. */
struct sessions {
	struct event_base *base;
	struct spawner spawner;
	struct hangups hangups;
	struct session_cgroups cgroups;
	struct session_table table;
	struct journal journal;
	struct limits limits; /* limits.count: how many sessions there are */
	struct session_list list;
	struct exec_sessions exec;
	struct event sweep;	    /* for cgroups that weren't empty when their session ended */
	const char *term;	    /* TERM of the doors with a terminal */
	void (*changed)(void *arg); /* after the number of sessions changed; may be NULL */
	void *arg;
};

/* max, max_per_uid: limits. term: borrowed. 0 or -errno. */
int sessions_init(struct sessions *sessions, struct event_base *base, size_t max,
	size_t max_per_uid, const char *term);

/* Hangs every session up and frees all. Safe after a failed sessions_init(). */
void sessions_done(struct sessions *sessions);

/* CLOCK_MONOTONIC, µs. */
uint64_t session_clock_usec(void);

/* A number for a new session. */
uint64_t session_new_id(void);

/*
 * Ends a connection so that the client reads all that was sent and then end of file. Unread input
 * must go first: closing with it would turn the client's end of file into ECONNRESET. fd: consumed.
 */
void session_socket_finish(int fd);

/*
 * Serves a connection. Never fails to its caller: a client that can't be served is told so in one
 * line. fd: consumed.
 */
void session_start(struct sessions *sessions, const struct door *door, int fd);
