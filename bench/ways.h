/* SPDX-License-Identifier: MIT */
#pragma once

/* What the parts of the driver `ways` share: bench/ways.c says what it does. */

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define WAYS_MAX 16
#define WORDS_MAX 64

/* A way in: a command, and what has to be run before each measurement of it. */
struct way {
	const char *name;
	bool floor;		     /* no command but a spawn and a round trip of our own */
	char *before[WORDS_MAX + 1]; /* argv; empty: nothing */
	char *argv[WORDS_MAX + 1];
	double *values; /* one a round */
};

struct ways {
	struct way way[WAYS_MAX];
	size_t n;
	int rounds, warmup;
	FILE *data; /* for gnuplot; NULL: none */
};

/* CLOCK_MONOTONIC. */
double now_ms(void);

/* Sorts values; the one that percent of the n values don't exceed. */
double quantile(double *values, int n, int percent);

/*
 * Starts argv with stdio of its own (borrowed) or, where that is negative, /dev/null as stdin and
 * stdout and our stderr. 0 or -errno.
 */
int way_spawn(char *const *argv, int in, int out, pid_t *ret_pid);

/* Waits. 0: it exited with 0; -ECHILD: not so. */
int way_wait(pid_t pid);

/* Says which way failed. Returns r. */
int way_failed(const struct way *way, int r);

/* A line for gnuplot: NAME, then the values. */
void way_data(const struct ways *ways, const struct way *way, double a, double b);

/* The measurements; each prints a table. 0 or -errno, and something was said on stderr. */
int measure_exec(struct ways *ways);
int measure_burst(struct ways *ways);
int measure_memory(struct ways *ways);
int measure_keys(struct ways *ways);
int measure_bulk(struct ways *ways, size_t mebibytes);
