/* SPDX-License-Identifier: MIT */
#include "agent/utmp.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utmpx.h>

#include <cmocka.h>

static void test_logout(void **state)
{
	struct utmpx records[] = {
		{ .ut_type = BOOT_TIME, .ut_line = "~", .ut_user = "reboot" },
		{ .ut_type = USER_PROCESS, .ut_line = "pts/1", .ut_user = "alice", .ut_pid = 7 },
		{ .ut_type = USER_PROCESS, .ut_line = "pts/11", .ut_user = "bob", .ut_pid = 8 },
		{ .ut_type = DEAD_PROCESS, .ut_line = "pts/1", .ut_pid = 9 },
		{ .ut_type = LOGIN_PROCESS, .ut_line = "pts/1", .ut_user = "LOGIN" },
	};
	struct utmpx after[5];
	char file[] = "/tmp/test-utmp.XXXXXX";
	int fd = mkostemp(file, O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, records, sizeof(records)), sizeof(records));
	/* a record cut short at the end is none */
	assert_int_equal(write(fd, records, 10), 10);
	/* a lock that somebody sits on must not keep us: an OFD lock is not ours */
	assert_return_code(fcntl(fd, F_OFD_SETLK, &lock), errno);
	assert_int_equal(utmp_logout(file, "pts/1"), 0);
	assert_int_equal(pread(fd, after, sizeof(after), 0), sizeof(after));
	assert_memory_equal(&after[0], &records[0], sizeof(after[0]));
	assert_int_equal(after[1].ut_type, DEAD_PROCESS);
	assert_int_equal(after[1].ut_pid, 7);
	assert_string_equal(after[1].ut_user, "");
	assert_true(after[1].ut_tv.tv_sec > 0);
	assert_memory_equal(&after[2], &records[2], sizeof(after[2]));
	assert_memory_equal(&after[3], &records[3], sizeof(after[3]));
	assert_int_equal(after[4].ut_type, DEAD_PROCESS);
	(void)close(fd);
	(void)unlink(file);
	assert_int_equal(utmp_logout(file, "pts/1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_logout) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
