/* SPDX-License-Identifier: MIT */
#pragma once

/* Sessions: from an accepted connection to the end of what ran behind the door. */

#include "client.h"
#include "door.h"
#include "exec-session.h"
#include "hangup.h"
#include "journal.h"
#include "limits.h"
#include "session-cgroup.h"
#include "session-table.h"
#include "spawn.h"
#include "store.h"

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
	struct store store;
	struct journal journal;
	struct refused_clients refused;
	struct limits limits; /* limits.count: how many sessions there are */
	struct session_list list;
	struct exec_sessions exec;
	struct event flush;	    /* of the journal */
	struct event sweep;	    /* for cgroups that weren't empty when their session ended */
	bool crashed;		    /* agents, by what is taken over: it ends */
	const char *term;	    /* TERM of the doors with a terminal */
	void (*changed)(void *arg); /* after the number of sessions changed; may be NULL */
	void *arg;
};

/* max, max_per_uid: limits. term: borrowed. 0 or -errno. */
int sessions_init(struct sessions *sessions, struct event_base *base, size_t max,
	size_t max_per_uid, const char *term);

/*
 * Ends every session with a word to its client, or with keep leaves them to the next agent: after
 * that only the process' end is allowed. Safe after a failed sessions_init().
 */
void sessions_done(struct sessions *sessions, bool keep);

/*
 * Goes on with what an earlier agent kept in fd (consumed), whose name systemd tells. False:
 * nothing was in it. Never fails: a session that can't go on is ended with a word to its client.
 */
bool sessions_adopt(struct sessions *sessions, int fd, const char *name);

/* Looks for session cgroups that can be removed by now, in a while. */
void sessions_sweep_later(struct sessions *sessions);

/* The journal's entry of a session's end: of a short one in a moment, with others. */
void sessions_journal_closed(struct sessions *sessions, const struct journal_session *session);

/* CLOCK_MONOTONIC, µs. */
uint64_t session_clock_usec(void);

/* A number for a new session. */
uint64_t session_new_id(void);

/*
 * Serves a connection. Never fails to its caller: a client that can't be served is told so in one
 * line. fd: consumed.
 */
void session_start(struct sessions *sessions, const struct door *door, int fd);

/*
 * sessions_adopt() for the raw doors. slot: consumed. fds: what is taken becomes negative, the rest
 * stays the caller's.
 */
void session_adopt(struct sessions *sessions, struct store_slot *slot,
	const struct store_record *record, int *fds, size_t n);

/* Hangs it up, tells its client why, and frees it. */
void session_stop(struct session *session);
