/* SPDX-License-Identifier: MIT */

/* The fields of a hand-over there and back, and what is refused. */

#include "host-tools/launch/hand-over.h"

#include "scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct things {
	uint64_t number;
	int fd, none;
	char *text, *no_text;
	char bytes[8];
	size_t len;
};

/* One description for both ways, as the launcher's. */
static void describe(struct hand_over *h, struct things *things)
{
	things->number = hand_over_number(h, "number", things->number);
	things->fd = hand_over_fd(h, "fd", things->fd);
	things->none = hand_over_fd(h, "none", things->none);
	things->text = hand_over_text(h, "text", things->text);
	things->no_text = hand_over_text(h, "no-text", things->no_text);
	things->len =
		hand_over_bytes(h, "bytes", things->bytes, things->len, sizeof(things->bytes));
}

/* A description of the memfd of what is written, for a reader that is the same process. */
static int write_things(struct things *things)
{
	_cleanup_(hand_over_done) struct hand_over h = HAND_OVER_NULL;

	assert_int_equal(hand_over_write(&h), 0);
	describe(&h, things);
	assert_int_equal(hand_over_end(&h), 0);
	return dup(h.fd);
}

static void test_round(void **state)
{
	_cleanup_(hand_over_done) struct hand_over h = HAND_OVER_NULL;
	struct things old = {
		.number = UINT64_MAX - 1,
		.fd = memfd_create("passed", 0),
		.none = -EBADF,
		.text = (char *)"SECTION/KEY=a\nb",
		.bytes = "a\0b=\n",
		.len = 5,
	};
	struct things new = {};
	int fd = write_things(&old);

	assert_int_equal(hand_over_read(&h, fd), 0);
	describe(&h, &new);
	assert_int_equal(hand_over_end(&h), 0);
	assert_true(new.number == old.number);
	assert_int_equal(new.fd, old.fd);
	assert_int_equal(new.none, -EBADF);
	assert_string_equal(new.text, old.text);
	assert_null(new.no_text);
	assert_int_equal(new.len, 5);
	assert_memory_equal(new.bytes, old.bytes, 5);
	/* no child gets it by accident */
	assert_int_equal(fcntl(new.fd, F_GETFD), FD_CLOEXEC);
	free(new.text);
	(void)close(new.fd);
}

static void test_kept(void **state)
{
	_cleanup_(hand_over_done) struct hand_over h = HAND_OVER_NULL;
	int fd = memfd_create("passed", MFD_CLOEXEC);

	assert_int_equal(hand_over_write(&h), 0);
	(void)hand_over_fd(&h, "fd", fd);
	assert_int_equal(hand_over_keep(&h, true), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fcntl(h.fd, F_GETFD), 0);
	assert_int_equal(hand_over_keep(&h, false), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(h.fd, F_GETFD), FD_CLOEXEC);
	(void)close(fd);
}

/* What somebody else has written; 0 or the error of the reading. */
static int read_text(const char *text, size_t len)
{
	_cleanup_(hand_over_done) struct hand_over h = HAND_OVER_NULL;
	int fd = memfd_create("text", 0), r;
	struct things things = {};

	assert_int_equal(write(fd, text, len), len);
	r = hand_over_read(&h, fd);
	if (r < 0)
		return r;
	describe(&h, &things);
	free(things.text);
	free(things.no_text);
	close_fdp(&things.fd);
	return hand_over_end(&h);
}

#define HEAD "narthex-launch=1\0"
#define REST(fd) "fd=" fd "\0none=-1\0there=1\0text=t\0there=0\0size=1\0bytes=b\0"
#define READ(text) read_text(text, sizeof(text) - 1)

static void test_refused(void **state)
{
	assert_int_equal(READ(HEAD "number=1\0" REST("-1")), 0);
	/* another version, another program, nothing at all */
	assert_int_equal(READ("narthex-launch=2\0number=1\0" REST("-1")), -EPROTONOSUPPORT);
	assert_int_equal(READ("something=1\0"), -EBADMSG);
	assert_int_equal(READ(""), -EBADMSG);
	/* a field that isn't expected, is missing, is too much, is no number, is cut */
	assert_int_equal(READ(HEAD "numbers=1\0" REST("-1")), -EBADMSG);
	assert_int_equal(READ(HEAD REST("-1")), -EBADMSG);
	assert_int_equal(READ(HEAD "number=1\0" REST("-1") "more=1\0"), -EBADMSG);
	assert_int_equal(READ(HEAD "number=x\0" REST("-1")), -EBADMSG);
	assert_int_equal(READ(HEAD "number=1"), -EBADMSG);
	assert_int_equal(READ(HEAD "number=99999999999999999999\0" REST("-1")), -EBADMSG);
	/* descriptors that aren't there, or everybody's */
	assert_int_equal(READ(HEAD "number=1\0" REST("999")), -EBADF);
	assert_int_equal(READ(HEAD "number=1\0" REST("2")), -EBADF);
	/* more bytes than there is room, or than there are */
	assert_int_equal(
		READ(HEAD "number=1\0fd=-1\0none=-1\0there=0\0there=0\0size=9\0bytes=123456789\0"),
		-E2BIG);
	assert_int_equal(READ(HEAD "number=1\0fd=-1\0none=-1\0there=0\0there=0\0size=8\0bytes=1\0"),
		-EBADMSG);
}

static int setup(void **state)
{
	static size_t before;

	before = count_fds();
	*state = &before;
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(count_fds(), *(size_t *)*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests_name("hand-over", tests, scratch_enter, NULL);
}
