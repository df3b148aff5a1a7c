/* SPDX-License-Identifier: MIT */
#pragma once

/* Carries bytes between a client's socket and a pty master. */

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

/* One direction. The bytes in flight are in the pipe, not in our memory. */
struct relay_half {
	int pipe_read, pipe_write;
	size_t fill; /* bytes in the pipe */
	bool eof;    /* the source has no more */
	bool dead;   /* nobody takes what comes out: it is thrown away */
};

struct relay {
	int socket, master;	   /* borrowed, O_NONBLOCK */
	int slave;		   /* borrowed; negative once the leader has exited */
	struct relay_half in, out; /* socket to master, master to socket */
	struct event socket_read, socket_write, master_read, master_write, eof_timer;
	bool armed_socket_read, armed_socket_write, armed_master_read, armed_master_write;
	bool armed_eof_timer;
	unsigned int eof_checks; /* since the client half-closed */
	bool draining;
	size_t drain_left;
	void (*drained)(void *arg);
	void *arg;
};

/* Null state: safe for relay_stop(). */
#define RELAY_HALF_NULL ((struct relay_half){ .pipe_read = -EBADF, .pipe_write = -EBADF })
#define RELAY_NULL                                                                                 \
	((struct relay){                                                                           \
		.socket = -EBADF,                                                                  \
		.master = -EBADF,                                                                  \
		.slave = -EBADF,                                                                   \
		.in = RELAY_HALF_NULL,                                                             \
		.out = RELAY_HALF_NULL,                                                            \
	})

/*
 * Starts the relay. socket, master: borrowed, O_NONBLOCK, open until relay_stop(). slave: borrowed,
 * open until relay_drain() or relay_stop(), which is as long as the session's leader lives (see
 * relay.c). relay: stays in its place. The process ignores SIGPIPE. 0 or -errno.
 */
int relay_start(struct relay *relay, struct event_base *base, int socket, int master, int slave);

/* The descriptors of its two pipes, borrowed: what a later agent needs besides. Returns how many.
 */
#define RELAY_PIPES 4
size_t relay_pipes(const struct relay *relay, int ret[RELAY_PIPES]);

/* As relay_start(), with the pipes of a relay that was: taken, and made negative. */
int relay_resume(struct relay *relay, struct event_base *base, int socket, int master, int slave,
	int pipes[RELAY_PIPES]);

/*
 * The leader is gone and the caller's slave is closed: delivers what is still in the terminal,
 * takes no more input, then calls drained(arg): at once, or from the loop when the client is slow.
 * With a background job still writing, that is what the terminal can hold and no more.
 */
void relay_drain(struct relay *relay, void (*drained)(void *arg), void *arg);

/* Whether input that the client sent is still on its way to the terminal. */
bool relay_has_input(const struct relay *relay);

/* Frees what relay owns; what is in flight is lost. */
void relay_stop(struct relay *relay);
