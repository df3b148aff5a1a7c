/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One direction of copying between two descriptors in the launcher's loop, through a bounded
 * buffer: a reader that stops stops the writer, never the loop. Either end may be anything: a tty,
 * a pipe, a socket, a file, /dev/null.
 */

#include "hand-over.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct stream {
	int from, to; /* owned; from is nonblocking or never blocks when readable */
	bool lines;   /* guest text for people: lines of some length, control bytes escaped */
	bool (*filter)(void *arg, const char *data, size_t len); /* false: stop here; NULL: none */
	/*
	 * Reading failed with EIO; true: it may be tried again. With it from is a terminal, which
	 * is read on, into nothing, when the reader has gone. NULL: no.
	 */
	bool (*revive)(void *arg);
	void *arg; /* of both */
	struct event *readable, *writable, *retry;
	char *buffer;
	size_t start, end;
	char held[3]; /* lines: the beginning of a character that a read cut */
	size_t n_held;
	size_t line_len; /* lines: how much of the last one is there, without its end */
	bool ended;	 /* no more to read */
	bool to_is_socket;
	bool has_failed; /* said so */
};

/*
 * Starts copying. from, to: consumed, whatever is returned. Buffers hold 64 KiB. 0 or -errno.
 */
int stream_start(struct stream *stream, struct event_base *base, int from, int to);

/* What has been read and not been written; in the next launcher stream_start() goes on with it. */
void stream_hand_over(struct stream *stream, struct hand_over *h);

/* Nothing more will come, and what came has been written (or nobody takes it); also the null state.
 */
bool stream_is_done(const struct stream *stream);

/*
 * Copies what is left (from has no writer any more, or nobody who matters) and closes both; waits
 * for a slow reader at most timeout_ms in all, -1 for as long as it takes; 0 copies nothing more.
 * Safe on the null (zero) state.
 */
void stream_finish(struct stream *stream, int timeout_ms);

/* Another description of the terminal, pipe or file behind fd, nonblocking without an effect on its
 * other users; else a dup. -errno. */
int stream_reopen(int fd, int flags);
