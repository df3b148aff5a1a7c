/* SPDX-License-Identifier: MIT */
#pragma once

/* The way to a container's doors, from the host. */

#include <stdint.h>

/* How long a door may take for anything: its agent may have to be started first. */
#define DOOR_DEADLINE_MS 10000

/* One of both. */
struct door_place {
	const char *name; /* a running container of ours */
	const char *root; /* or the root directory of anybody's */
};

/*
 * Connects to the door of that name ("exec"); type: SOCK_STREAM or SOCK_SEQPACKET. Nothing has been
 * sent; who answers has been looked at (trust.h). The socket takes no descriptors where the kernel
 * can refuse them, and sending gives up with EAGAIN after DOOR_DEADLINE_MS. Logs what is wrong and
 * what to do. Returns the socket or -errno.
 */
int door_connect(const struct door_place *place, const char *door, int type);

/*
 * A pty of the container's devpts, from the launcher of one of ours, from the root directory of who
 * answers for another (foreign-pty.h): ret_fds gets master (nonblocking) and slave, owned by the
 * caller. sock: as door_connect() returned it. Logs. 0 or -errno.
 */
int door_terminal(const struct door_place *place, int sock, int ret_fds[2]);

/* Now, on the clock that deadlines are counted by. */
int64_t door_clock_ms(void);
