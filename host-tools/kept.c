/* SPDX-License-Identifier: MIT */

/*
 * A socket that nobody listens at is what a keeper left that was killed. It counts for nothing, and
 * who takes its ID removes it. That is done under a lock on the directory: of two who find the same
 * one the second would remove the first one's.
 */

#include "kept.h"

#include "cleanup.h"
#include "fd.h"
#include "launch/state.h"
#include "name.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* A keeper answers at once, unless somebody has stopped it. */
static const struct timeval deadline = { .tv_sec = 2 };

int kept_send(int sock, enum kept_type type, const void *data, size_t len, int flags)
{
	struct kept_header header = { .version = KEPT_VERSION, .type = (uint8_t)type };
	struct iovec iov[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)data, .iov_len = len },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = len > 0 ? 2 : 1 };

	while (sendmsg(sock, &message, flags | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static bool fits(uint8_t type, size_t len)
{
	switch (type) {
	case KEPT_ATTACH:
	case KEPT_SIZE:
		return len == sizeof(struct kept_size);
	case KEPT_STATE:
		return len == sizeof(struct kept_state);
	case KEPT_ENDED:
		return len == sizeof(struct kept_end);
	case KEPT_KEYS:
	case KEPT_OUTPUT:
		return len <= KEPT_DATA;
	case KEPT_ASK:
	case KEPT_LEFT:
	case KEPT_TAKEN:
		return len == 0;
	default:
		return false;
	}
}

ssize_t kept_receive(int sock, struct kept_packet *ret, int flags)
{
	struct iovec iov[] = {
		{ .iov_base = &ret->header, .iov_len = sizeof(ret->header) },
		{ .iov_base = ret->data, .iov_len = sizeof(ret->data) },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	ssize_t n;

	do
		n = recvmsg(sock, &message, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -ENODATA : -errno;
	if (n == 0)
		return -ENODATA;
	n -= (ssize_t)sizeof(ret->header);
	if (n < 0 || (message.msg_flags & MSG_TRUNC) || ret->header.version != KEPT_VERSION ||
		!fits(ret->header.type, (size_t)n))
		return -EPROTO;
	if (ret->header.type == KEPT_STATE)
		ret->state.user[KEPT_USER_SIZE - 1] = '\0';
	if (ret->header.type == KEPT_ENDED)
		ret->end.text[KEPT_TEXT_SIZE - 1] = '\0';
	return n;
}

/* RUN_DIR/NAME/kept, -errno when it can't be opened. */
static int open_directory(const char *name)
{
	char path[sizeof(RUN_DIR "//" KEPT_DIR) + NAME_MAX_LEN];
	int fd;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/" KEPT_DIR, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int new_socket(const char *name, unsigned int id, struct sockaddr_un *ret)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	static_assert(sizeof(RUN_DIR "//" KEPT_DIR "/64") + NAME_MAX_LEN <= sizeof(ret->sun_path),
		"every name fits");
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(
		ret->sun_path, sizeof(ret->sun_path), RUN_DIR "/%s/" KEPT_DIR "/%u", name, id);
	return fd < 0 ? -errno : fd;
}

int kept_connect(const char *name, unsigned int id)
{
	struct sockaddr_un address;
	_cleanup_close_ int fd = new_socket(name, id, &address);

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
	if (UNINTERRUPTED(connect(fd, (struct sockaddr *)&address, sizeof(address))) < 0)
		return errno == ECONNREFUSED ? -ENOENT : -errno;
	return TAKE_FD(fd);
}

/* 0: listening; 1: the ID is taken; -errno. dir: locked. */
static int listen_at(int dir, const char *name, unsigned int id, int *ret)
{
	struct sockaddr_un address;
	_cleanup_close_ int fd = new_socket(name, id, &address), other = -EBADF;

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno != EADDRINUSE)
			return -errno;
		other = kept_connect(name, id);
		if (other != -ENOENT)
			return 1;
		(void)unlinkat(dir, strrchr(address.sun_path, '/') + 1, 0);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			return -errno;
	}
	if (listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int kept_listen(const char *name, unsigned int *ret_id, int *ret_dir)
{
	_cleanup_close_ int dir = open_directory(name);
	int fd = -EBADF, r = 1;

	if (dir < 0)
		return dir;
	if (flock(dir, LOCK_EX) < 0)
		return -errno;
	for (unsigned int id = 1; r == 1 && id <= KEPT_MAX; id++) {
		r = listen_at(dir, name, id, &fd);
		*ret_id = id;
	}
	(void)flock(dir, LOCK_UN);
	if (r != 0)
		return r < 0 ? r : -EUSERS;
	*ret_dir = TAKE_FD(dir);
	return fd;
}

/* False: there is no such session. */
static bool ask(const char *name, unsigned int id, struct kept_state *ret)
{
	_cleanup_close_ int sock = kept_connect(name, id);
	struct kept_packet packet;

	if (sock == -ENOENT)
		return false;
	*ret = (struct kept_state){ .id = id, .status = -1, .silent = true };
	if (sock < 0 ||
		setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) < 0 ||
		kept_send(sock, KEPT_ASK, NULL, 0, 0) < 0)
		return true;
	if (kept_receive(sock, &packet, 0) < 0 || packet.header.type != KEPT_STATE)
		return true;
	*ret = packet.state;
	ret->id = id;
	ret->silent = false;
	return true;
}

ssize_t kept_list(const char *name, struct kept_state *ret)
{
	_cleanup_close_ int dir = open_directory(name);
	ssize_t n = 0;

	if (dir < 0)
		return dir;
	for (unsigned int id = 1; id <= KEPT_MAX; id++) {
		char file[16];

		(void)snprintf(file, sizeof(file), "%u", id);
		if (faccessat(dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && ask(name, id, &ret[n]))
			n++;
	}
	return n;
}
