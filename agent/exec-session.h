/* SPDX-License-Identifier: MIT */
#pragma once

/* The exec door: from an accepted connection to the end of the command (docs/exec-protocol.md). */

#include "door.h"
#include "exec-user.h"

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

/* Hangs all up but the detached ones, and frees. */
void exec_sessions_done(struct sessions *sessions);

/* Serves a connection; never fails to its caller. fd: consumed. */
void exec_session_start(struct sessions *sessions, const struct door *door, int fd);
