/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One line on stderr that says how far long work has come: on a terminal only, a few times a
 * second, gone when the work ends.
 */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "unpacking", by reference */
	bool bytes;	  /* the numbers count bytes, else files */
	bool shown;
	int64_t next_ms;
};

/* Shows done of total; a total of 0 is unknown. Does nothing where stderr is no terminal. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);

/* Takes the line away; before messages, and at the end. NULL is fine. */
void progress_clear(struct progress *progress);

/*
 * Writes the line as it is shown, without control characters, at most width columns. Returns its
 * length. out has size bytes.
 */
int progress_format(const struct progress *progress, uint64_t done, uint64_t total, unsigned width,
	char *out, int size);
