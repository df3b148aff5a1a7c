/* SPDX-License-Identifier: MIT */

/*
 * swap A B [C D …]: exchanges the paths of each pair, in turn, for ever, as fast as the kernel can.
 * A term signal, or the end of its input, ends it; it prints how often it has exchanged a pair.
 * Pairs of which one isn't there at the moment are passed over.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 64 /* between two looks at the input */

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static int input_is_open(void)
{
	struct pollfd p = { .fd = STDIN_FILENO };

	return poll(&p, 1, 0) == 0;
}

int main(int argc, char **argv)
{
	unsigned long count = 0;

	if (argc < 3 || argc % 2 == 0) {
		fprintf(stderr, "usage: swap A B [C D ...]\n");
		return 2;
	}
	(void)signal(SIGTERM, on_signal);
	while (!ended && input_is_open())
		for (int round = 0; round < ROUNDS && !ended; round++)
			for (int i = 1; i < argc; i += 2) {
				if (renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1],
					    RENAME_EXCHANGE) == 0) {
					count++;
				} else if (errno != ENOENT) {
					perror(argv[i]);
					return 1;
				}
			}
	printf("%lu\n", count);
	return 0;
}
