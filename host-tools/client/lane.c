/* SPDX-License-Identifier: MIT */

/*
 * A lane waits for one of its ends at a time: to read something, or to write what it has. Between
 * pipes, and to and from files, pages are moved by splice(), which never blocks on a pipe with
 * SPLICE_F_NONBLOCK whatever the description says; EAGAIN may mean either end, so the lane then
 * waits for the other one. Where splice() can't (EINVAL), a buffer does.
 *
 * The caller's descriptions are shared with who knows whom, so O_NONBLOCK is not for us to set. A
 * terminal or pipe can be opened anew through /proc; a socket knows MSG_DONTWAIT; for what is left
 * poll() promises room for LANE_SURE bytes.
 */

#include "lane.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#define PIPE_FULL 32768 /* in one piece: half of a pipe's usual size */
#define LANE_SURE 4096	/* PIPE_BUF: a pipe that is writable has room for it */
#define SPLICE_MAX (1U << 20)
/* A pipe of ours that has been full once is made this big: fewer switches between its ends. */
#define PIPE_BIG (1 << 20) /* what /proc/sys/fs/pipe-max-size allows everybody */
/* What a pty can hold: its buffers' 64 KiB and what the line discipline has. */
#define PTY_MAX (128U * 1024)

static bool is_ours(int fd)
{
	return fd > STDERR_FILENO;
}

static void set_nonblock(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int lane_reopen(int to)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A way to write to the caller's descriptor without waiting. */
static void prepare_writing(struct lane *lane, mode_t mode)
{
	int fd;

	lane->is_socket = S_ISSOCK(mode);
	/* a guest can open its end anew for reading, and be quicker than we are after poll() */
	if (is_ours(lane->from))
		set_nonblock(lane->from);
	if (S_ISREG(mode) || S_ISBLK(mode) || lane->is_socket)
		return;
	if (is_ours(lane->to)) {
		set_nonblock(lane->to);
		return;
	}
	fd = lane_reopen(lane->to);
	if (fd >= 0)
		lane->to = fd;
	else
		lane->may_block = true;
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static bool can_splice(const struct stat *from, const struct stat *to)
{
	bool from_pipe = S_ISFIFO(from->st_mode), to_pipe = S_ISFIFO(to->st_mode);

	return (from_pipe && (to_pipe || S_ISREG(to->st_mode) || is_null(to))) ||
	       (to_pipe && S_ISREG(from->st_mode));
}

void lane_start(struct lane *lane, int from, int to, enum lane_end end)
{
	struct stat a = {}, b = {};

	lane->from = from;
	lane->to = to;
	lane->end = end;
	lane->open = true;
	lane->left = SIZE_MAX;
	(void)fstat(from, &a);
	(void)fstat(to, &b);
	lane->spliced = can_splice(&a, &b);
	if (!lane->spliced)
		prepare_writing(lane, b.st_mode);
}

void lane_stop(struct lane *lane)
{
	if (!lane->open)
		return;
	lane->open = false;
	if (lane->end == LANE_SHUTDOWN)
		(void)shutdown(lane->to, SHUT_WR);
	if (lane->end == LANE_CLOSE && is_ours(lane->to))
		(void)close(lane->to);
	if (lane->end == LANE_CLOSE && is_ours(lane->from))
		(void)close(lane->from);
	lane->from = lane->to = -EBADF;
}

struct pollfd lane_wants(const struct lane *lane)
{
	if (!lane->open)
		return (struct pollfd){ .fd = -1 };
	return (struct pollfd){
		.fd = lane->waits_for_to ? lane->to : lane->from,
		.events = lane->waits_for_to ? POLLOUT : POLLIN,
	};
}

static void fail_writing(struct lane *lane, int error)
{
	/* a reader who has gone is no news; the writer learns it when our end closes */
	if (error != EPIPE && error != ECONNRESET)
		lane->error = error;
	lane_stop(lane);
}

static bool need_buffer(struct lane *lane)
{
	if (!lane->buffer)
		lane->buffer = malloc(LANE_SIZE);
	if (!lane->buffer)
		fail_writing(lane, ENOMEM);
	return lane->buffer;
}

/* The far side of a terminal has no end of file but a key; typed within a line it only sends that.
 */
static void type_end(struct lane *lane)
{
	struct termios mode;

	if (tcgetattr(lane->to, &mode) < 0 || !(mode.c_lflag & ICANON) || !need_buffer(lane)) {
		lane->open = false;
		return;
	}
	lane->buffer[0] = lane->buffer[1] = (char)mode.c_cc[VEOF];
	lane->start = 0;
	lane->n = lane->last == '\n' || lane->last == '\0' ? 1 : 2;
	lane->waits_for_to = true;
}

static void end_reading(struct lane *lane)
{
	lane->at_end = true;
	if (lane->end == LANE_TYPE)
		type_end(lane);
	else
		lane_stop(lane);
}

/*
 * What breaks off has no end. But a terminal says so when it is gone, and what could never be read,
 * a directory or what nohup(1) leaves, is no input.
 */
static void fail_reading(struct lane *lane, int error)
{
	if (error == EIO ? !isatty(lane->from) : lane->moved && error != ECONNRESET)
		lane->error = error;
	end_reading(lane);
}

static void passed(struct lane *lane, size_t n)
{
	lane->moved = true;
	if (lane->left != SIZE_MAX)
		lane->left -= n;
	lane->waits_for_to = false;
	if (lane->left == 0)
		end_reading(lane);
}

static size_t bytes_waiting(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* Of the pipes on the way only ours: the caller's are his. It may be refused, and then isn't
 * needed. */
static void grow(struct lane *lane)
{
	(void)fcntl(is_ours(lane->from) ? lane->from : lane->to, F_SETPIPE_SZ, PIPE_BIG);
	lane->grown = true;
}

static void move_pages(struct lane *lane)
{
	size_t most = lane->left < SPLICE_MAX ? lane->left : SPLICE_MAX;
	ssize_t n =
		splice(lane->from, NULL, lane->to, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	struct stat st = {};

	if (n > 0) {
		if (n >= PIPE_FULL && !lane->grown)
			grow(lane);
		passed(lane, (size_t)n);
	} else if (n == 0 ||
		   (errno == EAGAIN && lane->left != SIZE_MAX && bytes_waiting(lane->from) == 0)) {
		end_reading(lane); /* the end, or somebody else has read what was limited */
	} else if (errno == EAGAIN) {
		lane->waits_for_to = !lane->waits_for_to;
	} else if (errno == EINVAL || errno == EBADF) {
		/* a file that is only appended to, a pipe behind both ends, one that can't be read:
		 * by hand */
		lane->spliced = false;
		lane->waits_for_to = false;
		(void)fstat(lane->to, &st);
		prepare_writing(lane, st.st_mode);
	} else if (errno != EINTR) {
		fail_writing(lane, errno);
	}
}

static bool write_out(struct lane *lane)
{
	const char *data = lane->buffer + lane->start;
	size_t most = lane->may_block && lane->n > LANE_SURE ? LANE_SURE : lane->n;
	ssize_t n = lane->is_socket ? send(lane->to, data, most, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(lane->to, data, most);

	lane->waits_for_to = true;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail_writing(lane, errno);
		return false;
	}
	lane->start += (size_t)n;
	lane->n -= (size_t)n;
	return lane->n == 0;
}

/* False: nothing to write. */
static bool read_in(struct lane *lane)
{
	size_t most = lane->left < LANE_SIZE ? lane->left : LANE_SIZE;
	ssize_t n;

	if (!need_buffer(lane))
		return false;
	n = read(lane->from, lane->buffer, most);
	if (n < 0 && (errno == EINTR || (errno == EAGAIN && lane->left == SIZE_MAX)))
		return false;
	if (n < 0 && errno != EAGAIN)
		fail_reading(lane, errno);
	else if (n <= 0)
		end_reading(lane);
	if (n <= 0)
		return false;
	lane->start = 0;
	lane->n = (size_t)n;
	lane->last = lane->buffer[n - 1];
	if (lane->filter && lane->filter(lane->arg, lane->buffer, lane->n)) {
		lane->stopped = true;
		lane_stop(lane);
		return false;
	}
	return true;
}

static void move_bytes(struct lane *lane)
{
	size_t had = lane->n;

	if (lane->n == 0) {
		if (!read_in(lane))
			return;
		had = lane->n;
		if (lane->may_block) {
			lane->waits_for_to = true;
			return;
		}
	}
	if (!write_out(lane)) {
		if (lane->open && lane->left != SIZE_MAX)
			lane->left -= had - lane->n;
		return;
	}
	if (lane->at_end)
		lane->open = false;
	else
		passed(lane, had);
}

void lane_move(struct lane *lane)
{
	if (!lane->open)
		return;
	if (lane->spliced)
		move_pages(lane);
	else
		move_bytes(lane);
}

void lane_limit(struct lane *lane)
{
	if (!lane->open)
		return;
	if (isatty(lane->from)) {
		/* what is on the way to a master is not counted; reading it until EAGAIN finds all
		 */
		lane->left = lane->n + PTY_MAX;
	} else {
		lane->left = lane->n + bytes_waiting(lane->from);
	}
	if (lane->left == 0)
		lane_stop(lane);
}
