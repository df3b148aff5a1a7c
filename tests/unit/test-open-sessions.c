/* SPDX-License-Identifier: MIT */

/* Reading a list that a guest could have replaced by anything. */

#include "host-tools/ctl/open-sessions.h"

#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-open-sessions-XXXXXX";
static int dirfd_ = -EBADF;
static struct session_record *list;
static size_t n;

static int setup(void **state)
{
	(void)alarm(250); /* whatever waits for the guest ends here */
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close_fdp(&dirfd_);
	return rmdir(dir);
}

static int clear(void **state)
{
	if (unlinkat(dirfd_, SESSION_RECORD_FILE, 0) < 0 && errno == EISDIR)
		(void)unlinkat(dirfd_, SESSION_RECORD_FILE, AT_REMOVEDIR);
	free(list);
	list = NULL;
	return 0;
}

static int read_list(void)
{
	free(list);
	return open_sessions_read_at(dirfd_, &list, &n);
}

static void put(int fd, const char *door, const char *user, uint64_t since)
{
	struct session_record record = { .since_usec = since };
	char text[SESSION_RECORD_SIZE];

	(void)snprintf(record.door, sizeof(record.door), "%s", door);
	(void)snprintf(record.user, sizeof(record.user), "%s", user);
	session_record_write(text, &record);
	assert_int_equal(fd_write_all(fd, text, sizeof(text)), 0);
}

static int new_list(void)
{
	int fd = openat(dirfd_, SESSION_RECORD_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void test_sorted(void **state)
{
	_cleanup_close_ int fd = -EBADF;
	char text[SESSION_RECORD_SIZE];

	assert_int_equal(read_list(), 0); /* nobody has come in yet */
	assert_int_equal(n, 0);
	fd = new_list();
	put(fd, "exec", "alice", 30);
	session_record_clear(text);
	assert_int_equal(fd_write_all(fd, text, sizeof(text)), 0);
	put(fd, "login", "", 10);
	put(fd, "root-shell", "root", 20);
	assert_int_equal(read_list(), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].door, "login");
	assert_string_equal(list[1].door, "root-shell");
	assert_string_equal(list[2].user, "alice");
}

static void test_garbage(void **state)
{
	_cleanup_close_ int fd = new_list();
	char text[SESSION_RECORD_SIZE];

	memset(text, '\033', sizeof(text));
	assert_int_equal(fd_write_all(fd, text, sizeof(text)), 0);
	put(fd, "exec", "alice", 30);
	/* half a record */
	assert_int_equal(fd_write_all(fd, "exec 1 root", 11), 0);
	assert_int_equal(read_list(), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].user, "alice");
}

/* What lies behind the longest list doesn't count, and a file's size costs nothing. */
static void test_huge(void **state)
{
	_cleanup_close_ int fd = new_list();

	for (int i = 0; i < SESSION_RECORDS_MAX + 100; i++)
		put(fd, "exec", "root", (uint64_t)i);
	assert_return_code(ftruncate(fd, INT64_C(1) << 40), errno);
	assert_int_equal(read_list(), 0);
	assert_int_equal(n, SESSION_RECORDS_MAX);
}

static void test_no_file(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(symlinkat("/etc/passwd", dirfd_, SESSION_RECORD_FILE), errno);
	assert_int_equal(read_list(), -EBADMSG);
	(void)clear(NULL);
	assert_return_code(symlinkat("nowhere", dirfd_, SESSION_RECORD_FILE), errno);
	assert_int_equal(read_list(), -EBADMSG);
	(void)clear(NULL);
	assert_return_code(mkfifoat(dirfd_, SESSION_RECORD_FILE, 0600), errno);
	assert_int_equal(read_list(), -EBADMSG);
	(void)clear(NULL);
	assert_return_code(mkdirat(dirfd_, SESSION_RECORD_FILE, 0700), errno);
	assert_int_equal(read_list(), -EBADMSG);
	(void)clear(NULL);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SESSION_RECORD_FILE, dir);
	assert_return_code(bind(sock, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_int_equal(read_list(), -EBADMSG);
	(void)clear(NULL);
	assert_return_code(mknodat(dirfd_, SESSION_RECORD_FILE, S_IFCHR | 0666, 0x0501), errno);
	assert_int_equal(read_list(), -EBADMSG);
}

/* A writer's lease holds up whoever opens the file, for 45 seconds and more. */
static void test_lease(void **state)
{
	_cleanup_close_ int fd = new_list();

	(void)signal(SIGIO, SIG_IGN);
	put(fd, "exec", "alice", 30);
	assert_return_code(fcntl(fd, F_SETLEASE, F_WRLCK), errno);
	assert_int_equal(read_list(), -EWOULDBLOCK);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sorted, clear),
		cmocka_unit_test_teardown(test_garbage, clear),
		cmocka_unit_test_teardown(test_huge, clear),
		cmocka_unit_test_teardown(test_no_file, clear),
		cmocka_unit_test_teardown(test_lease, clear),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
