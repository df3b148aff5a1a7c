/* SPDX-License-Identifier: MIT */

/* clang-format off */
/*
 * A client for root-shell doors that tests and benchmarks can afford to run ten thousand times.
 *
 *   knock repeat PATH COUNT SCRIPT WANTED   COUNT sessions one after another: each sends SCRIPT and a newline, closes
 *                                           its side and must get exactly WANTED and a newline
 *   knock first PATH SECONDS SCRIPT WANTED  tries until one session succeeds; prints the ms it took
 *   knock burst PATH COUNT SCRIPT WANTED    COUNT sessions, all connected before the first one speaks
 *   knock deaf PATH BYTES SCRIPT            reads BYTES bytes, prints "deaf", reads nothing more until a line comes on
 *                                           stdin, then counts the rest and prints the sum
 *
 * and for any door:
 *
 *   knock storm PATH COUNT                  knocks COUNT times and is gone each time; prints COUNT
 *   knock hold PATH COUNT                   COUNT clients that say nothing: prints "holding", waits for a line on stdin
 *
 * and for the exec door:
 *
 *   knock late PATH COMMAND                 prints "in", and says that COMMAND is to be run when a line has come on stdin;
 *                                           prints "exited N", or what else has come of it
 */
/* clang-format on */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "exec-message.h"
#include "fd.h"

#define ANSWER_MAX 4096
#define BURST_MAX 4096

static int die(const char *what)
{
	fprintf(stderr, "knock: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Connects; a descriptor, or -errno. */
static int door_open_as(const char *path, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int door_open(const char *path)
{
	return door_open_as(path, SOCK_STREAM);
}

/* The exec door keeps message boundaries, the others don't. */
static int door_open_any(const char *path)
{
	int fd = door_open(path);

	return fd == -EPROTOTYPE ? door_open_as(path, SOCK_SEQPACKET) : fd;
}

/* Sends script as a line and, if half_close is set, the end of input. 0 or -errno. */
static int door_speak(int fd, const char *script, bool half_close)
{
	char line[ANSWER_MAX];
	int n = snprintf(line, sizeof(line), "%s\n", script);
	int r;

	if (n < 0 || (size_t)n >= sizeof(line))
		return -E2BIG;
	r = fd_write_all(fd, line, (size_t)n);
	if (r == 0 && half_close && shutdown(fd, SHUT_WR) < 0)
		r = -errno;
	return r;
}

/* Reads to the end of the session. 0 when it said exactly wanted and a newline, -EBADMSG when not.
 */
static int door_answer(int fd, const char *wanted, bool loud)
{
	char buf[ANSWER_MAX];
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == sizeof(buf) - 1)
			return -EFBIG;
	}
	buf[len] = '\0';
	if (len == strlen(wanted) + 1 && strncmp(buf, wanted, len - 1) == 0)
		return 0;
	if (loud)
		fprintf(stderr, "knock: got '%s', wanted '%s'\n", buf, wanted);
	return -EBADMSG;
}

static int session(const char *path, const char *script, const char *wanted, bool loud)
{
	_cleanup_close_ int fd = door_open(path);
	int r;

	if (fd < 0)
		return fd;
	r = door_speak(fd, script, true);
	return r < 0 ? r : door_answer(fd, wanted, loud);
}

static int repeat(const char *path, int count, const char *script, const char *wanted)
{
	for (int i = 0; i < count; i++) {
		int r = session(path, script, wanted, true);

		if (r < 0) {
			fprintf(stderr, "knock: session %d: %s\n", i + 1, strerror(-r));
			return 1;
		}
	}
	return 0;
}

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int first(const char *path, int seconds, const char *script, const char *wanted)
{
	const struct timespec pause = { .tv_nsec = 500 * 1000 };
	double start = now_ms();

	while (now_ms() - start < seconds * 1e3) {
		if (session(path, script, wanted, false) == 0) {
			printf("%.1f\n", now_ms() - start);
			return 0;
		}
		(void)nanosleep(&pause, NULL);
	}
	errno = ETIMEDOUT;
	return die(path);
}

static int burst(const char *path, int count, const char *script, const char *wanted)
{
	static int fds[BURST_MAX];
	int r = 0;

	if (count > BURST_MAX)
		count = BURST_MAX;
	for (int i = 0; i < count; i++) {
		fds[i] = door_open(path);
		if (fds[i] < 0) {
			errno = -fds[i];
			return die("connect");
		}
	}
	for (int i = 0; i < count && r == 0; i++)
		r = door_speak(fds[i], script, true);
	for (int i = 0; i < count && r == 0; i++)
		r = door_answer(fds[i], wanted, true);
	if (r == 0)
		return 0;
	errno = -r;
	return die("burst");
}

static int deaf(const char *path, long long bytes, const char *script)
{
	static char buf[1 << 18];
	_cleanup_close_ int fd = door_open(path);
	long long sum = 0;
	char go;
	int r;

	if (fd < 0) {
		errno = -fd;
		return die(path);
	}
	r = door_speak(fd, script, false);
	if (r < 0) {
		errno = -r;
		return die("write");
	}
	while (sum < bytes) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			return die("session ended early");
		sum += n;
	}
	puts("deaf");
	(void)fflush(stdout);
	(void)!read(STDIN_FILENO, &go, 1);
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0)
			return die("read");
		if (n == 0)
			break;
		sum += n;
	}
	printf("%lld\n", sum);
	return 0;
}

static int storm(const char *path, int count)
{
	for (int i = 0; i < count; i++) {
		_cleanup_close_ int fd = door_open_any(path);

		if (fd < 0) {
			errno = -fd;
			return die(path);
		}
	}
	printf("%d\n", count);
	return 0;
}

/* Descriptors are left to the end of the process. */
static int hold(const char *path, int count)
{
	char go;

	for (int i = 0; i < count; i++) {
		int fd = door_open_any(path);

		if (fd < 0) {
			errno = -fd;
			return die(path);
		}
	}
	puts("holding");
	(void)fflush(stdout);
	(void)!read(STDIN_FILENO, &go, 1);
	return 0;
}

static int say_start(int fd, const char *command)
{
	static char buf[EXEC_MESSAGE_MAX];
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = { null, null, null };
	char *words[] = { (char *)command, NULL };
	ssize_t n = exec_message_start(buf, sizeof(buf), 0, NULL, NULL, words, NULL);

	return n < 0 ? (int)n : fd_send_message(fd, buf, (size_t)n, fds, ARRAY_SIZE(fds), 0);
}

static int late(const char *path, const char *command)
{
	_cleanup_close_ int fd = door_open_any(path);
	char go, buf[EXEC_TEXT_MAX + 64];
	int r;

	if (fd < 0) {
		errno = -fd;
		return die(path);
	}
	puts("in");
	(void)fflush(stdout);
	(void)!read(STDIN_FILENO, &go, 1);
	r = say_start(fd, command);
	if (r < 0) {
		errno = -r;
		return die("send");
	}
	for (;;) {
		struct exec_message message;
		const char *why;
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0 || exec_message_parse(buf, (size_t)n, &message, &why) < 0)
			break;
		if (message.type == EXEC_EXITED) {
			printf("exited %u\n", message.exited.value);
			return 0;
		}
	}
	puts("closed");
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "late") == 0)
		return late(argv[2], argv[3]);
	if (argc == 6 && strcmp(argv[1], "repeat") == 0)
		return repeat(argv[2], (int)strtol(argv[3], NULL, 10), argv[4], argv[5]);
	if (argc == 6 && strcmp(argv[1], "first") == 0)
		return first(argv[2], (int)strtol(argv[3], NULL, 10), argv[4], argv[5]);
	if (argc == 6 && strcmp(argv[1], "burst") == 0)
		return burst(argv[2], (int)strtol(argv[3], NULL, 10), argv[4], argv[5]);
	if (argc == 5 && strcmp(argv[1], "deaf") == 0)
		return deaf(argv[2], strtoll(argv[3], NULL, 10), argv[4]);
	if (argc == 4 && strcmp(argv[1], "storm") == 0)
		return storm(argv[2], (int)strtol(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], (int)strtol(argv[3], NULL, 10));
	fprintf(stderr, "usage: knock repeat|first|burst|deaf PATH N SCRIPT [WANTED]\n"
			"       knock storm|hold PATH N\n"
			"       knock late PATH COMMAND\n");
	return 2;
}
