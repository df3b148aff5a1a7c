/* SPDX-License-Identifier: MIT */
#pragma once

/* For tests of what lives in an event loop: run it until something is true, with a deadline. */

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define LOOP_DEADLINE_SEC 60 /* ample for a machine that stands still now and then */

static inline double loop_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void loop_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Whether a process has ended; arg: its pid_t. Nobody may ever reap an orphan: PID 1 of a container
 * can be any program. */
static inline bool loop_has_died(void *arg)
{
	char path[32], text[512] = "";
	const char *end;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
	f = fopen(path, "re");
	if (!f)
		return true;
	(void)!fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	end = strrchr(text, ')');
	/* no text: it has been reaped since */
	return !end || end[2] == 'Z' || end[2] == 'X';
}

/* Whether done(arg) came true in time. */
static inline bool loop_until(
	struct event_base *base, bool (*done)(void *arg), void *arg, double seconds)
{
	const struct timeval interval = { .tv_usec = 2000 };
	struct event *tick = event_new(base, -1, EV_PERSIST, loop_tick, NULL);
	double end = loop_now() + seconds;
	bool ok = false;

	(void)event_add(tick, &interval);
	while (!(ok = done(arg)) && loop_now() < end)
		(void)event_base_loop(base, EVLOOP_ONCE);
	event_free(tick);
	return ok;
}
