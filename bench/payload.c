/* SPDX-License-Identifier: MIT */

/*
 * What `ways` runs in the container; static, so that every container can.
 *
 * payload echo: makes its terminal raw, says "payload ready.", returns each key; ends at ^D.
 *
 * payload out BYTES: writes that many.
 *
 * payload in [BYTES]: reads to the end.
 *
 * payload both [BYTES]: returns what it reads.
 *
 * The latter three stay on the last processor that they may use: ways-bulk.c says why.
 */

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PIECE 65536

static char piece[PIECE];

static int write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n <= 0)
			return 1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int echo(void)
{
	static const char ready[] = "payload ready.";
	struct termios mode;

	if (tcgetattr(STDIN_FILENO, &mode) == 0) {
		cfmakeraw(&mode);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
	if (write_all(ready, sizeof(ready) - 1))
		return 1;
	while (read(STDIN_FILENO, piece, 1) == 1 && piece[0] != '\004')
		if (write_all(piece, 1))
			return 1;
	return 0;
}

static int out(size_t bytes)
{
	for (; bytes > 0; bytes -= bytes < PIECE ? bytes : PIECE)
		if (write_all(piece, bytes < PIECE ? bytes : PIECE))
			return 1;
	return 0;
}

static int in(int also_out)
{
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, PIECE)) > 0)
		if (also_out && write_all(piece, (size_t)n))
			return 1;
	return n < 0;
}

/* On the last processor, with a buffer of real memory. */
static void settle(void)
{
	cpu_set_t all, one;
	int last = -1;

	memset(piece, 'p', sizeof(piece));
	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			last = cpu;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "echo") == 0)
		return echo();
	settle();
	if (strcmp(what, "out") == 0 && argc > 2)
		return out(strtoul(argv[2], NULL, 10));
	if (strcmp(what, "in") == 0)
		return in(0);
	if (strcmp(what, "both") == 0)
		return in(1);
	fprintf(stderr, "usage: payload echo|in|both|out BYTES\n");
	return 2;
}
