/* SPDX-License-Identifier: MIT */

/*
 * An agent with bad intentions.
 *
 *   agent PATH stream|seqpacket FILE
 *
 * listens at PATH as a door would. How it treats a client is what FILE says when that knocks: one
 * of the names in the table below. What it doesn't close stays open.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

#define FDS_MAX 250
#define FLOOD (64UL * 1024 * 1024)

static const char started[] = "\1\201\0\0\14\0\0\0\1\0\0\0";
static const char exited[] = "\1\203\0\0\50\0\0\0\1\0\0\0\0\0\0\0"
			     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
static char big[150000];

/* A client: its connection, and what came along with its first message. */
struct client {
	int sock;
	int fds[3];
	size_t n;
};

static void say(const struct client *c, const void *bytes, size_t len)
{
	(void)send(c->sock, bytes, len, MSG_NOSIGNAL);
}

static void say_started(const struct client *c)
{
	say(c, started, sizeof(started) - 1);
}

static void say_exited(const struct client *c)
{
	say(c, exited, sizeof(exited) - 1);
}

static void say_nothing(struct client *c)
{
	(void)c;
}

static void say_garbage(struct client *c)
{
	char bytes[1000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + 3);
	say(c, bytes, sizeof(bytes));
}

static void say_half(struct client *c)
{
	say(c, started, sizeof(started) - 2);
}

static void say_too_much(struct client *c)
{
	say(c, big, sizeof(big));
}

static void say_another_version(struct client *c)
{
	say(c, "\2\201\0\0\14\0\0\0\1\0\0\0", 12);
}

static void hang_up(struct client *c)
{
	close_fdp(&c->sock);
}

static void say_end_first(struct client *c)
{
	say_exited(c);
}

/* A session that lasts. */
static void start_only(struct client *c)
{
	say_started(c);
	if (c->n > 0)
		(void)!write(c->fds[c->n > 1], "held\n", 5);
}

/* That it has started and that it could not be. */
static void start_and_fail(struct client *c)
{
	say_started(c);
	say(c, "\1\202\0\0\24\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0", 20);
}

static void start_and_hang_up(struct client *c)
{
	say_started(c);
	hang_up(c);
}

static void start_and_say_half(struct client *c)
{
	say_started(c);
	say(c, exited, 5);
}

/* Text that a terminal would obey. */
static void refuse(struct client *c)
{
	say(c, "\1\204\0\0\26\0\0\0\12\0\0\0\33]0;evil\7\n", 22);
}

static void send_descriptors(struct client *c)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = {};
	struct iovec iov = { (void *)started, sizeof(started) - 1 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int) * FDS_MAX);
	for (size_t i = 0; i < FDS_MAX; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(int));
	/* where the kernel refuses it the session goes on without */
	if (sendmsg(c->sock, &message, MSG_NOSIGNAL) < 0)
		say_started(c);
	say_exited(c);
	(void)close(fd);
}

/*
 * The command is said to have ended, but its output goes on: more than any client has to take, and
 * then nothing, without an end. A client that wants it all waits for ever.
 */
static void flood(struct client *c)
{
	struct pollfd reader = { .fd = c->n > 0 ? c->fds[c->n - 1] : -1 };
	ssize_t n = 0;

	say_started(c);
	if (fork() != 0) {
		say_exited(c);
		return;
	}
	memset(big, 'x', sizeof(big));
	for (size_t left = FLOOD; n >= 0 && left > (size_t)n; left -= (size_t)n)
		n = write(reader.fd, big, sizeof(big));
	while (n > 0 && reader.revents == 0)
		(void)poll(&reader, 1, -1);
	_exit(0);
}

static const struct {
	const char *name;
	void (*treat)(struct client *c);
	bool reads; /* the client's message first */
} ways[] = {
	{ "silent", say_nothing, true },
	{ "deaf", NULL, false }, /* doesn't even accept */
	{ "garbage", say_garbage, true },
	{ "truncated", say_half, true },
	{ "oversize", say_too_much, true },
	{ "version", say_another_version, true },
	{ "close", hang_up, false },
	{ "close-after", hang_up, true },
	{ "end-first", say_end_first, true },
	{ "both", start_and_fail, true },
	{ "lost", start_and_hang_up, true },
	{ "middle", start_and_say_half, true },
	{ "refuse", refuse, true },
	{ "fds", send_descriptors, true },
	{ "flood", flood, true },
	{ "hold", start_only, true },
};

/* Which way FILE names; -1 for none. */
static int way_of(const char *file)
{
	char name[32] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);

	if (fd >= 0)
		(void)close(fd);
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(ways[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void read_message(struct client *c)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(c->fds))];
	} control;
	static char bytes[131072];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	if (recvmsg(c->sock, &message, MSG_CMSG_CLOEXEC) <= 0 || message.msg_controllen == 0)
		return;
	c->n = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(c->fds, CMSG_DATA(&control.header), c->n * sizeof(int));
}

/* A child for each, so that nobody waits for another. */
static void treat(int sock, size_t way)
{
	struct client c = { .sock = sock };

	if (fork() != 0)
		return;
	if (ways[way].reads)
		read_message(&c);
	ways[way].treat(&c);
	/* what is ours ends with the client */
	while (c.sock >= 0) {
		struct pollfd gone = { .fd = c.sock };

		if (poll(&gone, 1, -1) > 0)
			break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timespec moment = { .tv_nsec = 20000000 };
	int door;

	if (argc != 4) {
		fprintf(stderr, "usage: agent PATH stream|seqpacket FILE\n");
		return 2;
	}
	(void)signal(SIGCHLD, SIG_IGN);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	(void)unlink(argv[1]);
	door = socket(
		AF_UNIX, (argv[2][1] == 't' ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);
	if (door < 0 || bind(door, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(argv[1], 0666) < 0 || listen(door, 0) < 0) {
		fprintf(stderr, "agent: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		struct pollfd knock = { .fd = door, .events = POLLIN };
		int way, client;

		(void)poll(&knock, 1, -1);
		way = way_of(argv[3]);
		if (way < 0 || !ways[way].treat) {
			(void)nanosleep(&moment, NULL);
			continue;
		}
		client = accept4(door, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0)
			continue;
		treat(client, (size_t)way);
		(void)close(client);
	}
}
