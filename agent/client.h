/* SPDX-License-Identifier: MIT */
#pragma once

/* What the agent itself says to a client, and the end of its connection. */

#include <event2/event.h>
#include <stddef.h>
#include <sys/queue.h>

/*
 * Clients that were refused and may still be writing: closing at once would give their next write
 * EPIPE, which most of them, socat for one, report instead of reading why. So what they send is
 * thrown away until they end it, at most for CLIENT_LINGER_SEC and CLIENT_LINGER_BYTES each, and
 * for CLIENT_LINGER_MAX of them at a time; the others are closed at once.
 */
#define CLIENT_LINGER_SEC 2
#define CLIENT_LINGER_BYTES (256 * 1024)
#define CLIENT_LINGER_MAX 64

struct refused_client;
LIST_HEAD(refused_client_list, refused_client);

struct refused_clients {
	struct event_base *base; /* borrowed */
	struct refused_client_list list;
	size_t count;
};

/*
 * Ends a connection so that the client reads all that was sent and then end of file. Unread input
 * must go first: closing with it would turn the client's end of file into ECONNRESET. fd: consumed.
 */
void client_finish(int fd);

/*
 * One line to the client of a raw door, if it takes it at once, and the end: later, as said above,
 * or at once when refused is NULL. fd: consumed.
 */
__attribute__((format(printf, 3, 4))) void client_refuse(
	struct refused_clients *refused, int fd, const char *format, ...);

/* Ends the connections of all of them. Safe on zero. */
void refused_clients_done(struct refused_clients *refused);
