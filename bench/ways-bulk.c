/* SPDX-License-Identifier: MIT */

/*
 * ways: bulk. Out: the payload writes; in: we write, and the payload reads to the end; both: it
 * returns what we write. Time is from the spawn to the exit status.
 *
 * Each way has the same two ends, this process and the payload, with 64 KiB of touched memory each
 * and a pipe at our end. We stay on the first processor, the payload on the last one (payload.c);
 * what a way has in between is free. Left alone, the kernel sometimes runs both ends of a pipe on
 * one processor, where they take turns in its cache, several times as fast as two processors that
 * wake each other: the comparison would be one of luck.
 */

#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "turns.h"

#define PIECE 65536
#define MIB (1024.0 * 1024.0)

static const char *const directions[] = { "out", "in", "both" };

static char piece[PIECE];

/* From all to the first of them. */
static void stay(const cpu_set_t *all)
{
	cpu_set_t one;
	int cpu = 0;

	CPU_ZERO(&one);
	while (!CPU_ISSET(cpu, all))
		cpu++;
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

/* Writes and reads that much, with poll() only where both have to go on. */
static int pump(int to, int from, size_t bytes_to, size_t bytes_from)
{
	bool both = bytes_to > 0 && bytes_from > 0;
	struct pollfd fds[] = { { .fd = to, .events = POLLOUT }, { .fd = from, .events = POLLIN } };

	if (both && (fcntl(to, F_SETFL, O_NONBLOCK) < 0 || fcntl(from, F_SETFL, O_NONBLOCK) < 0))
		return -errno;
	while (bytes_to > 0 || bytes_from > 0) {
		ssize_t n;

		if (both) {
			fds[0].fd = bytes_to > 0 ? to : -1;
			if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
				return -errno;
		}
		if (bytes_to > 0 && (!both || fds[0].revents)) {
			n = write(to, piece, bytes_to < PIECE ? bytes_to : PIECE);
			if (n <= 0)
				return -EPIPE;
			bytes_to -= (size_t)n;
			if (bytes_to == 0)
				(void)close(to);
		}
		if (bytes_from > 0 && (!both || fds[1].revents)) {
			n = read(from, piece, PIECE);
			if (n <= 0)
				return -EPIPE;
			bytes_from -= (size_t)n;
		}
	}
	return 0;
}

static int run_once(const struct way *way, const char *direction, size_t bytes, double *ret_ms)
{
	bool writes = strcmp(direction, "out") != 0, reads = strcmp(direction, "in") != 0;
	char *argv[WORDS_MAX + 3], count[24];
	int in[2], out[2], r;
	cpu_set_t all;
	double start;
	size_t n = 0;
	pid_t pid;

	for (; way->argv[n]; n++)
		argv[n] = way->argv[n];
	(void)snprintf(count, sizeof(count), "%zu", bytes);
	argv[n++] = (char *)direction;
	argv[n++] = count;
	argv[n] = NULL;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
		sched_getaffinity(0, sizeof(all), &all) < 0)
		return -errno;
	start = now_ms();
	r = way_spawn(argv, in[0], out[1], &pid);
	stay(&all); /* behind the spawn: it would be inherited */
	(void)close(in[0]);
	(void)close(out[1]);
	if (!writes)
		(void)close(in[1]);
	if (r == 0) {
		int failed = pump(in[1], out[0], writes ? bytes : 0, reads ? bytes : 0);

		r = way_wait(pid);
		r = failed < 0 ? failed : r;
	}
	*ret_ms = now_ms() - start;
	(void)sched_setaffinity(0, sizeof(all), &all);
	(void)close(out[0]);
	return r < 0 ? way_failed(way, r) : 0;
}

static int measure_direction(struct ways *ways, const char *direction, size_t mebibytes)
{
	size_t order[WAYS_MAX] = {};

	for (int i = -ways->warmup; i < ways->rounds; i++) {
		turns(order, ways->n);
		for (size_t t = 0; t < ways->n; t++) {
			struct way *way = &ways->way[order[t]];
			double ms = 0;
			int r = run_once(way, direction, mebibytes << 20, &ms);

			if (r < 0)
				return r;
			if (i >= 0)
				way->values[i] = (double)mebibytes * MIB / 1e3 / ms;
		}
	}
	return 0;
}

int measure_bulk(struct ways *ways, size_t mebibytes)
{
	double speeds[ARRAY_SIZE(directions)][WAYS_MAX] = {};

	(void)signal(SIGPIPE, SIG_IGN);
	memset(piece, 'w', sizeof(piece));
	for (size_t d = 0; d < ARRAY_SIZE(directions); d++) {
		int r = measure_direction(ways, directions[d], mebibytes);

		if (r < 0)
			return r;
		for (size_t w = 0; w < ways->n; w++)
			speeds[d][w] = quantile(ways->way[w].values, ways->rounds, 50);
	}
	printf("| way in | out MB/s | of a %s | in | of it | both ways | of it |\n"
	       "|---|---|---|---|---|---|---|\n",
		ways->way[0].name);
	for (size_t w = 0; w < ways->n; w++) {
		printf("| %s |", ways->way[w].name);
		for (size_t d = 0; d < ARRAY_SIZE(directions); d++)
			printf(" %.0f | %.2f |", speeds[d][w], speeds[d][w] / speeds[d][0]);
		printf("\n");
		if (ways->data)
			fprintf(ways->data, "\"%s\"\t%.1f\t%.1f\t%.1f\n", ways->way[w].name,
				speeds[0][w], speeds[1][w], speeds[2][w]);
	}
	return 0;
}
