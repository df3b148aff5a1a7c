/* SPDX-License-Identifier: MIT */

/*
 * torture-payload SEED UP DOWN STATUS [ROWS COLS]: the guest's end of a session of
 * tests/torture/torture.c.
 *
 * Says that it is ready; reads UP bytes, which must be those of SEED, while it writes DOWN bytes of
 * SEED+1; without a terminal it wants the end of file then, with ROWS and COLS a terminal of that
 * size. At the end a line says what it has seen, and it exits with STATUS, or by signal
 * STATUS-1000. A SIGUSR1 is answered by an 's' on stderr, without a terminal.
 */

#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PIECE 4096
#define SIZE_POLLS 3000

static volatile sig_atomic_t signals;
static bool tty;

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	signals++;
	if (!tty && write(STDERR_FILENO, "s", 1) < 0) {
		/* nobody is left to know */
	}
	errno = saved;
}

static void pause_usec(long usec)
{
	const struct timespec t = { .tv_nsec = usec * 1000 };

	(void)nanosleep(&t, NULL);
}

static void put(const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t done = write(STDOUT_FILENO, text, n);

		if (done < 0 && errno != EINTR)
			_exit(98);
		if (done > 0) {
			text += done;
			n -= (size_t)done;
		}
	}
}

struct traffic {
	uint32_t seed;
	uint64_t up, down, got, sent, wrong; /* wrong: the first byte that was, from 1 */
};

static void take(struct traffic *t)
{
	uint8_t buf[PIECE];
	size_t left = (size_t)(t->up - t->got), good;
	ssize_t n = read(STDIN_FILENO, buf, left < sizeof(buf) ? left : sizeof(buf));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		_exit(97); /* the client has gone, and this is how it was meant */
	good = stream_compare(buf, (size_t)n, t->seed, t->got, tty);
	if (good < (size_t)n && t->wrong == 0)
		t->wrong = t->got + good + 1;
	t->got += (uint64_t)n;
}

static void give(struct traffic *t)
{
	uint8_t buf[PIECE];
	uint64_t left = t->down - t->sent;
	size_t n = (size_t)(stream_mix(t->sent + t->seed) % sizeof(buf)) + 1;
	ssize_t done;

	n = n > left ? (size_t)left : n;
	stream_fill(buf, n, t->seed + 1, t->sent, tty);
	done = write(STDOUT_FILENO, buf, n);
	if (done < 0 && errno != EINTR)
		_exit(98);
	if (done > 0)
		t->sent += (uint64_t)done;
}

static void exchange(struct traffic *t)
{
	while (t->got < t->up || t->sent < t->down) {
		struct pollfd fds[2] = {
			{ .fd = t->got < t->up ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = t->sent < t->down ? STDOUT_FILENO : -1, .events = POLLOUT },
		};
		uint64_t luck = stream_mix(t->got ^ t->sent << 20 ^ t->seed);

		if (luck % 16 == 0)
			pause_usec((long)(luck >> 8) % 30000);
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			give(t);
		if (fds[0].revents)
			take(t);
	}
}

/* How many bytes come that nobody has sent. */
static int extra(void)
{
	uint8_t byte;
	int n = 0;
	ssize_t r;

	while ((r = read(STDIN_FILENO, &byte, 1)) != 0) {
		if (r < 0 && errno != EINTR)
			return -1;
		n += r > 0;
	}
	return n;
}

static struct winsize wait_for_size(int rows, int cols)
{
	struct winsize size = {};

	for (int i = 0; i < SIZE_POLLS; i++) {
		(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
		if (size.ws_row == rows && size.ws_col == cols)
			break;
		pause_usec(10000);
	}
	return size;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct traffic t = {};
	struct winsize size = {};
	struct termios mode;
	char text[160];
	int status, more = 0;

	if (argc != 5 && argc != 7)
		return 2;
	t.seed = (uint32_t)strtoul(argv[1], NULL, 10);
	t.up = strtoull(argv[2], NULL, 10);
	t.down = strtoull(argv[3], NULL, 10);
	status = (int)strtol(argv[4], NULL, 10);
	tty = tcgetattr(STDIN_FILENO, &mode) == 0;
	(void)sigaction(SIGUSR1, &action, NULL);
	if (tty) {
		cfmakeraw(&mode);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
	(void)snprintf(text, sizeof(text), STREAM_READY, t.seed);
	put(text);
	exchange(&t);
	if (!tty)
		more = extra();
	if (argc == 7)
		size = wait_for_size(
			(int)strtol(argv[5], NULL, 10), (int)strtol(argv[6], NULL, 10));
	(void)snprintf(text, sizeof(text), "<<END wrong=%llu more=%d signals=%d size=%dx%d>>\n",
		(unsigned long long)t.wrong, more, (int)signals, size.ws_row, size.ws_col);
	put(text);
	if (status >= 1000)
		(void)kill(getpid(), status - 1000);
	return status;
}
