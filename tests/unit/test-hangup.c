/* SPDX-License-Identifier: MIT */
#include "agent/hangup.h"

#include "loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct event_base *base;
	struct hangups hangups;
	struct hangup_watch watch;
	int fds[2];
	int gone;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .base = event_base_new(), .watch = HANGUP_WATCH_NULL };
	*state = &f;
	return hangups_init(&f.hangups, f.base) < 0 ||
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f.fds) < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hangup_stop(&f->hangups, &f->watch);
	hangups_done(&f->hangups);
	event_base_free(f->base);
	(void)close(f->fds[0]);
	return 0;
}

static void on_gone(void *arg)
{
	((struct fixture *)arg)->gone++;
}

static bool is_gone(void *arg)
{
	return ((struct fixture *)arg)->gone > 0;
}

static void test_close(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	assert_int_equal(write(f->fds[1], "x", 1), 1);
	assert_false(loop_until(f->base, is_gone, f, 0.05));
	(void)close(f->fds[1]);
	assert_true(loop_until(f->base, is_gone, f, LOOP_DEADLINE_SEC));
	assert_false(f->watch.ended);
	/* told once, and not looked at any more: no busy loop */
	(void)loop_until(f->base, is_gone, f, 0);
	(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(f->gone, 1);
	assert_true(f->watch.fd < 0);
}

static bool has_ended(void *arg)
{
	return ((struct fixture *)arg)->watch.ended;
}

static void test_half_close(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	assert_return_code(shutdown(f->fds[1], SHUT_WR), errno);
	assert_true(loop_until(f->base, has_ended, f, LOOP_DEADLINE_SEC));
	assert_false(loop_until(f->base, is_gone, f, 0.05));
	/* no busy loop while it is half-closed */
	assert_int_equal(event_base_loop(f->base, EVLOOP_NONBLOCK), 0);
	(void)close(f->fds[1]);
	assert_true(loop_until(f->base, is_gone, f, LOOP_DEADLINE_SEC));
}

static void test_gone_before(void **state)
{
	struct fixture *f = *state;

	(void)close(f->fds[1]);
	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	assert_true(loop_until(f->base, is_gone, f, LOOP_DEADLINE_SEC));
	assert_false(f->watch.ended);
}

/* Nobody watched when it went, but somebody when it ended its side. */
static void test_ended_then_gone_before(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	assert_return_code(shutdown(f->fds[1], SHUT_WR), errno);
	assert_true(loop_until(f->base, has_ended, f, LOOP_DEADLINE_SEC));
	hangup_stop(&f->hangups, &f->watch);
	(void)close(f->fds[1]);
	f->watch = HANGUP_WATCH_NULL;
	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	assert_true(loop_until(f->base, is_gone, f, LOOP_DEADLINE_SEC));
	assert_true(f->watch.ended);
}

static void test_unread_output(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	assert_int_equal(write(f->fds[0], "x", 1), 1);
	(void)close(f->fds[1]); /* with ECONNRESET for us */
	assert_true(loop_until(f->base, is_gone, f, LOOP_DEADLINE_SEC));
}

static void test_stop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	hangup_stop(&f->hangups, &f->watch);
	(void)close(f->fds[1]);
	assert_false(loop_until(f->base, is_gone, f, 0.05));
}

/* A dup shares the description with the shell that has the other: the shell's close is not the end.
 */
static void test_dup(void **state)
{
	struct fixture *f = *state;
	int shell = dup(f->fds[0]);

	assert_int_equal(hangup_start(&f->hangups, &f->watch, f->fds[0], on_gone, f), 0);
	(void)close(shell);
	assert_false(loop_until(f->base, is_gone, f, 0.05));
	(void)close(f->fds[1]);
	assert_true(loop_until(f->base, is_gone, f, LOOP_DEADLINE_SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended_then_gone_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unread_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dup, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
