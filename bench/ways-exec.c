/* SPDX-License-Identifier: MIT */

/* ways: exec, burst, memory. */

#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "turns.h"

/* A process that listens, and returns the first message of each connection. Its pid, or -errno. */
static pid_t start_echo(struct sockaddr_un *ret_address)
{
	socklen_t len = sizeof(*ret_address);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char byte;
	pid_t pid;

	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* an address without a name: the kernel gives one that is no file */
	if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, sizeof(sa_family_t)) < 0 ||
		listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)ret_address, &len) < 0)
		return -errno;
	pid = fork();
	while (pid == 0) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			_exit(1);
		(void)recv(client, &byte, 1, 0);
		(void)send(client, &byte, 1, MSG_NOSIGNAL);
		(void)close(client);
	}
	(void)close(fd);
	return pid < 0 ? -errno : pid;
}

/* Connects, sends a message, has the answer. */
static int round_trip(const struct sockaddr_un *echo)
{
	/* the name's length is the address' */
	socklen_t len = (socklen_t)(sizeof(sa_family_t) + 1 + strlen(echo->sun_path + 1));
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char byte = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)echo, len) < 0 ||
		send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
		return -EPIPE;
	return 0;
}

static int run_floor(const struct sockaddr_un *echo)
{
	char *const argv[] = { "/bin/true", NULL };
	pid_t pid = fork();
	int r;

	if (pid == 0) {
		(void)execv(argv[0], argv);
		_exit(127);
	}
	r = pid < 0 ? -errno : way_wait(pid);
	return r < 0 ? r : round_trip(echo);
}

static int run_command(char *const *argv)
{
	pid_t pid;
	int r = way_spawn(argv, -1, -1, &pid);

	return r < 0 ? r : way_wait(pid);
}

static int run_once(const struct way *way, const struct sockaddr_un *echo, double *ret_ms)
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

static int run_all(struct ways *ways, const struct sockaddr_un *echo)
{
	size_t order[WAYS_MAX] = {};

	for (int i = -ways->warmup; i < ways->rounds; i++) {
		turns(order, ways->n);
		for (size_t t = 0; t < ways->n; t++) {
			struct way *way = &ways->way[order[t]];
			double ms = 0;
			int r = run_once(way, echo, &ms);

			if (r < 0)
				return r;
			if (i >= 0)
				way->values[i] = ms;
		}
	}
	return 0;
}

int measure_exec(struct ways *ways)
{
	struct sockaddr_un echo;
	pid_t pid = start_echo(&echo);
	double first;
	int r;

	if (pid < 0)
		return (int)pid;
	r = run_all(ways, &echo);
	(void)kill(pid, SIGKILL);
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
