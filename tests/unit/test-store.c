/* SPDX-License-Identifier: MIT */
#include "agent/store.h"

#include "cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

/* systemd is a socket here: what it would be told, and the descriptors that it would have. */

static struct {
	char dir[32], path[64];
	int systemd;
	struct store store;
	int pipe[2];
} f;

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(&f, 0, sizeof(f));
	(void)strcpy(f.dir, "/tmp/test-store.XXXXXX");
	if (!mkdtemp(f.dir))
		return -1;
	(void)snprintf(f.path, sizeof(f.path), "%s/notify", f.dir);
	memcpy(address.sun_path, f.path, sizeof(f.path));
	f.systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f.systemd < 0 || bind(f.systemd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		pipe2(f.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	(void)setenv("NOTIFY_SOCKET", f.path, 1);
	store_init(&f.store);
	return 0;
}

static int teardown(void **state)
{
	store_done(&f.store);
	(void)unsetenv("NOTIFY_SOCKET");
	close_fdp(&f.systemd);
	close_fdp(&f.pipe[0]);
	close_fdp(&f.pipe[1]);
	(void)unlink(f.path);
	return rmdir(f.dir);
}

/* The next thing that systemd was told; *ret_fd: what came along, or negative. */
static bool told(char text[256], int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { text, 255 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(f.systemd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_fd = -EBADF;
	if (n < 0)
		return false;
	text[n] = '\0';
	if (message.msg_controllen >= CMSG_LEN(sizeof(int)) &&
		control.header.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(int));
	return true;
}

/* NAME of "…FDNAME=NAME". */
static const char *name_of(const char *text)
{
	const char *name = strstr(text, "FDNAME=");

	assert_non_null(name);
	return name + strlen("FDNAME=");
}

static int count_descriptors(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	return n;
}

static const struct store_record record = {
	.version = STORE_VERSION,
	.door = 2,
	.flags = STORE_TTY,
	.peer_uid = 1000,
	.peer_pid = 7,
	.leader = 4711,
	.id = 0x0123456789abcdef,
	.started = 12345678,
	.program = "bash",
	.user = "alice",
};

/* What one agent keeps, the next one has: the record, and descriptors that work. */
static void what_is_kept_is_taken(void **state)
{
	struct store next = {};
	struct store_record got;
	int fds[STORE_FDS_MAX], fd;
	struct store_slot *slot;
	char text[256], byte = 0;
	size_t n;

	assert_non_null(store_keep(&f.store, &record, f.pipe, 2));
	assert_true(told(text, &fd));
	assert_memory_equal(text, "FDSTORE=1", 9);
	assert_non_null(strstr(text, "FDPOLL=0"));
	assert_true(fd >= 0);
	assert_true(store_is_slot(name_of(text)));
	/* the agent dies */
	store_done(&f.store);
	close_fdp(&f.pipe[1]);
	assert_int_equal(read(f.pipe[0], &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);

	/* more than once: until it is released it stays */
	for (int i = 0; i < 3; i++) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		slot = store_take(&next, copy, name_of(text), &got, fds, &n);
		assert_non_null(slot);
		assert_memory_equal(&got, &record, sizeof(record));
		assert_int_equal(n, 2);
		assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_int_equal(read(f.pipe[0], &byte, 1), 1);
		(void)close(fds[0]);
		(void)close(fds[1]);
		store_done(&next);
	}
	close_fdp(&fd);
	assert_int_equal(read(f.pipe[0], &byte, 1), 0);
}

/* A session that has ended leaves nothing open, and its slot for the next one: PID 1 isn't told. */
static void slots_are_used_again(void **state)
{
	struct store_slot *slot = store_keep(&f.store, &record, &f.pipe[1], 1);
	char text[256], byte;
	int fd, before;

	assert_true(told(text, &fd));
	close_fdp(&fd);
	close_fdp(&f.pipe[1]);
	assert_int_equal(read(f.pipe[0], &byte, 1), -1);
	store_release(&f.store, &slot);
	assert_null(slot);
	assert_int_equal(read(f.pipe[0], &byte, 1), 0);
	before = count_descriptors();
	for (int i = 0; i < 1000; i++) {
		slot = store_keep(&f.store, &record, &f.pipe[0], 1);
		assert_non_null(slot);
		store_release(&f.store, &slot);
	}
	assert_false(told(text, &fd));
	assert_int_equal(count_descriptors(), before);
	store_release(&f.store, &slot);
}

static void many_slots_are_given_back(void **state)
{
	struct store_slot *slots[100];
	int fd, stored = 0, removed = 0, before = count_descriptors();
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		slots[i] = store_keep(&f.store, &record, f.pipe, 2);
		assert_non_null(slots[i]);
		for (; told(text, &fd); stored++)
			close_fdp(&fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		store_release(&f.store, &slots[i]);
		for (; told(text, &fd); removed++)
			assert_memory_equal(text, "FDSTOREREMOVE=1", 15);
	}
	assert_int_equal(stored, 100);
	assert_true(removed >= 50 && removed < 100);
	store_done(&f.store);
	assert_int_equal(count_descriptors(), before);
}

static void an_empty_slot_is_removed(void **state)
{
	struct store_slot *slot = store_keep(&f.store, &record, f.pipe, 2);
	struct store_record got;
	int fds[STORE_FDS_MAX], fd;
	char text[256], name[STORE_NAME_SIZE];
	size_t n;

	assert_true(told(text, &fd));
	(void)snprintf(name, sizeof(name), "%s", name_of(text));
	store_release(&f.store, &slot);
	assert_null(store_take(&f.store, fd, name, &got, fds, &n));
	assert_int_equal(n, 0);
	assert_true(told(text, &fd));
	assert_memory_equal(text, "FDSTOREREMOVE=1", 15);
	assert_string_equal(name_of(text), name);
}

/* A slot that was taken over can't be filled again: it goes with its session. */
static void a_taken_slot_goes_with_its_session(void **state)
{
	struct store next = { .systemd = true };
	struct store_slot *slot;
	struct store_record got;
	int fds[STORE_FDS_MAX], fd;
	char text[256];
	size_t n;

	assert_non_null(store_keep(&f.store, &record, &f.pipe[0], 1));
	assert_true(told(text, &fd));
	slot = store_take(&next, fd, name_of(text), &got, fds, &n);
	assert_non_null(slot);
	(void)close(fds[0]);
	store_release(&next, &slot);
	assert_true(told(text, &fd));
	assert_memory_equal(text, "FDSTOREREMOVE=1", 15);
	assert_int_equal(next.n_free, 0);
}

static void another_version_has_door_and_descriptors(void **state)
{
	struct store_record other = record, got;
	int fds[STORE_FDS_MAX], fd;
	struct store_slot *slot;
	char text[256];
	size_t n;

	other.version = STORE_VERSION + 1;
	assert_non_null(store_keep(&f.store, &other, f.pipe, 2));
	assert_true(told(text, &fd));
	slot = store_take(&f.store, fd, name_of(text), &got, fds, &n);
	assert_non_null(slot);
	assert_int_not_equal(got.version, STORE_VERSION);
	assert_int_equal(got.door, record.door);
	assert_int_equal(got.leader, 0);
	assert_int_equal(n, 2);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Without systemd nobody is told, and all else is the same. */
static void without_systemd(void **state)
{
	struct store_slot *slot;
	char text[256];
	int fd;

	(void)unsetenv("NOTIFY_SOCKET");
	store_init(&f.store);
	slot = store_keep(&f.store, &record, f.pipe, 2);
	assert_non_null(slot);
	store_release(&f.store, &slot);
	assert_false(told(text, &fd));
}

static void names(void **state)
{
	assert_true(store_is_slot("session-0123456789abcdef"));
	assert_false(store_is_slot("login"));
	assert_false(store_is_slot("session"));
	assert_false(store_is_slot("session-0123456789abcdef0123456789abcdef"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_kept_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_are_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(many_slots_are_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_slot_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_taken_slot_goes_with_its_session, setup, teardown),
		cmocka_unit_test_setup_teardown(
			another_version_has_door_and_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(without_systemd, setup, teardown),
		cmocka_unit_test(names),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
