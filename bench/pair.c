/* SPDX-License-Identifier: MIT */

/*
 * Times several commands against each other: they run in turns (A B C A B C …), so that whatever
 * else the machine does hits all of them alike, and only then the medians are compared.
 *
 *   pair [-n ROUNDS] [-w WARM-UP-ROUNDS] NAME=COMMAND…
 *
 * COMMAND is split at blanks and executed without a shell, stdin and stdout being /dev/null. A
 * command that fails ends the run. Prints a table in Markdown: median, 99th percentile, and the
 * first command's median as a part of each.
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

#define SIDES_MAX 16
#define ARGS_MAX 128
#define ROUNDS_MAX 100000

struct side {
	const char *name;
	char *argv[ARGS_MAX + 1];
	double *ms; /* one a round */
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

/* Runs it once. *ret_ms: from before the spawn to after the wait. 0 or -errno; -ECHILD when it
 * failed. */
static int side_run(const struct side *side, posix_spawn_file_actions_t *actions, double *ret_ms)
{
	double start = now_ms();
	int status, r;
	pid_t pid;

	r = posix_spawnp(&pid, side->argv[0], actions, NULL, side->argv, environ);
	if (r != 0)
		return -r;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	*ret_ms = now_ms() - start;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(struct side *sides, size_t n, int rounds, int warmup)
{
	posix_spawn_file_actions_t actions;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r < 0)
		return r;
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	for (int i = -warmup; i < rounds && r == 0; i++)
		for (size_t s = 0; s < n && r == 0; s++) {
			double ms = 0;

			r = side_run(&sides[s], &actions, &ms);
			if (r < 0)
				fprintf(stderr, "pair: %s fails: %s\n", sides[s].name,
					strerror(-r));
			else if (i >= 0)
				sides[s].ms[i] = ms;
		}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

static void report(struct side *sides, size_t n, int rounds)
{
	double base = 0;

	printf("| command | p50 ms | p99 ms | %s takes of it |\n|---|---|---|---|\n",
		sides[0].name);
	for (size_t s = 0; s < n; s++) {
		double p50, p99;

		qsort(sides[s].ms, (size_t)rounds, sizeof(double), compare);
		p50 = sides[s].ms[rounds / 2];
		p99 = sides[s].ms[(rounds * 99) / 100];
		if (s == 0)
			base = p50;
		printf("| %s | %.2f | %.2f | %.2f |\n", sides[s].name, p50, p99, base / p50);
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
		sides[n].ms = calloc((size_t)rounds, sizeof(double));
		if (!sides[n].ms)
			return 1;
	}
	r = measure(sides, n, (int)rounds, (int)warmup);
	if (r == 0)
		report(sides, n, (int)rounds);
	for (size_t s = 0; s < n; s++)
		free(sides[s].ms);
	return r < 0;
}
