/* SPDX-License-Identifier: MIT */
#pragma once

/* The host's end of a torture: many sessions on all doors of one guest. */

#include "stream.h"

#include <poll.h>
#include <sys/types.h>

enum kind { EXEC, EXEC_TTY, ROOT_SHELL, ROOT_LOGIN, LOGIN, KINDS };

enum phase {
	TALKS, /* until the payload says that it is ready */
	TRAFFIC,
	TAIL,	/* all bytes are there and back, but for the payload's last line */
	BROKEN, /* what came back was wrong: why is told at the end */
};

struct plan {
	const char *name; /* of the container */
	const char *payload;
	uint32_t size_max; /* bytes in a direction */
	bool rude;	   /* some clients leave in the middle */
};

struct torture_session {
	enum kind kind;
	enum phase phase;
	const struct plan *plan;
	uint32_t seed, up, down, leaves_at;
	int status;
	uint32_t sent, got;
	uint64_t heard;
	int in, out, err; /* ours; in and out of a socket or terminal are one */
	pid_t pid;	  /* of narthex exec, 0: none */
	int step;	  /* of the talk before the traffic */
	char text[4096], said[512];
	size_t n_text, n_said;
	unsigned int signals, signals_wanted;
	int rows, cols;
	int64_t born, moved, pause_in, pause_out, signal_at;
	bool left, half_closed;
};

/* What has happened. */
struct score {
	unsigned int ended[KINDS], left, cut, failed, signals, repeated, resizes;
	uint64_t up, down;
};

extern const char *const kind_names[KINDS];

int64_t now_usec(void);

/* From a generator of its own: below n. */
uint32_t luck(uint32_t n);
void luck_seed(uint32_t seed);

/* Exits when it can't be had. */
void session_open(
	struct torture_session *s, const struct plan *plan, enum kind kind, uint32_t seed);

/* What to wait for, three at most. There may be something to do without any of it: ask often. */
size_t session_poll(const struct torture_session *s, struct pollfd fds[3]);

/* Goes on. True: it is over, counted, and closed. */
bool session_go_on(struct torture_session *s, struct score *score);

/* It hangs, or the torture is over: says how it stands. */
void session_explain(const struct torture_session *s, const char *what);
