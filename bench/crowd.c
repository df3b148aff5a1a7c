/* SPDX-License-Identifier: MIT */

/*
 * crowd N KEYS COMMAND [--kill=CGROUP.PROCS] door PATH        N sessions at a socket, or
 * crowd N KEYS COMMAND run ARGV…                              N programs with a pipe each way;
 * behind each is bench/echoer.c. Prints "open MS p50 US p99 US memory KIB first MS all MS": how
 * long it took to open all, a key's echo in one of them (KEYS keys, each in a session of its own
 * choice), what COMMAND prints while all are open, and after a kill how long until one key, typed
 * in every session, was back from the first, and from all; "-" without --kill.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

#define DEADLINE_MS 60000

struct line {
	int in, out;
};

static struct line *lines;
static size_t n_lines;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct line open_door(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return (struct line){ fd, fd };
}

static struct line open_program(char **argv)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
			_exit(127);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	return (struct line){ in[1], out[0] };
}

static char get(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&p, 1, DEADLINE_MS) <= 0 || read(fd, &byte, 1) != 1)
		die("a session says nothing");
	return byte;
}

/* Up to "ready" and the end of that line. */
static void await_ready(const struct line *line)
{
	static const char ready[] = "ready";
	size_t n = 0;

	while (n < sizeof(ready) - 1) {
		char byte = get(line->out);

		n = byte == ready[n] ? n + 1 : byte == ready[0];
	}
	while (get(line->out) != '\n')
		;
}

static void type(const struct line *line)
{
	if (write(line->in, "k", 1) != 1)
		die("cannot type");
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void keys(size_t n, double *ret_p50, double *ret_p99)
{
	_cleanup_free_ double *times = calloc(n, sizeof(*times));

	if (!times)
		die("memory");
	srandom(1);
	for (size_t i = 0; i < n; i++) {
		const struct line *line = &lines[(size_t)random() % n_lines];
		struct pollfd early = { .fd = line->out, .events = POLLIN };
		double start;

		if (poll(&early, 1, 0) != 0)
			die("an echo before its key");
		start = now_us();

		type(line);
		(void)get(line->out);
		times[i] = now_us() - start;
	}
	qsort(times, n, sizeof(*times), compare);
	*ret_p50 = times[n / 2];
	*ret_p99 = times[n * 99 / 100];
}

static long memory(const char *command)
{
	FILE *f = popen(command, "re");
	long kib;

	if (!f || fscanf(f, "%ld", &kib) != 1 || pclose(f) != 0)
		die(command);
	return kib;
}

static void kill_all(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	int pid, n = 0;

	while (f && fscanf(f, "%d", &pid) == 1)
		n += kill(pid, SIGKILL) == 0;
	if (n == 0)
		die("nobody to kill");
}

/* A key in every session: milliseconds until the first and the last echo. */
static void take_over(const char *path, double *ret_first, double *ret_all)
{
	double start = now_us();
	_cleanup_free_ struct pollfd *fds = calloc(n_lines, sizeof(*fds));

	if (!fds)
		die("memory");
	kill_all(path);
	for (size_t i = 0; i < n_lines; i++) {
		type(&lines[i]);
		fds[i] = (struct pollfd){ .fd = lines[i].out, .events = POLLIN };
	}
	if (poll(fds, n_lines, DEADLINE_MS) <= 0)
		die("nobody has taken over");
	*ret_first = (now_us() - start) / 1000;
	for (size_t i = 0; i < n_lines; i++)
		(void)get(lines[i].out);
	*ret_all = (now_us() - start) / 1000;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	const char *killed = NULL;
	size_t n_keys, want;
	double start, opened, p50, p99, first, all;
	char **mode;

	if (argc < 6)
		return 2;
	want = strtoul(argv[1], NULL, 10);
	n_keys = strtoul(argv[2], NULL, 10);
	mode = argv + 4;
	if (strncmp(*mode, "--kill=", 7) == 0)
		killed = *mode++ + 7;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	lines = calloc(want, sizeof(*lines));
	if (!lines)
		die("memory");
	start = now_us();
	for (; n_lines < want; n_lines++) {
		lines[n_lines] =
			strcmp(mode[0], "door") == 0 ? open_door(mode[1]) : open_program(mode + 1);
		await_ready(&lines[n_lines]);
	}
	opened = (now_us() - start) / 1000;
	keys(n_keys, &p50, &p99);
	(void)signal(SIGCHLD, SIG_DFL);
	printf("open %.0f p50 %.0f p99 %.0f memory %ld", opened, p50, p99, memory(argv[3]));
	if (killed) {
		take_over(killed, &first, &all);
		printf(" first %.1f all %.1f\n", first, all);
	} else {
		printf(" first - all -\n");
	}
	return 0;
}
