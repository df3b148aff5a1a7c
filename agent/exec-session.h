/* SPDX-License-Identifier: MIT */
#pragma once

/* The exec door: from an accepted connection to the end of the command (docs/exec-protocol.md). */

#include "door.h"
#include "exec-user.h"

#include "store.h"

#include <sys/queue.h>

struct sessions;
struct exec_session;
LIST_HEAD(exec_session_list, exec_session);

struct exec_sessions {
	struct exec_session_list list;
	struct exec_request *request; /* made for the first session */
	struct exec_users users;
	int cgroup_fd; /* all of them are in one; negative: there is none */
};

#define EXEC_SESSIONS_NULL ((struct exec_sessions){ .cgroup_fd = -EBADF })

/* Needs sessions->cgroups. What it can't get it goes without. */
void exec_sessions_init(struct sessions *sessions);

/* Hangs all up but the detached ones, with a word to each client, and frees; or keeps:
 * sessions_done().
 */
void exec_sessions_done(struct sessions *sessions, bool keep);

/* Whether a client that has been let in has still to say what to run. Such a session can't be kept:
 * what it is to be isn't known. */
bool exec_sessions_wait(const struct sessions *sessions);

/* sessions_adopt() for this door. slot: consumed. fds: what is taken becomes negative. */
void exec_session_adopt(struct sessions *sessions, struct store_slot *slot,
	const struct store_record *record, int *fds, size_t n);

/* Ends the connection of a session that nobody can go on with. fd: consumed. */
void exec_session_end_stranger(int fd, const char *why);

/* Serves a connection; never fails to its caller. fd: consumed. */
void exec_session_start(struct sessions *sessions, const struct door *door, int fd);
