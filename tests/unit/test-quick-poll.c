/* SPDX-License-Identifier: MIT */
#include "host-tools/client/quick-poll.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

struct ends {
	int first[2], second[2];
	int quick;
	struct pollfd fds[3];
};

/* Two connections, of whose first ends something is expected, and between them nothing. */
static void make(struct ends *e)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->first), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->second), 0);
	e->fds[0] = (struct pollfd){ .fd = e->first[0], .events = POLLIN };
	e->fds[1] = (struct pollfd){ .fd = -1, .events = POLLIN };
	e->fds[2] = (struct pollfd){ .fd = e->second[0], .events = POLLIN };
	e->quick = quick_poll_open(e->fds, ARRAY_SIZE(e->fds));
	assert_true(e->quick >= 0);
}

static void unmake(struct ends *e)
{
	(void)close(e->quick);
	for (int i = 0; i < 2; i++) {
		(void)close(e->first[i]);
		(void)close(e->second[i]);
	}
}

static void test_tells_who(void **state)
{
	struct ends e;

	(void)state;
	make(&e);
	assert_int_equal(write(e.second[1], "x", 1), 1);
	assert_int_equal(quick_poll(e.quick, e.fds, ARRAY_SIZE(e.fds), 10000), 1);
	assert_int_equal(e.fds[0].revents, 0);
	assert_int_equal(e.fds[1].revents, 0);
	assert_int_equal(e.fds[2].revents, POLLIN);
	/* as long as it lies there */
	assert_int_equal(quick_poll(e.quick, e.fds, ARRAY_SIZE(e.fds), 10000), 1);
	assert_int_equal(write(e.first[1], "x", 1), 1);
	assert_int_equal(quick_poll(e.quick, e.fds, ARRAY_SIZE(e.fds), 10000), 2);
	assert_int_equal(e.fds[0].revents, POLLIN);
	assert_int_equal(e.fds[2].revents, POLLIN);
	unmake(&e);
}

static void test_nothing(void **state)
{
	struct ends e;

	(void)state;
	make(&e);
	e.fds[0].revents = POLLIN;
	assert_int_equal(quick_poll(e.quick, e.fds, ARRAY_SIZE(e.fds), 0), 0);
	assert_int_equal(e.fds[0].revents, 0);
	unmake(&e);
}

/* Nobody asked for it, but poll() tells, too. */
static void test_hangup(void **state)
{
	struct ends e;

	(void)state;
	make(&e);
	(void)close(e.first[1]);
	assert_int_equal(quick_poll(e.quick, e.fds, ARRAY_SIZE(e.fds), 10000), 1);
	assert_int_equal(e.fds[0].revents, POLLIN | POLLHUP);
	e.first[1] = -EBADF;
	unmake(&e);
}

static void test_files_cannot(void **state)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const struct pollfd fds[] = { { .fd = fd, .events = POLLIN } };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(quick_poll_open(fds, 1), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tells_who),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_hangup),
		cmocka_unit_test(test_files_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
