/* SPDX-License-Identifier: MIT */

/* What is behind each session of bench/inside-sessions: says "ready", then gives each byte back. */

#include <errno.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
	struct termios mode;
	char byte;
	ssize_t n;

	if (tcgetattr(STDIN_FILENO, &mode) == 0) {
		cfmakeraw(&mode);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &mode);
	}
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while ((n = read(STDIN_FILENO, &byte, 1)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && write(STDOUT_FILENO, &byte, 1) != 1)
			return 1;
	return 0;
}
