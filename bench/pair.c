/* SPDX-License-Identifier: MIT */

/*
 * Times several commands against each other: they run in turns, in each round in another order
 * (turns.h), so that whatever else the machine does hits all of them alike, and only then the
 * medians are compared.
 *
 *   pair [-n ROUNDS] [-w WARM-UP-ROUNDS] NAME=COMMAND…
 *
 * COMMAND is split at blanks and executed without a shell; stdin is /dev/null, stdout a pipe. What
 * it writes may have the word "running=NS", the time (CLOCK_MONOTONIC) at which its payload began
 * to run: bench/running.c. A command that fails ends the run. Prints a table in Markdown: from the
 * spawn to that moment, and to the command's end; medians, 99th percentiles, and the first
 * command's medians as a part of each.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "turns.h"

#define SIDES_MAX 16
#define ARGS_MAX 128
#define ROUNDS_MAX 100000

struct side {
	const char *name;
	char *argv[ARGS_MAX + 1];
	double *running_ms, *ms; /* one a round; running_ms is 0 when nothing was said */
};

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Splits "NAME=COMMAND" in place. 0 or -EINVAL. */
static int side_parse(struct side *side, char *text)
{
	char *command = strchr(text, '='), *save = NULL;
	size_t n = 0;

	if (!command)
		return -EINVAL;
	*command++ = '\0';
	side->name = text;
	for (char *word = strtok_r(command, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (n == ARGS_MAX)
			return -EINVAL;
		side->argv[n++] = word;
	}
	return n ? 0 : -EINVAL;
}

/* Reads to the end of file; returns the time that "running=" says, 0 when it isn't there. */
static double read_running(int fd)
{
	char text[4096];
	size_t len = 0;
	const char *word;
	ssize_t n;

	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	word = strstr(text, "running=");
	return word ? (double)strtoll(word + strlen("running="), NULL, 10) / 1e6 : 0;
}

/* Runs it once. 0 or -errno; -ECHILD when it failed. */
static int side_run(const struct side *side, double *ret_running_ms, double *ret_ms)
{
	posix_spawn_file_actions_t actions;
	double start, running;
	int status = 0, r, fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	start = now_ms();
	r = posix_spawnp(&pid, side->argv[0], &actions, NULL, side->argv, environ);
	(void)close(fds[1]);
	running = r == 0 ? read_running(fds[0]) : 0;
	if (r == 0 && waitpid(pid, &status, 0) < 0)
		r = errno;
	*ret_ms = now_ms() - start;
	*ret_running_ms = running > 0 ? running - start : 0;
	(void)close(fds[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(struct side *sides, size_t n, int rounds, int warmup)
{
	size_t order[SIDES_MAX] = {};
	int r = 0;

	for (int i = -warmup; i < rounds && r == 0; i++) {
		turns(order, n);
		for (size_t t = 0; t < n && r == 0; t++) {
			struct side *side = &sides[order[t]];
			double running = 0, ms = 0;

			r = side_run(side, &running, &ms);
			if (r < 0) {
				fprintf(stderr, "pair: %s fails: %s\n", side->name, strerror(-r));
			} else if (i >= 0) {
				side->running_ms[i] = running;
				side->ms[i] = ms;
			}
		}
	}
	return r;
}

static double quantile(double *values, int n, int percent)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return values[n * percent / 100];
}

static void report(struct side *sides, size_t n, int rounds)
{
	double base_running = quantile(sides[0].running_ms, rounds, 50);
	double base = quantile(sides[0].ms, rounds, 50);

	printf("| command | running p50 ms | p99 | %s takes of it | ended p50 ms | p99 | takes of "
	       "it |\n"
	       "|---|---|---|---|---|---|---|\n",
		sides[0].name);
	for (size_t s = 0; s < n; s++) {
		double running = quantile(sides[s].running_ms, rounds, 50);
		double ended = quantile(sides[s].ms, rounds, 50);

		printf("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", sides[s].name, running,
			quantile(sides[s].running_ms, rounds, 99),
			running > 0 ? base_running / running : 0, ended,
			quantile(sides[s].ms, rounds, 99), base / ended);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: pair [-n ROUNDS] [-w WARM-UP-ROUNDS] NAME=COMMAND...\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct side sides[SIDES_MAX];
	long rounds = 100, warmup = 3;
	size_t n = 0;
	int opt, r;

	while ((opt = getopt(argc, argv, "n:w:")) != -1) {
		if (opt == 'n')
			rounds = strtol(optarg, NULL, 10);
		else if (opt == 'w')
			warmup = strtol(optarg, NULL, 10);
		else
			return usage();
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || warmup < 0 || warmup > ROUNDS_MAX ||
		optind == argc || argc - optind > SIDES_MAX)
		return usage();
	for (; optind < argc; optind++, n++) {
		if (side_parse(&sides[n], argv[optind]) < 0)
			return usage();
		sides[n].running_ms = calloc((size_t)rounds, sizeof(double));
		sides[n].ms = calloc((size_t)rounds, sizeof(double));
		if (!sides[n].running_ms || !sides[n].ms)
			return 1;
	}
	r = measure(sides, n, (int)rounds, (int)warmup);
	if (r == 0)
		report(sides, n, (int)rounds);
	for (size_t s = 0; s < n; s++) {
		free(sides[s].running_ms);
		free(sides[s].ms);
	}
	return r < 0;
}
