/* SPDX-License-Identifier: MIT */

/* ways: exec, burst, memory. */

#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

/* A process at the other end of a connection, which returns each message. */
static pid_t start_echo(int *ret_sock)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		char byte;

		(void)close(pair[0]);
		while (recv(pair[1], &byte, 1, 0) == 1)
			(void)send(pair[1], &byte, 1, MSG_NOSIGNAL);
		_exit(0);
	}
	(void)close(pair[1]);
	*ret_sock = pair[0];
	return pid < 0 ? -errno : pid;
}

static int run_floor(int echo)
{
	char *const argv[] = { "/bin/true", NULL };
	char byte = 1;
	pid_t pid;
	int r = way_spawn(argv, -1, -1, &pid);

	if (r < 0)
		return r;
	r = way_wait(pid);
	if (send(echo, &byte, 1, MSG_NOSIGNAL) != 1 || recv(echo, &byte, 1, 0) != 1)
		return -EPIPE;
	return r;
}

static int run_command(char *const *argv)
{
	pid_t pid;
	int r = way_spawn(argv, -1, -1, &pid);

	return r < 0 ? r : way_wait(pid);
}

static int run_once(const struct way *way, int echo, double *ret_ms)
{
	double start;
	int r = way->before[0] ? run_command(way->before) : 0;

	if (r < 0)
		return way_failed(way, r);
	start = now_ms();
	r = way->floor ? run_floor(echo) : run_command(way->argv);
	*ret_ms = now_ms() - start;
	return r < 0 ? way_failed(way, r) : 0;
}

static int run_all(struct ways *ways, int echo)
{
	for (int i = -ways->warmup; i < ways->rounds; i++)
		for (size_t w = 0; w < ways->n; w++) {
			double ms = 0;
			int r = run_once(&ways->way[w], echo, &ms);

			if (r < 0)
				return r;
			if (i >= 0)
				ways->way[w].values[i] = ms;
		}
	return 0;
}

int measure_exec(struct ways *ways)
{
	int echo = -EBADF, r;
	double first;
	pid_t pid = start_echo(&echo);

	if (pid < 0)
		return (int)pid;
	r = run_all(ways, echo);
	(void)close(echo);
	(void)waitpid(pid, NULL, 0);
	if (r < 0)
		return r;
	first = quantile(ways->way[0].values, ways->rounds, 50);
	printf("| way in | p50 ms | p99 | %s takes of it |\n|---|---|---|---|\n",
		ways->way[0].name);
	for (size_t w = 0; w < ways->n; w++) {
		struct way *way = &ways->way[w];
		double p50 = quantile(way->values, ways->rounds, 50);
		double p99 = quantile(way->values, ways->rounds, 99);

		printf("| %s | %.2f | %.2f | %.2f |\n", way->name, p50, p99, first / p50);
		way_data(ways, way, p50, p99);
	}
	return 0;
}

/* All of one way at once. */
static int burst(const struct ways *ways, struct way *way)
{
	_cleanup_free_ pid_t *pids = calloc((size_t)ways->rounds, sizeof(pid_t));
	int r, failed = 0, left;

	if (!pids)
		return -ENOMEM;
	for (left = 0; left < ways->rounds; left++) {
		way->values[left] = -now_ms();
		r = way_spawn(way->argv, -1, -1, &pids[left]);
		if (r < 0)
			return way_failed(way, r);
	}
	while (left > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		for (int i = 0; i < ways->rounds; i++)
			if (pids[i] == pid) {
				way->values[i] += now_ms();
				failed += status != 0;
				left--;
			}
	}
	return failed ? way_failed(way, -ECHILD) : 0;
}

int measure_burst(struct ways *ways)
{
	printf("| way in | p50 ms | slowest | slowest / p50 |\n|---|---|---|---|\n");
	for (size_t w = 0; w < ways->n; w++) {
		struct way *way = &ways->way[w];
		double p50;
		int r = burst(ways, way);

		if (r < 0)
			return r;
		p50 = quantile(way->values, ways->rounds, 50);
		printf("| %s | %.1f | %.1f | %.1f |\n", way->name, p50,
			way->values[ways->rounds - 1], way->values[ways->rounds - 1] / p50);
	}
	return 0;
}

/* KiB, 0 when unknown. */
static long peak_memory(pid_t pid)
{
	char path[48], line[128];
	long kib = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmHWM: %ld", &kib);
	if (f)
		(void)fclose(f);
	return kib;
}

static int measure_client(const struct way *way)
{
	int in[2], out[2], r;
	char byte = 'x';
	long kib;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	r = way_spawn(way->argv, in[0], out[1], &pid);
	(void)close(in[0]);
	(void)close(out[1]);
	if (r < 0)
		return way_failed(way, r);
	/* a byte there and back: it runs */
	if (write(in[1], &byte, 1) != 1 || read(out[0], &byte, 1) != 1)
		return way_failed(way, -EPIPE);
	kib = peak_memory(pid);
	(void)close(in[1]);
	r = way_wait(pid);
	(void)close(out[0]);
	if (r == 0)
		printf("| %s | %ld |\n", way->name, kib);
	return r < 0 ? way_failed(way, r) : 0;
}

int measure_memory(struct ways *ways)
{
	printf("| client | peak RSS KiB |\n|---|---|\n");
	for (size_t w = 0; w < ways->n; w++) {
		int r = measure_client(&ways->way[w]);

		if (r < 0)
			return r;
	}
	return 0;
}
