/* SPDX-License-Identifier: MIT */

/* ways: keys. Each way has a terminal of its own, and `payload echo` waits at its other end. */

#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "turns.h"

#define DEADLINE_MS 10000
#define READY "payload ready."

struct line {
	int master;
	pid_t pid;
};

/* The command's controlling terminal is the new pty. */
static int start(const struct way *way, struct line *ret)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char path[64];
	int r, slave;

	if (openpty(&ret->master, &slave, path, NULL, &size) < 0)
		return -errno;
	(void)fcntl(ret->master, F_SETFD, FD_CLOEXEC);
	(void)fcntl(slave, F_SETFD, FD_CLOEXEC);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path, O_RDWR, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	r = posix_spawnp(&ret->pid, way->argv[0], &actions, &attributes, way->argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	(void)close(slave);
	return -r;
}

/* Reads until text has come; clients may say things of their own before it. */
static int await(int fd, const char *text)
{
	double deadline = now_ms() + DEADLINE_MS;
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	char all[8192];
	size_t len = 0;

	while (len < sizeof(all) - 1 && now_ms() < deadline) {
		ssize_t n;

		if (poll(&readable, 1, DEADLINE_MS) <= 0)
			continue;
		n = read(fd, all + len, sizeof(all) - 1 - len);
		if (n <= 0)
			return -EPIPE;
		len += (size_t)n;
		all[len] = '\0';
		if (strstr(all, text))
			return 0;
	}
	return -ETIMEDOUT;
}

static int type(int master, char key, double *ret_ms)
{
	double start = now_ms();
	struct pollfd readable = { .fd = master, .events = POLLIN };
	char echo = '\0';

	if (write(master, &key, 1) != 1)
		return -EPIPE;
	if (poll(&readable, 1, DEADLINE_MS) <= 0 || read(master, &echo, 1) != 1 || echo != key)
		return -EPIPE;
	*ret_ms = now_ms() - start;
	return 0;
}

static int type_all(struct ways *ways, const struct line *lines)
{
	size_t order[WAYS_MAX] = {};

	for (int i = -ways->warmup; i < ways->rounds; i++) {
		turns(order, ways->n);
		for (size_t t = 0; t < ways->n; t++) {
			size_t w = order[t];
			double ms = 0;
			int r = type(lines[w].master, (char)('a' + (i + ways->warmup) % 26), &ms);

			if (r < 0)
				return way_failed(&ways->way[w], r);
			if (i >= 0)
				ways->way[w].values[i] = ms * 1e3;
		}
	}
	return 0;
}

static void report(struct ways *ways)
{
	double first = quantile(ways->way[0].values, ways->rounds, 50);

	printf("| way in | p50 µs | p99 | %s takes of it |\n|---|---|---|---|\n",
		ways->way[0].name);
	for (size_t w = 0; w < ways->n; w++) {
		struct way *way = &ways->way[w];
		double p50 = quantile(way->values, ways->rounds, 50);
		double p99 = quantile(way->values, ways->rounds, 99);

		printf("| %s | %.0f | %.0f | %.2f |\n", way->name, p50, p99, first / p50);
		way_data(ways, way, p50, p99);
	}
}

int measure_keys(struct ways *ways)
{
	struct line lines[WAYS_MAX] = {};
	int r = 0;

	for (size_t w = 0; w < ways->n && r == 0; w++) {
		r = start(&ways->way[w], &lines[w]);
		if (r == 0)
			r = await(lines[w].master, READY);
		if (r < 0)
			(void)way_failed(&ways->way[w], r);
	}
	if (r == 0)
		r = type_all(ways, lines);
	for (size_t w = 0; w < ways->n; w++)
		if (lines[w].pid > 0) {
			/* the end of its input, for who doesn't mind that the terminal goes */
			if (write(lines[w].master, "\004", 1) != 1)
				(void)kill(lines[w].pid, SIGTERM);
			(void)close(lines[w].master);
			(void)waitpid(lines[w].pid, NULL, 0);
		}
	if (r == 0)
		report(ways);
	return r;
}
