/* SPDX-License-Identifier: MIT */
#pragma once

/* For tests of what lives in an event loop: run it until something is true, with a deadline. */

#include <event2/event.h>
#include <stdbool.h>
#include <time.h>

#define LOOP_DEADLINE_SEC 20

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
