/* SPDX-License-Identifier: MIT */
#pragma once

/* What the two parts of a session at a raw door share: session.c, its life, and session-start.c. */

#include "leader.h"
#include "pty.h"
#include "relay.h"
#include "session.h"

#include <stdbool.h>

struct session {
	LIST_ENTRY(session) entry;
	struct sessions *all;
	struct store_record record;
	struct store_slot *slot; /* NULL: it is not kept */
	int socket;
	int master, slave; /* doors with a pty only; the master is closed by a hangup */
	char terminal[PTY_NAME_SIZE];
	int pidfd;
	int place;     /* in the host's list of open sessions */
	bool exited;   /* the leader is reaped: its number may be another's */
	int status;    /* as from leader_status() */
	uint64_t gone; /* when the client was found gone */
	struct relay relay;
	struct hangup_watch watch;
	struct leader_watch leader;
	struct event hangup_timer;
};

/* Not in any list yet. fd: consumed, unless there is no memory: NULL. */
struct session *session_new(struct sessions *all, const struct door *door, int fd);

/* Closes what it has, and says nothing. */
void session_free(struct session *session);

/* The descriptors to keep, borrowed, of which the second is the pidfd. Returns how many. */
size_t session_to_keep(const struct session *session, int fds[STORE_FDS_MAX]);

/* Its leader runs: waits for the end of that, and of the client. 0 or -errno. */
int session_watch(struct session *session);

/* Into the lists of sessions, ours and the host's. */
void session_publish(struct session *session);

struct journal_session session_for_journal(const struct session *session);

void session_cgroup_name(const struct session *session, char name[SESSION_CGROUP_NAME_SIZE]);

/* If it has one, now or when it is empty. */
void session_remove_cgroup(struct session *session);
