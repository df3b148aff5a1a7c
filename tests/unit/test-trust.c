/* SPDX-License-Identifier: MIT */
#include "host-tools/client/trust.h"

#include "scratch.h"

#include <stdlib.h>
#include <sys/pidfd.h>

static int setup(void **state)
{
	return scratch_enter(state);
}

static void test_round_trip(void **state)
{
	_cleanup_close_ int dir = open(SCRATCH, O_PATH | O_CLOEXEC);
	_cleanup_close_ int self = pidfd_open(getpid(), 0);
	struct trust trust = { .uid_base = 65536, .uid_count = UINT32_MAX }, have;
	struct stat st;

	assert_int_equal(trust_note(&trust, getpid(), self), 0);
	assert_int_equal(trust_write(dir, &trust), 0);
	assert_int_equal(trust_read(dir, &have), 0);
	assert_int_equal(have.leader, getpid());
	assert_true(have.leader_inode == trust.leader_inode);
	assert_int_equal(have.uid_base, 65536);
	assert_true(have.uid_count == UINT32_MAX);
	assert_int_equal(stat(SCRATCH "/" TRUST_FILE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* nothing lies beside it, and a second one replaces it */
	assert_int_equal(count_entries(SCRATCH), 1);
	trust.uid_base = 0;
	assert_int_equal(trust_write(dir, &trust), 0);
	assert_int_equal(trust_read(dir, &have), 0);
	assert_int_equal(have.uid_base, 0);
	assert_int_equal(unlink(SCRATCH "/" TRUST_FILE), 0);
	assert_int_equal(trust_read(dir, &have), -ENOENT);
}

/* Pids are used again, what is noted is not. */
static void test_inodes_differ(void **state)
{
	struct trust a = {}, b = {};
	_cleanup_close_ int self = pidfd_open(getpid(), 0), parent = pidfd_open(getppid(), 0);

	assert_int_equal(trust_note(&a, getpid(), self), 0);
	assert_int_equal(trust_note(&b, getppid(), parent), 0);
	assert_true(a.leader_inode != b.leader_inode || a.leader_inode == 0);
	assert_int_equal(trust_note(&a, -1, self), -ESRCH);
}

static void test_malformed(void **state)
{
	_cleanup_close_ int dir = open(SCRATCH, O_PATH | O_CLOEXEC);
	static const char *const texts[] = { "", "\n", "1", "1 2 3\n", "1 2 3 4", "1 2 3 4\n5",
		"-1 2 3 4\n", " 1 2 3 4\n", "1  2 3 4\n", "1 2 3 4294967296\n",
		"2147483648 2 3 4\n", "1 99999999999999999999 3 4\n", "x 2 3 4\n" };
	struct trust have;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_file(SCRATCH "/" TRUST_FILE, texts[i]);
		assert_int_equal(trust_read(dir, &have), -EBADMSG);
	}
	put_file(SCRATCH "/" TRUST_FILE, "1 18446744073709551615 3 4294967295\n");
	assert_int_equal(trust_read(dir, &have), 0);
	assert_int_equal(unlink(SCRATCH "/" TRUST_FILE), 0);
	assert_int_equal(symlink("/etc/passwd", SCRATCH "/" TRUST_FILE), 0);
	assert_int_equal(trust_read(dir, &have), -ELOOP);
	assert_int_equal(unlink(SCRATCH "/" TRUST_FILE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_inodes_differ),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
