/* SPDX-License-Identifier: MIT */
#include "agent/session-table.h"

#include "agent/session.h"
#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct session_table table = SESSION_TABLE_NULL;
static char dir[] = "/tmp/test-session-table-XXXXXX";
static char path[128];

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/" SESSION_RECORD_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	session_table_close(&table);
	(void)unlink(path);
	return rmdir(dir);
}

/* How many sessions the file shows; the last one is in *ret. */
static size_t listed(struct session_record *ret)
{
	_cleanup_free_ char *text = NULL;
	ssize_t size = file_read_all(AT_FDCWD, path, 0, 1 << 20, &text);
	size_t n = 0;

	assert_true(size >= 0);
	assert_int_equal(size % SESSION_RECORD_SIZE, 0);
	for (ssize_t at = 0; at < size; at += SESSION_RECORD_SIZE) {
		int r = session_record_parse(text + at, ret);

		assert_true(r >= 0);
		n += (size_t)r;
	}
	return n;
}

static void test_life(void **state)
{
	struct session_record record = {};
	struct stat st;
	int a, b, c;

	assert_int_equal(session_table_open(&table, dir), 0);
	assert_int_equal(listed(&record), 0);
	assert_return_code(stat(path, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0600);
	a = session_table_add(&table, "login", "", session_clock_usec());
	b = session_table_add(&table, "exec", "alice", session_clock_usec() - 5000000);
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_int_equal(listed(&record), 2);
	assert_string_equal(record.door, "exec");
	assert_string_equal(record.user, "alice");
	/* seconds since 1970, five of them ago */
	assert_true(record.since_usec / 1000000 <= (uint64_t)time(NULL) - 5);
	assert_true(record.since_usec / 1000000 >= (uint64_t)time(NULL) - 60);
	session_table_remove(&table, &a);
	assert_true(a < 0);
	session_table_remove(&table, &a);
	assert_int_equal(listed(&record), 1);
	c = session_table_add(&table, "root-shell", "root", session_clock_usec());
	assert_int_equal(c, 0);
	session_table_remove(&table, &b);
	assert_int_equal(listed(&record), 1);
	assert_string_equal(record.door, "root-shell");
	/* one that was killed leaves its list to be emptied */
	close_fdp(&table.fd);
	assert_int_equal(listed(&record), 1);
	assert_int_equal(session_table_open(&table, dir), 0);
	assert_int_equal(listed(&record), 0);
	c = session_table_add(&table, "root-shell", "root", session_clock_usec());
	assert_true(c >= 0);
	session_table_close(&table);
	assert_int_equal(listed(&record), 0);
}

static void test_full(void **state)
{
	struct session_record record;
	int place = -1, first = 0;

	assert_int_equal(session_table_open(&table, dir), 0);
	for (int i = 0; i < SESSION_RECORDS_MAX; i++)
		place = session_table_add(&table, "exec", "root", session_clock_usec());
	assert_int_equal(place, SESSION_RECORDS_MAX - 1);
	assert_int_equal(session_table_add(&table, "exec", "root", 0), -ENOSPC);
	session_table_remove(&table, &first);
	assert_int_equal(listed(&record), SESSION_RECORDS_MAX - 1);
	assert_int_equal(session_table_add(&table, "exec", "root", 0), 0);
	session_table_close(&table);
}

static void test_no_list(void **state)
{
	int place;

	assert_int_equal(session_table_open(&table, "/nonexistent"), -ENOENT);
	place = session_table_add(&table, "exec", "root", session_clock_usec());
	assert_true(place < 0);
	session_table_remove(&table, &place);
	session_table_close(&table);
	/* nothing is followed */
	(void)unlink(path);
	assert_return_code(symlink("elsewhere", path), errno);
	assert_int_equal(session_table_open(&table, dir), -ELOOP);
	session_table_close(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_list),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
