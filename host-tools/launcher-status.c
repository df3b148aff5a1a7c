/* SPDX-License-Identifier: MIT */
#include "launcher-status.h"

#include "cleanup.h"
#include "fd.h"
#include "launch/state.h"
#include "name.h"
#include "syscalls.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MAX (128 * 1024)
#define STATUS_DEADLINE_SEC 5

/* --- the answer ---------------------------------------------------------------------------- */

struct member {
	const char *name;
	size_t offset;
	enum { TEXT, NUMBER_32, NUMBER_64 } type;
};

#define MEMBER(member_name, member_type)                                                           \
	{                                                                                          \
#member_name, offsetof(struct launcher_status, member_name), member_type           \
	}

static const struct member members[] = {
	MEMBER(state, TEXT),
	MEMBER(init, TEXT),
	MEMBER(leader, NUMBER_32),
	MEMBER(launcher, NUMBER_32),
	MEMBER(boots, NUMBER_32),
	MEMBER(since_usec, NUMBER_64),
	MEMBER(uid_base, NUMBER_32),
	MEMBER(uid_count, NUMBER_32),
};

/* A string without escapes: *ret points into the text. Returns what follows it, NULL on error. */
static const char *parse_text(const char *p, const char **ret, size_t *ret_len)
{
	size_t n;

	if (*p != '"')
		return NULL;
	n = strcspn(p + 1, "\"\\");
	if (p[1 + n] != '"')
		return NULL;
	*ret = p + 1;
	*ret_len = n;
	return p + n + 2;
}

static const char *parse_number(const char *p, uint64_t *ret)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(value, 10U, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return NULL;
	*ret = value;
	return p;
}

static const struct member *find_member(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (strlen(members[i].name) == len && strncmp(members[i].name, name, len) == 0)
			return &members[i];
	return NULL;
}

/* The value at p into the member (NULL: skipped). Returns what follows it, NULL on error. */
static const char *parse_value(const char *p, const struct member *m, struct launcher_status *to)
{
	void *target = m ? (char *)to + m->offset : NULL;
	const char *text;
	uint64_t number;
	size_t len;

	if (*p == '"') {
		p = parse_text(p, &text, &len);
		if (!p || (m && (m->type != TEXT || len >= sizeof(to->state))))
			return NULL;
		if (m) {
			memcpy(target, text, len);
			((char *)target)[len] = '\0';
		}
		return p;
	}
	p = parse_number(p, &number);
	if (!p || (m && (m->type == TEXT || (m->type == NUMBER_32 && number > UINT32_MAX))))
		return NULL;
	if (m && m->type == NUMBER_32)
		memcpy(target, &(uint32_t){ (uint32_t)number }, sizeof(uint32_t));
	else if (m)
		memcpy(target, &number, sizeof(number));
	return p;
}

int launcher_status_parse(const char *text, struct launcher_status *ret)
{
	struct launcher_status status = *ret;
	const char *p = text, *name;
	size_t len;

	if (*p++ != '{')
		return -EPROTO;
	while (*p != '}') {
		p = parse_text(p, &name, &len);
		if (!p || *p != ':')
			return -EPROTO;
		p = parse_value(p + 1, find_member(name, len), &status);
		if (!p || (*p != ',' && *p != '}'))
			return -EPROTO;
		if (*p == ',' && *++p == '}')
			return -EPROTO;
	}
	if (!status.state[0] || status.leader < 0 || status.launcher <= 0)
		return -EPROTO;
	*ret = status;
	return 0;
}

/* --- the question -------------------------------------------------------------------------- */

static int connect_to(const char *name, int seconds)
{
	struct timeval deadline = { .tv_sec = seconds };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	static_assert(
		sizeof(RUN_DIR "//launcher.socket") + NAME_MAX_LEN <= sizeof(address.sun_path),
		"every name fits");
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline)) < 0)
		return -errno;
	(void)snprintf(
		address.sun_path, sizeof(address.sun_path), RUN_DIR "/%s/launcher.socket", name);
	/* a socket that nobody listens on is what a crash left */
	if (UNINTERRUPTED(connect(fd, (struct sockaddr *)&address, sizeof(address))) < 0)
		return errno == ECONNREFUSED || errno == ENOTDIR ? -ENOENT : -errno;
	return TAKE_FD(fd);
}

/* The process that listens on the other side of fd. */
static int peer_pidfd(int fd)
{
	int pidfd;
	socklen_t len = sizeof(pidfd);

	return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0 ? -EBADF : pidfd;
}

/* One question, one answer, the deadline as for connect_to(). fd: borrowed. */
static int converse(int fd, const char *question, int seconds, char **ret)
{
	_cleanup_free_ char *answer = malloc(ANSWER_MAX + 1);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (!answer)
		return -ENOMEM;
	if (UNINTERRUPTED(send(fd, question, strlen(question), MSG_NOSIGNAL)) < 0)
		return errno == EPIPE || errno == ECONNRESET ? -ENOENT : -errno;
	/* not SO_RCVTIMEO, which begins anew after every stop of ours */
	n = UNINTERRUPTED(poll(&p, 1, seconds > 0 ? seconds * 1000 : -1));
	if (n == 0)
		return -EAGAIN;
	if (n > 0)
		n = UNINTERRUPTED(recv(fd, answer, ANSWER_MAX, 0));
	if (n < 0)
		return errno == ECONNRESET ? -ENOENT : -errno;
	if (n == 0) /* it serves root only, and ends without an answer */
		return geteuid() == 0 ? -ENOENT : -EACCES;
	answer[n] = '\0';
	*ret = TAKE_PTR(answer);
	return 0;
}

int launcher_request(const char *name, const char *request, int seconds, char **ret)
{
	_cleanup_close_ int fd = connect_to(name, seconds);

	return fd < 0 ? fd : converse(fd, request, seconds, ret);
}

int launcher_ask(const char *name, struct launcher_status *ret)
{
	struct launcher_status status = LAUNCHER_STATUS_NULL;
	_cleanup_close_ int fd = connect_to(name, STATUS_DEADLINE_SEC);
	_cleanup_free_ char *answer = NULL;
	int r = fd < 0 ? fd : converse(fd, "status", STATUS_DEADLINE_SEC, &answer);

	if (r < 0)
		return r;
	r = answer ? launcher_status_parse(answer, &status) : -EPROTO;
	if (r < 0)
		return r;
	status.launcher_fd = peer_pidfd(fd);
	*ret = status;
	return 0;
}

void launcher_status_done(struct launcher_status *status)
{
	close_fdp(&status->launcher_fd);
}

int launcher_open_leader(const char *name, const struct launcher_status *status)
{
	_cleanup_(launcher_status_done) struct launcher_status again = LAUNCHER_STATUS_NULL;
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (status->leader <= 0)
		return -ESRCH;
	fd = pidfd_open(status->leader, 0);
	if (fd < 0)
		return -errno;
	r = launcher_ask(name, &again);
	if (r < 0)
		return r;
	return again.leader == status->leader ? TAKE_FD(fd) : -ESRCH;
}
