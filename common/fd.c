/* SPDX-License-Identifier: MIT */
#include "fd.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_all(int fd, size_t max, char **ret)
{
	size_t size = max < 4096 ? max : 4096, len = 0;
	_cleanup_free_ char *buf = malloc(size + 1);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, buf + len, size + 1 - len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len > size) {
			char *bigger;

			size = size > max / 2 ? max : size * 2;
			bigger = realloc(buf, size + 1);
			if (!bigger)
				return -ENOMEM;
			buf = bigger;
		}
	}
	buf[len] = '\0';
	*ret = TAKE_PTR(buf);
	return (ssize_t)len;
}

ssize_t file_read_all(int dirfd, const char *path, int flags, size_t max, char **ret)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | flags);

	if (fd < 0)
		return -errno;
	return fd_read_all(fd, max, ret);
}

int file_refresh(int dirfd, const char *path, const char *text)
{
	int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	size_t len = strlen(text);
	char *there = NULL;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	n = fd_read_all(fd, len + 1, &there);
	/* cut afterwards: never empty in between */
	if (n != (ssize_t)len || !there || memcmp(there, text, len) != 0)
		if (fchmod(fd, 0644) < 0 || pwrite(fd, text, len, 0) != (ssize_t)len ||
			ftruncate(fd, (off_t)len) < 0)
			r = -errno;
	free(there);
	(void)close(fd);
	return r;
}

int file_write_string(int dirfd, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int fd_send_message(int sock, const void *data, size_t len, const int *fds, size_t n, int flags)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control = {};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n > FD_PASS_MAX)
		return -EINVAL;
	if (n > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n);
	}
	while (sendmsg(sock, &message, flags | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int fd_send(int sock, char tag, const int *fds, size_t n)
{
	return fd_send_message(sock, &tag, 1, fds, n, 0);
}

int fd_receive(int sock, char *ret_tag, int *ret_fds, size_t max)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control = {};
	char tag = 0;
	struct iovec iov = { .iov_base = &tag, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[FD_PASS_MAX];
	size_t got = 0;
	ssize_t r;

	do
		r = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), got * sizeof(int));
		}
	if (r == 0 || got > max) {
		for (size_t i = 0; i < got; i++)
			(void)close(fds[i]);
		return r == 0 ? -ECONNRESET : -EPROTO;
	}
	memcpy(ret_fds, fds, got * sizeof(int));
	*ret_tag = tag;
	return (int)got;
}

pid_t pidfd_to_pid(int pidfd)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	const char *line;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (file_read_all(AT_FDCWD, path, 0, 4096, &text) < 0 || !text)
		return -1;
	line = strstr(text, "\nPid:");
	return line ? (pid_t)strtol(line + 5, NULL, 10) : -1;
}

int fd_open_locked(const char *path)
{
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	while (fd >= 0 && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return fd < 0 ? -errno : TAKE_FD(fd);
}
