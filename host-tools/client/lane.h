/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One direction of copying between two descriptors of any kind, for a client with a poll() loop of
 * its own. Nothing is lost and at most LANE_SIZE and a pipe's worth is on the way. Descriptors
 * above 2 are ours: they may be made nonblocking, and the lane closes them. 0 to 2 are the
 * caller's: their descriptions stay as they are.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define LANE_SIZE 65536

/* What happens to the far side when there is no more to read. */
enum lane_end {
	LANE_CLOSE,    /* it is closed, when it is ours */
	LANE_SHUTDOWN, /* a socket: shut down for writing, not closed */
	LANE_TYPE,     /* a pty's master: the end of file is typed; not closed */
	LANE_KEEP,     /* nothing */
};

struct lane {
	int from, to;
	bool open;
	bool spliced, is_socket, may_block; /* how is written */
	bool waits_for_to, at_end, grown;
	bool moved; /* anything at all */
	enum lane_end end;
	/* looks at what was read; true stops the lane before it is written. NULL: none */
	bool (*filter)(void *arg, const char *data, size_t len);
	void *arg;
	bool stopped; /* by the filter */
	/* errno of writing that failed, apart from EPIPE, or of reading that broke off: somebody
	 * must hear of it */
	int error;
	size_t left; /* may still pass */
	size_t start, n;
	char last;
	char *buffer; /* of LANE_SIZE; NULL: made when bytes are moved by hand */
};

/*
 * Starts a lane; zeroed memory but for the buffer, no failure: what can't be copied turns up in
 * error.
 */
void lane_start(struct lane *lane, int from, int to, enum lane_end end);

/* What to wait for: fd -1 when the lane is done. */
struct pollfd lane_wants(const struct lane *lane);

/* Moves a piece after poll() has said that it can. */
void lane_move(struct lane *lane);

/*
 * Whoever wrote to from has ended: what lies there now is still moved, what others add isn't.
 */
void lane_limit(struct lane *lane);

void lane_stop(struct lane *lane);

/*
 * Another description of to (borrowed), a terminal or pipe, writing to which never waits: of a
 * terminal poll() promises room for one byte only. The descriptor, or -errno.
 */
int lane_reopen(int to);
