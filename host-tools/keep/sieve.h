/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between a program that may be hostile and libvterm: what a program writes is passed on in whole,
 * well-formed pieces, each in a call of its own, and nothing else is. See sieve.c for why.
 */

#include <stdbool.h>
#include <stddef.h>

#define SIEVE_NUMBERS 16   /* of a control sequence; libvterm has no room for more */
#define SIEVE_SEQUENCE 128 /* bytes of a control sequence between ESC [ and its end */
#define SIEVE_REPEAT 1000  /* at most (REP); the longest line */

struct sieve {
	/* One run of ASCII, one character, one control, or one sequence. */
	void (*pass)(void *arg, const char *data, size_t len);
	void *arg;
	/* the rest is sieve.c's; all zero is a start */
	enum {
		SIEVE_BETWEEN,
		SIEVE_CHARACTER,
		SIEVE_ESCAPE,
		SIEVE_CONTROL,
		SIEVE_STRING,
		SIEVE_STRING_ESCAPE
	} place;
	char text[SIEVE_SEQUENCE]; /* what has come of it */
	size_t n;
	size_t need;  /* bytes of a character */
	bool unfit;   /* is not passed on at its end */
	char last[4]; /* the last character, for REP */
	size_t n_last;
};

void sieve_feed(struct sieve *sieve, const char *data, size_t len);

/* No sequence or character is begun. */
bool sieve_is_between(const struct sieve *sieve);
