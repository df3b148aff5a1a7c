/* SPDX-License-Identifier: MIT */
#pragma once

/* One message of a client at the exec door, and the descriptors that came with it. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Room for so many descriptors: of more the kernel drops the rest, and says so. */
#define EXEC_PACKET_FDS 3

struct exec_packet {
	ssize_t len; /* bytes in the caller's buffer */
	int fds[EXEC_PACKET_FDS];
	size_t n_fds;
	bool cut; /* message or descriptors were more than fits */
};

/*
 * Receives into buf, which holds EXEC_MESSAGE_MAX bytes, without waiting. takes: the message is
 * taken, with its descriptors (close-on-exec; the caller's, exec_packet_close()). Else none is
 * taken, and the message stays in the queue. 0, -EAGAIN or -errno.
 */
int exec_packet_receive(int socket, void *buf, bool takes, struct exec_packet *ret);

/* Closes what is left in fds. Safe on zeroes. */
void exec_packet_close(struct exec_packet *packet);
