/* SPDX-License-Identifier: MIT */

/*
 * swap A B [C D …]: exchanges the paths of each pair, in turn, as fast as the kernel can, until
 * SIGTERM; then it prints how often. Pairs of which one isn't there at the moment are passed over.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define LIFE_SECONDS 600 /* should the test that started it have died */

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

int main(int argc, char **argv)
{
	unsigned long count = 0;

	if (argc < 3 || argc % 2 == 0) {
		fprintf(stderr, "usage: swap A B [C D ...]\n");
		return 2;
	}
	(void)signal(SIGTERM, on_signal);
	(void)signal(SIGALRM, on_signal);
	(void)alarm(LIFE_SECONDS);
	while (!ended)
		for (int i = 1; i < argc; i += 2) {
			if (renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE) ==
				0) {
				count++;
			} else if (errno != ENOENT) {
				perror(argv[i]);
				return 1;
			}
		}
	printf("%lu\n", count);
	return 0;
}
