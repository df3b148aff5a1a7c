/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include "cleanup.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

int terminal_open(int devpts_fd)
{
	static const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	_cleanup_close_ int fd =
		openat(devpts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const int unlock = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, TIOCSPTLCK, &unlock) < 0 || ioctl(fd, TIOCSWINSZ, &size) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int terminal_slave(int master)
{
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
