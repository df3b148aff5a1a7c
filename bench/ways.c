/* SPDX-License-Identifier: MIT */

/*
 * Compares ways into a container. They are used in turns, in each round in another order (turns.h),
 * so that whatever else the machine does hits all of them alike, and only then the medians are
 * compared.
 *
 *   ways MEASUREMENT [-n ROUNDS] [-w WARM-UP-ROUNDS] [-m MIB] [-d FILE] NAME=[BEFORE… ::] COMMAND…
 *
 *   exec    from the spawn of the command to its exit status in hand
 *   burst   the same for ROUNDS of them at once
 *   keys    the command runs `payload echo` on a terminal: from a key to its echo
 *   bulk    the command runs `payload`, to which "out", "in" or "both" is added: throughput
 *   memory  the command runs `payload both`: the most memory that the client has had
 *
 * A command is split at blanks and executed without a shell. BEFORE is executed before each
 * measurement of its command, and isn't measured. The command "floor" is none: /bin/true is forked
 * and executed, and then a connection made on which a message goes to another process and back. A
 * command that fails ends everything.
 * Prints a table in Markdown in which the first way is compared with each; -d appends NAME, median
 * and 99th percentile for gnuplot.
 */

#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

#define ROUNDS_MAX 100000

double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(double *values, int n, int percent)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return values[n * percent / 100];
}

int way_spawn(char *const *argv, int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r;

	(void)posix_spawn_file_actions_init(&actions);
	if (in >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	else
		(void)posix_spawn_file_actions_addopen(
			&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (out >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	else
		(void)posix_spawn_file_actions_addopen(
			&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int way_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

int way_failed(const struct way *way, int r)
{
	fprintf(stderr, "ways: %s fails: %s\n", way->name, strerror(-r));
	return r;
}

void way_data(const struct ways *ways, const struct way *way, double a, double b)
{
	if (ways->data)
		fprintf(ways->data, "\"%s\"\t%.4f\t%.4f\n", way->name, a, b);
}

/* So that no way pays for the search: the path of a program on PATH, or the name itself. */
static char *find_program(char *name)
{
	_cleanup_free_ char *dirs = strdup(getenv("PATH") ?: "/usr/bin:/bin");
	char *save = NULL, *path;

	if (!dirs || strchr(name, '/'))
		return name;
	for (char *dir = strtok_r(dirs, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		if (asprintf(&path, "%s/%s", dir, name) < 0)
			return name;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return name;
}

/* Splits "NAME=[BEFORE… ::] COMMAND" in place. 0 or -EINVAL. */
static int parse(struct way *way, char *text)
{
	char *command = strchr(text, '='), *save = NULL;
	size_t n = 0;

	if (!command)
		return -EINVAL;
	*command++ = '\0';
	way->name = text;
	for (char *word = strtok_r(command, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (n == WORDS_MAX)
			return -EINVAL;
		if (strcmp(word, "::") == 0) {
			memcpy(way->before, way->argv, n * sizeof(way->argv[0]));
			memset(way->argv, 0, sizeof(way->argv));
			n = 0;
		} else {
			way->argv[n++] = word;
		}
	}
	if (n == 0)
		return -EINVAL;
	way->floor = n == 1 && strcmp(way->argv[0], "floor") == 0;
	way->argv[0] = find_program(way->argv[0]);
	return 0;
}

static int measure(struct ways *ways, const char *what, size_t mebibytes)
{
	if (strcmp(what, "exec") == 0)
		return measure_exec(ways);
	if (strcmp(what, "burst") == 0)
		return measure_burst(ways);
	if (strcmp(what, "memory") == 0)
		return measure_memory(ways);
	if (strcmp(what, "keys") == 0)
		return measure_keys(ways);
	if (strcmp(what, "bulk") == 0)
		return measure_bulk(ways, mebibytes);
	fprintf(stderr, "ways: there is no measurement '%s'\n", what);
	return -EINVAL;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: ways MEASUREMENT [-n ROUNDS] [-w WARM-UP-ROUNDS] [-m MIB] [-d FILE] "
		"NAME=[BEFORE... ::] COMMAND...\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct ways ways = { .rounds = 100, .warmup = 3 };
	long mebibytes = 256;
	int opt, r;

	if (argc < 3)
		return usage();
	optind = 2;
	while ((opt = getopt(argc, argv, "n:w:m:d:")) != -1) {
		if (opt == 'n')
			ways.rounds = (int)strtol(optarg, NULL, 10);
		else if (opt == 'w')
			ways.warmup = (int)strtol(optarg, NULL, 10);
		else if (opt == 'm')
			mebibytes = strtol(optarg, NULL, 10);
		else if (opt == 'd')
			ways.data = fopen(optarg, "ae");
		else
			return usage();
	}
	if (ways.rounds < 1 || ways.rounds > ROUNDS_MAX || ways.warmup < 0 || mebibytes < 1 ||
		optind == argc || argc - optind > WAYS_MAX)
		return usage();
	for (; optind < argc; optind++) {
		struct way *way = &ways.way[ways.n++];

		way->values = calloc((size_t)ways.rounds, sizeof(double));
		if (!way->values || parse(way, argv[optind]) < 0)
			return usage();
	}
	r = measure(&ways, argv[1], (size_t)mebibytes);
	for (size_t i = 0; i < ways.n; i++)
		free(ways.way[i].values);
	if (ways.data)
		(void)fclose(ways.data);
	return r < 0;
}
