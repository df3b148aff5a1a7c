/* SPDX-License-Identifier: MIT */
#include "agent/crashes.h"

#include "cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

/* systemd is a socket here, which gets the count; each agent is a child. */

static struct {
	char dir[32], path[64];
	int systemd, count;
} f;

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)strcpy(f.dir, "/tmp/test-crashes.XXXXXX");
	if (!mkdtemp(f.dir))
		return -1;
	(void)snprintf(f.path, sizeof(f.path), "%s/notify", f.dir);
	memcpy(address.sun_path, f.path, sizeof(f.path));
	f.count = -EBADF;
	f.systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f.systemd < 0 || bind(f.systemd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return setenv("NOTIFY_SOCKET", f.path, 1);
}

static int teardown(void **state)
{
	(void)unsetenv("NOTIFY_SOCKET");
	close_fdp(&f.systemd);
	close_fdp(&f.count);
	(void)unlink(f.path);
	return rmdir(f.dir);
}

static void take_count(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	char text[256] = "";
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	if (recvmsg(f.systemd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return;
	assert_non_null(strstr(text, "FDSTORE=1"));
	assert_true(crashes_is_count(strstr(text, "FDNAME=") + strlen("FDNAME=")));
	assert_true(f.count < 0); /* the next agents go on with it */
	memcpy(&f.count, CMSG_DATA(&control.header), sizeof(int));
}

/* An agent that takes over and then gets a signal, or says whether there were too many crashes. */
static int agent(int number)
{
	const struct rlimit no_core = {};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		if (f.count >= 0)
			crashes_take(fcntl(f.count, F_DUPFD_CLOEXEC, 3));
		crashes_start();
		if (number)
			(void)raise(number);
		_exit(crashes_too_many());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	take_count();
	if (!number) {
		assert_true(WIFEXITED(status));
		return WEXITSTATUS(status);
	}
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

static void crashes_in_a_row_are_counted(void **state)
{
	static const int numbers[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };

#if defined(__SANITIZE_ADDRESS__)
	return; /* its handlers are left alone */
#endif
	for (int i = 0; i < CRASHES_MAX; i++) {
		assert_int_equal(agent(0), 0);
		assert_int_equal(agent(numbers[i % 5]), numbers[i % 5]);
	}
	assert_int_equal(agent(0), 1);
	/* and from the beginning */
	assert_int_equal(agent(0), 0);
}

static void others_ends_are_no_crashes(void **state)
{
	for (int i = 0; i < CRASHES_MAX * 2; i++)
		assert_int_equal(agent(i % 2 ? SIGKILL : SIGTERM), i % 2 ? SIGKILL : SIGTERM);
	assert_int_equal(agent(0), 0);
}

static void failures_count_too(void **state)
{
	crashes_start();
	take_count();
	for (int i = 0; i < CRASHES_MAX; i++) {
		assert_false(crashes_too_many());
		crashes_note();
	}
	assert_true(crashes_too_many());
	assert_false(crashes_too_many());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(crashes_in_a_row_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(others_ends_are_no_crashes, setup, teardown),
		cmocka_unit_test_setup_teardown(failures_count_too, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
