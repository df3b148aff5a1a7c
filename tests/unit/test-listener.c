/* SPDX-License-Identifier: MIT */
#include "agent/listener.h"

#include "cleanup.h"
#include "loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

static struct {
	struct event_base *base;
	struct sessions sessions;
	struct listeners listeners;
	char dir[64], path[80];
	char got[64];
	int client;
} f;

static int setup(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	memset(&f, 0, sizeof(f));
	(void)strcpy(f.dir, "/tmp/test-listener.XXXXXX");
	if (!mkdtemp(f.dir))
		return -1;
	(void)snprintf(f.path, sizeof(f.path), "%s/door.socket", f.dir);
	f.base = event_base_new();
	f.client = -EBADF;
	return sessions_init(&f.sessions, f.base, 10, 10, "linux") < 0 ||
	       listeners_init(&f.listeners, f.base, &f.sessions) < 0;
}

static int teardown(void **state)
{
	listeners_done(&f.listeners);
	sessions_done(&f.sessions, false);
	event_base_free(f.base);
	close_fdp(&f.client);
	(void)unlink(f.path);
	return rmdir(f.dir);
}

static int bind_door(const char *door)
{
	return listeners_bind(&f.listeners, door_find(door), f.path);
}

static int connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
	assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	return fd;
}

static mode_t mode(void)
{
	struct stat st;

	assert_return_code(stat(f.path, &st), errno);
	return st.st_mode & 07777;
}

static void test_modes(void **state)
{
	assert_int_equal(bind_door("login"), 0);
	assert_int_equal(mode(), 0666);
	listeners_done(&f.listeners);
	assert_int_equal(access(f.path, F_OK), -1);
	assert_int_equal(listeners_init(&f.listeners, f.base, &f.sessions), 0);
	assert_int_equal(bind_door("root-shell"), 0);
	assert_int_equal(mode(), 0600);
}

static void test_stale(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(listen(fd, 1), errno);
	assert_int_equal(bind_door("login"), -EADDRINUSE);
	(void)close(fd); /* and leaves its file behind */
	assert_int_equal(bind_door("login"), 0);
}

static void test_in_the_way(void **state)
{
	int fd = open(f.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(bind_door("login"), -EEXIST);
	assert_int_equal(access(f.path, F_OK), 0);
	(void)unlink(f.path);
	assert_return_code(symlink("/tmp/elsewhere", f.path), errno);
	assert_int_equal(bind_door("login"), -EEXIST);
}

static void test_long_path(void **state)
{
	char path[200] = "/";

	memset(path + 1, 'x', sizeof(path) - 2);
	assert_int_equal(listeners_bind(&f.listeners, door_find("login"), path), -ENAMETOOLONG);
}

/* What systemd passes counts by its name; it is closed when that is no door's. */
static void test_passed(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), copy;

	assert_true(fd >= 0);
	/* an abstract address of the kernel's choice */
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), errno);
	assert_return_code(listen(fd, 1), errno);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(listeners_take(&f.listeners, "narthex-login.socket", fd), -EINVAL);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(f.listeners.first);
	assert_int_equal(listeners_take(&f.listeners, "root-login", copy), 0);
	assert_ptr_equal(f.listeners.first->door, door_find("root-login"));
}

static bool heard(void *arg)
{
	size_t len = strlen(f.got);
	ssize_t n = read(f.client, f.got + len, sizeof(f.got) - 1 - len);

	return n == 0 || strlen(f.got) > 0;
}

static void test_serve(void **state)
{
	assert_int_equal(bind_door("root-shell"), 0);
	assert_int_equal(listeners_start(&f.listeners), 0);
	f.client = connect_client();
	assert_int_equal(write(f.client, "echo here\n", 10), 10);
	assert_true(loop_until(f.base, heard, NULL, LOOP_DEADLINE_SEC));
	assert_string_equal(f.got, "here\n");
}

static unsigned int turns; /* of the loop */

static bool never(void *arg)
{
	turns++;
	return false;
}

/* Without descriptors accept pauses, it doesn't spin; and the client is served later. */
static void test_no_descriptors(void **state)
{
	struct rlimit limit, low;

	assert_int_equal(bind_door("root-shell"), 0);
	assert_int_equal(listeners_start(&f.listeners), 0);
	f.client = connect_client();
	assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
	low = limit;
	low.rlim_cur = 3; /* all that is open stays open */
	assert_return_code(setrlimit(RLIMIT_NOFILE, &low), errno);
	turns = 0;
	(void)loop_until(f.base, never, NULL, 0.3);
	assert_int_equal(f.sessions.limits.count, 0);
	/* loop_until() turns it 150 times, a spin thousands of times */
	assert_true(turns < 300);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
	assert_int_equal(write(f.client, "echo here\n", 10), 10);
	assert_true(loop_until(f.base, heard, NULL, LOOP_DEADLINE_SEC));
	assert_string_equal(f.got, "here\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_serve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
