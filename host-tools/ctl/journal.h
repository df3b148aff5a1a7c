/* SPDX-License-Identifier: MIT */
#pragma once

/* What the journal has of a container: its console, its launcher, and systemd about its unit. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct journal_query {
	const char *unit;
	uint64_t since_usec; /* only what was said from then on (CLOCK_REALTIME); 0: all */
	bool last;	     /* only the last lines */
	unsigned lines;	     /* so many; may be 0, with follow for what comes */
	bool follow;	     /* then wait for more, for ever */
	const char *prefix;  /* before each line; NULL: its time */
};

/*
 * Writes lines to f, control characters escaped. Returns how many or -errno. With follow it returns
 * only on an error, which includes that f can't be written. Doesn't log.
 */
int journal_show(const struct journal_query *query, FILE *f);

/*
 * Waits, two seconds at most, until the journal has written what was said before. Without it the
 * last words of a container may be missing. Best effort; root only.
 */
void journal_sync(void);
