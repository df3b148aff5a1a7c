/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Records what a terminal shows, as asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2):
 * a header, and a line for each event, written at once when it happens. So what is there can be
 * replayed whatever ends the session.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct asciicast {
	int fd; /* negative: nothing is recorded */
	int error;
	int64_t start_us;
	off_t end; /* of the last whole line */
	/* the beginning of a character whose end has not come yet */
	unsigned char rest[3];
	size_t n_rest;
};

#define ASCIICAST_NULL                                                                             \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* What the header says; NULL: nothing of that. */
struct asciicast_header {
	unsigned int columns, rows;
	const char *title, *command;
};

/*
 * Makes the file path, which must not be there yet, readable by its owner only, and begins to
 * record. TERM is taken from the environment. 0 or -errno, and then there is no file.
 */
int asciicast_open(struct asciicast *cast, const char *path, const struct asciicast_header *header);

/*
 * Events. Nothing happens where nothing is recorded. An error ends the recording behind the last
 * whole event, and is reported by asciicast_close(). Bytes that are no UTF-8 become U+FFFD;
 * characters may come in pieces.
 */
void asciicast_output(struct asciicast *cast, const char *data, size_t len);
void asciicast_resize(struct asciicast *cast, unsigned int columns, unsigned int rows);

/* 0, or the error that has ended it early. Safe when nothing is recorded. */
int asciicast_close(struct asciicast *cast);
