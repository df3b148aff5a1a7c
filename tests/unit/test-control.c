/* SPDX-License-Identifier: MIT */

/* The control socket in a real loop, with all kinds of clients. */

#include "host-tools/launch/control.h"

#include "scratch.h"

#include "loop.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BASE SCRATCH "/control"
#define SOCKET BASE "/launcher.socket"

static struct event_base *base;
static struct control control;
static struct state container;
static size_t fds_before;
static int pty_result;

static int on_status(void *arg, char **ret)
{
	*ret = strdup("{\"state\":\"tested\"}");
	return *ret ? 0 : -ENOMEM;
}

static int on_pty(void *arg, int ret_fds[2])
{
	if (pty_result < 0)
		return pty_result;
	return pipe2(ret_fds, O_CLOEXEC) < 0 ? -errno : 0;
}

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	fds_before = count_fds();
	base = event_base_new();
	container = (struct state){
		.name = (char *)"test",
		.lock_fd = -EBADF,
		.private_fd = -EBADF,
		.dir_fd = open(BASE, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	control = CONTROL_NULL;
	control.status = on_status;
	control.pty = on_pty;
	pty_result = 0;
	assert_int_equal(control_start(&control, base, &container), 0);
	return 0;
}

static int teardown(void **state)
{
	control_stop(&control);
	event_base_free(base);
	close_fdp(&container.dir_fd);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(unlink(SOCKET), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -errno;
}

static bool is_readable(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* The answer that comes on fd, "" for an end of file; *ret_fds (2) gets descriptors, -EBADF none.
 */
static const char *answer(int fd, int *ret_fds)
{
	static char text[512];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 8)];
	} room = {};
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	assert_true(loop_until(base, is_readable, &fd, LOOP_DEADLINE_SEC));
	n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	if (n < 0)
		assert_int_equal(errno, ECONNRESET);
	text[n > 0 ? n : 0] = '\0';
	cmsg = CMSG_FIRSTHDR(&message);
	if (!ret_fds) {
		assert_null(cmsg);
		return text;
	}
	ret_fds[0] = ret_fds[1] = -EBADF;
	if (cmsg) {
		assert_int_equal(cmsg->cmsg_len, CMSG_LEN(2 * sizeof(int)));
		memcpy(ret_fds, CMSG_DATA(cmsg), 2 * sizeof(int));
	}
	return text;
}

static const char *ask(const char *request, size_t len)
{
	_cleanup_close_ int fd = dial();
	const char *text;
	char more;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
	text = answer(fd, NULL);
	/* one answer, then the end */
	assert_true(loop_until(base, is_readable, &fd, LOOP_DEADLINE_SEC));
	assert_true(recv(fd, &more, 1, MSG_DONTWAIT) <= 0);
	return text;
}

static void is_there_for_root_only(void **state)
{
	mode_t mask = umask(022);
	struct stat st;

	assert_int_equal(mask, 022); /* control_start() leaves it as it was */
	assert_int_equal(stat(SOCKET, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fcntl(control.fd, F_GETFD), FD_CLOEXEC);
}

static void answers_status(void **state)
{
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
}

static void hands_a_pty_out(void **state)
{
	_cleanup_close_ int fd = dial();
	int fds[2];
	char byte;

	assert_int_equal(send(fd, "pty", 3, 0), 3);
	assert_string_equal(answer(fd, fds), "ok");
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	/* the launcher keeps neither: with our end closed nobody writes */
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	(void)close(fds[0]);
}

static void says_why_there_is_no_pty(void **state)
{
	const char *text;

	pty_result = -EAGAIN;
	text = ask("pty", 3);
	assert_true(strncmp(text, "error: ", 7) == 0);
	assert_non_null(strstr(text, strerror(EAGAIN)));
}

static void refuses_everything_else(void **state)
{
	static char big[60000];
	static const char *const words[] = { "x", "stat", "status\n", "statuss", "PTY", "pty ",
		"\xff\xfe" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_true(strncmp(ask(words[i], strlen(words[i])), "error: ", 7) == 0);
	memset(big, 's', sizeof(big));
	assert_true(strncmp(ask(big, sizeof(big)), "error: ", 7) == 0);
	/* an empty message is no request */
	assert_string_equal(ask("", 0), "");
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
}

static void a_client_that_goes_is_forgotten(void **state)
{
	size_t before = count_fds();

	for (int i = 0; i < 50; i++) {
		int fd = dial();

		assert_true(fd >= 0);
		if (i % 2)
			(void)send(fd, "status", 6, MSG_NOSIGNAL);
		(void)close(fd);
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
	assert_int_equal(count_fds(), before);
}

/* One says nothing: others are served meanwhile, and it is sent away in the end. */
static void a_silent_client_is_sent_away(void **state)
{
	_cleanup_close_ int silent = dial();
	int64_t start = clock_ms();

	assert_true(silent >= 0);
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
	assert_string_equal(answer(silent, NULL), "");
	assert_true(clock_ms() - start >= 4000);
}

static bool is_accepted(void *arg)
{
	return control.clients != NULL;
}

/* A launcher that was held up past the deadline finds the request nevertheless. */
static void a_request_that_is_there_is_not_late(void **state)
{
	_cleanup_close_ int fd = dial();

	assert_true(loop_until(base, is_accepted, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(send(fd, "status", 6, MSG_NOSIGNAL), 6);
	assert_int_equal(poll(NULL, 0, 5500), 0);
	assert_string_equal(answer(fd, NULL), "{\"state\":\"tested\"}");
}

static void a_stranger_gets_nothing(void **state)
{
	int report[2];
	pid_t pid;
	char said;

	/* even if somebody opened the way */
	assert_int_equal(chmod(SOCKET, 0666), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char text[64];
		struct pollfd p = {};
		ssize_t n = -1;
		int fd;

		if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0)
			_exit(1);
		fd = dial();
		p = (struct pollfd){ .fd = fd, .events = POLLIN };
		(void)send(fd, "status", 6, MSG_NOSIGNAL);
		if (fd >= 0 && poll(&p, 1, SCRATCH_DEADLINE_MS) == 1)
			n = recv(fd, text, sizeof(text), 0);
		said = n > 0 ? 'y' : 'n';
		_exit(fd < 0 || write(report[1], &said, 1) != 1);
	}
	(void)close(report[1]);
	assert_true(loop_until(base, is_readable, &report[0], LOOP_DEADLINE_SEC));
	assert_int_equal(read(report[0], &said, 1), 1);
	assert_int_equal(said, 'n');
	(void)close(report[0]);
	assert_int_equal(wait_child(pid), 0);
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
}

static void many_clients_at_once(void **state)
{
	int fds[200];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		/* the backlog is short, the loop takes them in turn */
		while ((fds[i] = dial()) == -EAGAIN)
			(void)event_base_loop(base, EVLOOP_NONBLOCK);
		assert_true(fds[i] >= 0);
		/* before it is accepted: from then on a client has a deadline */
		assert_int_equal(send(fds[i], "status", 6, MSG_NOSIGNAL), 6);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_string_equal(answer(fds[i], NULL), "{\"state\":\"tested\"}");
		(void)close(fds[i]);
	}
}

static void stops_while_clients_wait(void **state)
{
	int fds[3];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial();
	for (int i = 0; i < 5; i++)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	/* one in the middle has gone before */
	(void)close(fds[1]);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	control_stop(&control);
	/* the waiting ones are let go at once */
	assert_true(is_readable(&fds[0]));
	assert_true(is_readable(&fds[2]));
	assert_string_equal(answer(fds[0], NULL), "");
	assert_string_equal(answer(fds[2], NULL), "");
	(void)close(fds[0]);
	(void)close(fds[2]);
	control_stop(&control); /* twice does no harm */
}

static void says_when_it_cannot_listen(void **state)
{
	struct control second = CONTROL_NULL;

	assert_int_equal(control_start(&second, base, &container), -EADDRINUSE);
	control_stop(&second);
	assert_string_equal(ask("status", 6), "{\"state\":\"tested\"}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_there_for_root_only),
		TEST(answers_status),
		TEST(hands_a_pty_out),
		TEST(says_why_there_is_no_pty),
		TEST(refuses_everything_else),
		TEST(a_client_that_goes_is_forgotten),
		TEST(a_silent_client_is_sent_away),
		TEST(a_request_that_is_there_is_not_late),
		TEST(a_stranger_gets_nothing),
		TEST(many_clients_at_once),
		TEST(stops_while_clients_wait),
		TEST(says_when_it_cannot_listen),
	};

	return cmocka_run_group_tests_name("control", tests, scratch_enter, NULL);
}
