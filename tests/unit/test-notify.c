/* SPDX-License-Identifier: MIT */

/* Who may say READY=1, and what everybody else sends. */

#include "host-tools/launch/notify.h"

#include "scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define BASE SCRATCH "/notify"

static int dir = -EBADF, listening = -EBADF;
static size_t fds_before;

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	fds_before = count_fds();
	dir = open(BASE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listening = notify_listen(dir);
	assert_true(listening >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)unsetenv("NOTIFY_SOCKET");
	close_fdp(&listening);
	close_fdp(&dir);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(unlink(BASE "/notify"), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

/* Sends to the socket with n copies of descriptor 0. 0 or -errno. */
static int send_fds(const char *data, size_t len, size_t n)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = BASE "/notify" };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 250)];
	} control = {};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	if (n > 0) {
		struct cmsghdr *cmsg;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memset(CMSG_DATA(cmsg), 0, sizeof(int) * n); /* descriptor 0 */
	}
	return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}

static bool ready(const char *data, size_t len)
{
	assert_int_equal(send_fds(data, len, 0), 0);
	return notify_is_ready(listening, getpid());
}

static bool ready_text(const char *text)
{
	return ready(text, strlen(text));
}

static void listens(void **state)
{
	struct stat st;

	assert_int_equal(stat(BASE "/notify", &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(fcntl(listening, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(listening, F_GETFL) & O_NONBLOCK);
	/* a leftover is replaced */
	close_fdp(&listening);
	listening = notify_listen(dir);
	assert_true(listening >= 0);
	assert_true(ready_text("READY=1"));
}

static void hears_the_leader(void **state)
{
	assert_true(ready_text("READY=1"));
	assert_true(ready_text("READY=1\n"));
	assert_true(ready_text("STATUS=up\nREADY=1\nX_MORE=1"));
	assert_true(ready_text("\n\nREADY=1"));
	/* nothing more is there */
	assert_false(notify_is_ready(listening, getpid()));
}

static void ignores_other_words(void **state)
{
	static const char *const words[] = { "READY=0", "READY=10", "READY=1 ", "XREADY=1",
		" READY=1", "ready=1", "STATUS=READY=1", "READY", "READY=\n1", "\n" };
	static const char binary[] = "\0\nREADY=1\xff\xfe";

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (ready_text(words[i]))
			fail_msg("took '%s' for READY=1", words[i]);
	assert_false(ready(binary, sizeof(binary)));
	assert_false(ready("", 0));
	assert_true(ready_text("READY=1")); /* and none of it is in the way */
}

static void ignores_everybody_else(void **state)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(send_fds("READY=1", 7, 0) < 0);
	assert_true(wait_readable(listening));
	assert_false(notify_is_ready(listening, getpid()));
	assert_int_equal(wait_child(pid), 0);

	pid = fork();
	if (pid == 0)
		_exit(send_fds("READY=1", 7, 0) < 0);
	assert_true(wait_readable(listening));
	assert_true(notify_is_ready(listening, pid));
	assert_int_equal(wait_child(pid), 0);
	/* before there is a leader nobody is it */
	assert_int_equal(send_fds("READY=1", 7, 0), 0);
	assert_false(notify_is_ready(listening, 0));
	assert_int_equal(send_fds("READY=1", 7, 0), 0);
	assert_false(notify_is_ready(listening, -1));
}

static void ignores_oversized_messages(void **state)
{
	_cleanup_free_ char *text = malloc(100000);

	assert_non_null(text);
	memset(text, 'x', 100000);
	memcpy(text, "READY=1\n", 8);
	assert_true(ready(text, 4096));
	assert_false(ready(text, 4097));
	assert_false(ready(text, 100000));
	/* what is cut must not turn into the word */
	memset(text, '\n', 4096);
	memcpy(text + 4089, "READY=10", 8);
	assert_false(ready(text, 4097));
}

static void takes_no_descriptors(void **state)
{
	size_t before = count_fds();

	for (size_t n = 1; n <= 250; n += 83) {
		int r = send_fds("READY=1", 7, n);

		/* refused by the kernel (SO_PASSRIGHTS), or dropped on the way */
		if (r == 0)
			assert_true(notify_is_ready(listening, getpid()));
		else
			assert_int_equal(r, -EPERM);
		assert_int_equal(count_fds(), before);
	}
	assert_true(ready_text("READY=1"));
}

/* The same on a kernel without SO_PASSRIGHTS. */
static void drops_descriptors_that_come(void **state)
{
	size_t before = count_fds();
	const int on = 1;

	(void)setsockopt(listening, SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &on, sizeof(on));
	assert_int_equal(send_fds("READY=1", 7, 250), 0);
	assert_true(notify_is_ready(listening, getpid()));
	assert_int_equal(count_fds(), before);
	assert_int_equal(send_fds("", 0, 3), 0);
	assert_false(notify_is_ready(listening, getpid()));
	assert_int_equal(count_fds(), before);
}

static void tells_systemd(void **state)
{
	static char long_path[200];

	assert_int_equal(notify_systemd("READY=1"), 0); /* nobody asked */
	(void)setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_systemd("READY=1"), 0);
	(void)setenv("NOTIFY_SOCKET", BASE "/notify", 1);
	assert_int_equal(notify_systemd("READY=1\nSTATUS=up"), 0);
	assert_true(notify_is_ready(listening, getpid()));
	(void)setenv("NOTIFY_SOCKET", BASE "/none", 1);
	assert_int_equal(notify_systemd("READY=1"), -ENOENT);
	(void)setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(notify_systemd("READY=1"), -EINVAL);
	memset(long_path, '/', sizeof(long_path) - 1);
	(void)setenv("NOTIFY_SOCKET", long_path, 1);
	assert_int_equal(notify_systemd("READY=1"), -EINVAL);
}

/* systemd may have its socket without a name in the file system. */
static void tells_systemd_in_the_abstract(void **state)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char text[16], name[64];

	(void)snprintf(name, sizeof(name), "@narthex-test-%d", getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	(void)setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_systemd("READY=1"), 0);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	assert_memory_equal(text, "READY=1", 7);
}

/* Takes a message and the one descriptor that came along. */
static int take_descriptor(int fd, char *text, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	int taken;

	assert_true(n >= 0);
	text[n] = '\0';
	assert_non_null(CMSG_FIRSTHDR(&message));
	assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
	memcpy(&taken, CMSG_DATA(&control.header), sizeof(taken));
	return taken;
}

/* Who asks whether all has been heard is kept waiting until the descriptor is closed. */
static void waits_for_systemd(void **state)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), barrier = -EBADF;
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = BASE "/barrier" };
	char text[32];
	int status;
	pid_t pid;

	assert_int_equal(notify_barrier(0), 0); /* nobody asked */
	(void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
	assert_int_equal(notify_barrier(0), -ENOENT);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(notify_barrier(0), -ETIMEDOUT);
	barrier = take_descriptor(fd, text, sizeof(text));
	assert_string_equal(text, "BARRIER=1");
	close_fdp(&barrier);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(notify_barrier(100000) == 0 ? 0 : 1);
	barrier = take_descriptor(fd, text, sizeof(text));
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	close_fdp(&barrier);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(address.sun_path), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(listens),
		TEST(waits_for_systemd),
		TEST(hears_the_leader),
		TEST(ignores_other_words),
		TEST(ignores_everybody_else),
		TEST(ignores_oversized_messages),
		TEST(takes_no_descriptors),
		TEST(drops_descriptors_that_come),
		TEST(tells_systemd),
		TEST(tells_systemd_in_the_abstract),
	};

	return cmocka_run_group_tests_name("notify", tests, scratch_enter, NULL);
}
