/* SPDX-License-Identifier: MIT */
#pragma once

/* The listening sockets: inherited from systemd by name, or bound by --listen. */

#include "session.h"

struct listener {
	struct event event;
	const struct door *door;
	int fd;
	char *path; /* of a socket that we bound: removed at the end */
	struct listeners *all;
	struct listener *next;
};

struct listeners {
	struct sessions *sessions;
	struct event_base *base;
	struct listener *first;
	struct event resume; /* accepting pauses after EMFILE and its like */
};

/* 0 or -errno. */
int listeners_init(struct listeners *listeners, struct event_base *base, struct sessions *sessions);
void listeners_done(struct listeners *listeners);

/*
 * Takes over a socket that listens already, by its door's name. Logs; a name that is no door's is
 * an error, and so is a socket of the wrong kind. fd: consumed. 0 or -errno.
 */
int listeners_take(struct listeners *listeners, const char *name, int fd);

/*
 * Binds door's socket at path. A socket file that nobody listens on is replaced; anything else that
 * is in the way is an error. Logs. 0 or -errno.
 */
int listeners_bind(struct listeners *listeners, const struct door *door, const char *path);

/* Starts accepting. 0 or -errno. */
int listeners_start(struct listeners *listeners);

/* Lets nobody in, and lets them in again: meanwhile they wait in the sockets' queues. */
void listeners_pause(struct listeners *listeners);
void listeners_resume(struct listeners *listeners);
