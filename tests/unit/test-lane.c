/* SPDX-License-Identifier: MIT */
#include "host-tools/client/lane.h"

#include "scratch.h"

#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#define TOTAL (3UL << 20)

static struct lane lane;
static char pattern[TOTAL], got[TOTAL + 1];

static int setup(void **state)
{
	uint32_t x = 1;

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < TOTAL; i++) {
		x = x * 1103515245 + 12345;
		pattern[i] = (char)(x >> 16);
	}
	return scratch_enter(state);
}

/* Ends of something that carries bytes: [0] is read, [1] is written. */
static void make_pipe(int ret[2])
{
	assert_int_equal(pipe2(ret, O_CLOEXEC), 0);
}

static void make_socket(int ret[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret), 0);
}

/* A child that writes all of the pattern to fd, in odd pieces. */
static pid_t feed(int fd, size_t total)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t n = 0; n < total;) {
			ssize_t r = write(fd, pattern + n, total - n < 40961 ? total - n : 40961);

			if (r < 0)
				_exit(1);
			n += (size_t)r;
		}
		_exit(0);
	}
	return pid;
}

/* A child that reads fd to its end and compares. */
static pid_t eat(int fd, size_t total)
{
	pid_t pid = fork();

	if (pid == 0) {
		size_t n = 0;
		ssize_t r;

		while ((r = read(fd, got + n, TOTAL + 1 - n)) > 0)
			n += (size_t)r;
		_exit(n == total && memcmp(got, pattern, n) == 0 ? 0 : 1);
	}
	return pid;
}

static void loop(void)
{
	int64_t until = clock_ms() + SCRATCH_DEADLINE_MS;

	while (lane.open) {
		struct pollfd p = lane_wants(&lane);

		assert_true(clock_ms() < until);
		if (poll(&p, 1, 1000) > 0)
			lane_move(&lane);
	}
}

static void through(void (*make_from)(int *), void (*make_to)(int *), bool spliced)
{
	int from[2], to[2];
	pid_t feeder, eater;

	memset(&lane, 0, offsetof(struct lane, buffer));
	make_from(from);
	make_to(to);
	feeder = feed(from[1], TOTAL);
	(void)close(from[1]);
	/* a writer may share its description with anybody: the reader must not hold it */
	assert_int_equal(fcntl(to[1], F_SETFD, FD_CLOEXEC), 0);
	eater = fork();
	if (eater == 0) {
		(void)close(to[1]);
		(void)close(from[0]);
		_exit(wait_child(eat(to[0], TOTAL)));
	}
	(void)close(to[0]);
	lane_start(&lane, from[0], to[1], LANE_CLOSE);
	assert_int_equal(lane.spliced, spliced);
	loop();
	assert_int_equal(lane.error, 0);
	assert_int_equal(wait_child(feeder), 0);
	assert_int_equal(wait_child(eater), 0);
}

static void test_all_kinds(void **state)
{
	size_t fds = count_fds();

	through(make_pipe, make_pipe, true);
	through(make_pipe, make_socket, false);
	through(make_socket, make_pipe, false);
	through(make_socket, make_socket, false);
	assert_int_equal(count_fds(), fds);
}

static void test_files(void **state)
{
	static const int modes[] = { 0, O_APPEND };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		int pipe_ends[2], file = open(SCRATCH "/file",
					  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | modes[i], 0600);
		pid_t child;

		make_pipe(pipe_ends);
		child = feed(pipe_ends[1], TOTAL);
		(void)close(pipe_ends[1]);
		memset(&lane, 0, offsetof(struct lane, buffer));
		lane_start(&lane, pipe_ends[0], dup(file), LANE_CLOSE);
		loop();
		assert_int_equal(lane.error, 0);
		assert_int_equal(wait_child(child), 0);

		/* and back */
		make_pipe(pipe_ends);
		assert_int_equal(lseek(file, 0, SEEK_SET), 0);
		child = fork();
		if (child == 0) {
			(void)close(pipe_ends[1]);
			_exit(wait_child(eat(pipe_ends[0], TOTAL)));
		}
		(void)close(pipe_ends[0]);
		memset(&lane, 0, offsetof(struct lane, buffer));
		lane_start(&lane, file, pipe_ends[1], LANE_CLOSE);
		assert_true(lane.spliced);
		loop();
		assert_int_equal(wait_child(child), 0);
	}
}

static void test_a_full_device(void **state)
{
	int ends[2];

	make_pipe(ends);
	assert_int_equal(write(ends[1], "x", 1), 1);
	memset(&lane, 0, offsetof(struct lane, buffer));
	lane_start(&lane, ends[0], open("/dev/full", O_WRONLY | O_CLOEXEC), LANE_CLOSE);
	loop();
	assert_int_equal(lane.error, ENOSPC);
	assert_true(write(ends[1], "x", 1) < 0); /* the writer learns it */
	(void)close(ends[1]);
}

/* A read that fails is no end of file, but of what was never read. */
static void test_input_that_breaks_off(void **state)
{
	static const struct {
		const char *path;
		int error;
	} of[] = { { "/proc/self/mem", EIO }, { "/", 0 } };
	int to[2];
	char byte;

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		make_pipe(to);
		memset(&lane, 0, offsetof(struct lane, buffer));
		lane_start(&lane, open(of[i].path, O_RDONLY | O_CLOEXEC), to[1], LANE_CLOSE);
		loop();
		assert_int_equal(lane.error, of[i].error);
		assert_int_equal(read(to[0], &byte, 1), 0);
		(void)close(to[0]);
	}
}

static void test_a_reader_who_has_gone(void **state)
{
	int from[2], to[2];

	make_pipe(from);
	make_pipe(to);
	(void)close(to[0]);
	assert_int_equal(write(from[1], "x", 1), 1);
	memset(&lane, 0, offsetof(struct lane, buffer));
	lane_start(&lane, from[0], to[1], LANE_CLOSE);
	loop();
	assert_int_equal(lane.error, 0);
	assert_true(write(from[1], "x", 1) < 0);
	(void)close(from[1]);
}

/* What lies there passes, what comes later doesn't, though the pipe stays open. */
static void limit(void (*make_to)(int *))
{
	int from[2], to[2];
	char buf[16];

	make_pipe(from);
	make_to(to);
	assert_int_equal(write(from[1], "before", 6), 6);
	memset(&lane, 0, offsetof(struct lane, buffer));
	lane_start(&lane, from[0], to[1], LANE_CLOSE);
	lane_limit(&lane);
	assert_int_equal(write(from[1], "after", 5), 5);
	loop();
	assert_int_equal(read(to[0], buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "before", 6);
	assert_int_equal(read(to[0], buf, sizeof(buf)), 0);
	(void)close(from[1]);
	(void)close(to[0]);
}

static void test_limit(void **state)
{
	int ends[2], to[2];

	limit(make_pipe);
	limit(make_socket);
	make_pipe(ends);
	make_pipe(to);
	memset(&lane, 0, offsetof(struct lane, buffer));
	lane_start(&lane, ends[0], to[1], LANE_CLOSE);
	lane_limit(&lane);
	assert_false(lane.open); /* there was nothing */
	(void)close(ends[1]);
	(void)close(to[0]);
}

/* A guest may open its end for reading and take back what it wrote. */
static void test_bytes_that_vanish(void **state)
{
	static void (*const make[])(int *) = { make_pipe, make_socket };
	char buf[16];

	for (size_t i = 0; i < ARRAY_SIZE(make); i++) {
		int from[2], to[2];

		make_pipe(from);
		make[i](to);
		assert_int_equal(write(from[1], "gone", 4), 4);
		memset(&lane, 0, offsetof(struct lane, buffer));
		lane_start(&lane, from[0], to[1], LANE_CLOSE);
		lane_limit(&lane);
		assert_int_equal(read(from[0], buf, sizeof(buf)), 4);
		for (int k = 0; k < 4 && lane.open; k++)
			lane_move(&lane);
		assert_false(lane.open);
		(void)close(from[1]);
		(void)close(to[0]);
	}
}

static void test_a_terminal(void **state)
{
	int master, slave, from[2];
	char buf[64];

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	make_pipe(from);
	assert_int_equal(write(from[1], "line\nhalf", 9), 9);
	(void)close(from[1]);
	memset(&lane, 0, offsetof(struct lane, buffer));
	lane_start(&lane, from[0], master, LANE_TYPE);
	loop();
	assert_int_equal(read(slave, buf, sizeof(buf)), 5);
	assert_int_equal(read(slave, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "half", 4);
	assert_int_equal(read(slave, buf, sizeof(buf)), 0); /* the end of file was typed */
	(void)close(from[0]);
	(void)close(slave);
	(void)close(master);
}

static bool stop_at_x(void *arg, const char *data, size_t len)
{
	return memchr(data, 'x', len);
}

static void test_filter(void **state)
{
	int from[2], to[2];
	char buf[16];

	make_socket(from);
	make_pipe(to);
	memset(&lane, 0, offsetof(struct lane, buffer));
	lane_start(&lane, from[0], to[1], LANE_CLOSE);
	lane.filter = stop_at_x;
	assert_int_equal(write(from[1], "a", 1), 1);
	lane_move(&lane);
	assert_int_equal(read(to[0], buf, sizeof(buf)), 1);
	assert_int_equal(write(from[1], "bx", 2), 2);
	lane_move(&lane);
	assert_true(lane.stopped && !lane.open);
	assert_int_equal(read(to[0], buf, sizeof(buf)), 0);
	(void)close(from[1]);
	(void)close(to[0]);
}

/* Other processes share the caller's descriptions: in a child, which has them as 0 and 1. */
static void test_descriptions_stay(void **state)
{
	int master, slave, ends[2];
	pid_t pid;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	make_pipe(ends);
	pid = fork();
	if (pid == 0) {
		bool kept;

		(void)dup2(slave, STDOUT_FILENO);
		lane_start(&lane, ends[0], STDOUT_FILENO, LANE_CLOSE);
		kept = !(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK);
		lane_stop(&lane);
		_exit(kept && fcntl(STDOUT_FILENO, F_GETFD) >= 0 && !lane.may_block ? 0 : 1);
	}
	assert_int_equal(wait_child(pid), 0);
	(void)close(master);
	(void)close(slave);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_a_full_device),
		cmocka_unit_test(test_input_that_breaks_off),
		cmocka_unit_test(test_a_reader_who_has_gone),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_bytes_that_vanish),
		cmocka_unit_test(test_a_terminal),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_descriptions_stay),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
