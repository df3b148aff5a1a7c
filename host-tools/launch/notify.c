/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include "cleanup.h"
#include "fd.h"
#include "syscalls.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* sd_notify(3) allows no more than this in practice (systemd's NOTIFY_BUFFER_MAX is PIPE_BUF) */
#define MESSAGE_MAX 4096

/* A datagram socket connected to $NOTIFY_SOCKET; -ENOENT: there is none of that name; -EBADF:
 * nobody asked. */
static int connect_to_systemd(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_close_ int fd = -EBADF;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len;

	if (!path || !path[0])
		return -EBADF;
	if ((path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	else
		len++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int notify_systemd(const char *message)
{
	_cleanup_close_ int fd = connect_to_systemd();

	if (fd < 0)
		return fd == -EBADF ? 0 : fd;
	return send(fd, message, strlen(message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_barrier(int timeout_ms)
{
	_cleanup_close_ int fd = connect_to_systemd(), ours = -EBADF, theirs = -EBADF;
	int ends[2], r;

	if (fd < 0)
		return fd == -EBADF ? 0 : fd;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	r = fd_send_message(fd, "BARRIER=1", 9, &theirs, 1, 0);
	close_fdp(&theirs);
	if (r < 0)
		return r;
	r = UNINTERRUPTED(poll(&(struct pollfd){ .fd = ours }, 1, timeout_ms));
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

int notify_listen(int dirfd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	(void)snprintf(
		address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/notify", dirfd);
	(void)unlinkat(dirfd, "notify", 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		fchmodat(dirfd, "notify", 0666, 0) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	/* Linux 6.16; before that a truncated control buffer drops descriptors at once */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	return TAKE_FD(fd);
}

bool notify_says_ready(const char *text, size_t len)
{
	static const char line[] = "READY=1";

	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;

		if (n == strlen(line) && memcmp(text, line, n) == 0)
			return true;
		n += newline != NULL;
		text += n;
		len -= n;
	}
	return false;
}

bool notify_is_ready(int fd, pid_t leader)
{
	char text[MESSAGE_MAX];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))]; /* no room for a descriptor */
	} control = {};
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;
	struct ucred sender;

	/* a message that was cut could end in words that it doesn't say */
	if (n <= 0 || message.msg_flags & MSG_TRUNC)
		return false;
	cmsg = CMSG_FIRSTHDR(&message);
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS)
		return false;
	memcpy(&sender, CMSG_DATA(cmsg), sizeof(sender));
	return sender.pid == leader && notify_says_ready(text, (size_t)n);
}
