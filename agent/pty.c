/* SPDX-License-Identifier: MIT */
#include "pty.h"

#include "cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

/*
 * What openpty(3) and login_tty(3) do, in pieces: glibc's openpty() gives descriptors without
 * O_CLOEXEC, and login_tty() belongs into the child (spawn.c).
 */

#define CONTROL_D 4

int pty_open(int *ret_master, int *ret_slave)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	_cleanup_close_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_close_ int slave = -EBADF;
	struct termios modes;

	if (master < 0)
		return -errno;
	if (unlockpt(master) < 0)
		return -errno;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	if (tcgetattr(slave, &modes) < 0)
		return -errno;
	modes.c_iflag |= IUTF8;
	if (tcsetattr(slave, TCSANOW, &modes) < 0 || ioctl(slave, TIOCSWINSZ, &size) < 0)
		return -errno;
	*ret_master = TAKE_FD(master);
	*ret_slave = TAKE_FD(slave);
	return 0;
}

int pty_type_eof(int master, int slave)
{
	struct pollfd unread = { .fd = slave, .events = POLLIN };
	struct termios modes;
	unsigned char c = CONTROL_D;

	if (poll(&unread, 1, 0) != 0)
		return 0;
	if (tcgetattr(slave, &modes) == 0 && (modes.c_lflag & ICANON) &&
		modes.c_cc[VEOF] != _POSIX_VDISABLE)
		c = modes.c_cc[VEOF];
	if (write(master, &c, 1) < 0)
		return errno == EAGAIN ? 0 : -errno;
	return 1;
}

int pty_name(int master, char ret[PTY_NAME_SIZE])
{
	unsigned int number;

	if (ioctl(master, TIOCGPTN, &number) < 0)
		return -errno;
	(void)snprintf(ret, PTY_NAME_SIZE, "pts/%u", number);
	return 0;
}
