/* SPDX-License-Identifier: MIT */
#pragma once

/* The doors: one const table is the truth about their names, sockets and manners. */

#include <stdbool.h>
#include <sys/types.h>

enum door_kind {
	DOOR_LOGIN,
	DOOR_ROOT_LOGIN,
	DOOR_ROOT_SHELL,
	DOOR_EXEC,
	DOOR_MAX_,
};

struct door {
	enum door_kind kind;
	const char *name; /* FileDescriptorName= of the socket unit, NAME of --listen */
	int socket_type;  /* SOCK_STREAM or SOCK_SEQPACKET */
	mode_t mode;	  /* of a socket that the agent binds itself */
	bool pty;	  /* the program runs on a fresh pty, relayed */
};

/* By name, NULL when there is no such door. */
const struct door *door_find(const char *name);

/* By kind, for whoever walks the table from 0 to DOOR_MAX_ - 1. */
const struct door *door_get(enum door_kind kind);

/*
 * Whether fd is a listening Unix socket of the type that the door speaks. 0; -ENOTSOCK, -EPROTOTYPE
 * (wrong family or type), -EINVAL (not listening), or what the kernel said. fd: borrowed.
 */
int door_check_socket(const struct door *door, int fd);
