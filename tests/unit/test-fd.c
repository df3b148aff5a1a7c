/* SPDX-License-Identifier: MIT */
#include "fd.h"

#include "cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

/* Descriptors open now: a function that leaks one is found by the count. */
static int count_fds(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

static int temporary_file(const void *content, size_t len)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int interrupted_fd;

static void on_alarm(int sig)
{
	if (write(interrupted_fd, "!", 1) != 1)
		_exit(2);
}

/* A signal that comes while the pipe is full cuts the write short, the next one makes it EINTR. */
static _Noreturn void interrupted_writer(int fd, int notify_fd, const char *buf, size_t len)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = {
		.it_value.tv_usec = 20000,
		.it_interval.tv_usec = 20000,
	};

	interrupted_fd = notify_fd;
	if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &soon, NULL) < 0)
		_exit(3);
	_exit(fd_write_all(fd, buf, len) == 0 ? 0 : 1);
}

static void write_all_goes_on(void **state)
{
	enum { SIZE = 1 << 20 }; /* more than a pipe holds */
	int p[2], interrupted[2], status;
	char *text = malloc(SIZE), *got = NULL, byte;
	pid_t pid;

	assert_non_null(text);
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (char)('a' + i % 23);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(interrupted, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		interrupted_writer(p[1], interrupted[1], text, SIZE);
	close(p[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(interrupted[0], &byte, 1), 1);
	assert_int_equal(fd_read_all(p[0], SIZE, &got), SIZE);
	assert_memory_equal(got, text, SIZE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(p[0]);
	close(interrupted[0]);
	close(interrupted[1]);
	free(text);
	free(got);
}

static void write_all_reports(void **state)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(p[0], "x", 1), -EBADF);
	close(p[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(fd_write_all(p[1], "x", 1), -EPIPE);
	(void)signal(SIGPIPE, SIG_DFL);
	close(p[1]);
}

static void read_all_of_any_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 8192, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = lengths[i];
		char *content = malloc(len + 1), *text = NULL;
		int fd;

		assert_non_null(content);
		for (size_t j = 0; j < len; j++)
			content[j] = (char)('a' + j % 26);
		content[len] = '\0';
		fd = temporary_file(content, len);
		assert_int_equal(fd_read_all(fd, 200000, &text), len);
		assert_string_equal(text, content);
		free(text);
		/* exactly the limit, and one less */
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_read_all(fd, len, &text), len);
		free(text);
		text = NULL;
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		if (len > 0)
			assert_int_equal(fd_read_all(fd, len - 1, &text), -EFBIG);
		assert_null(text);
		close(fd);
		free(content);
	}
}

static void read_all_of_a_slow_pipe(void **state)
{
	int p[2];
	char *text = NULL;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			if (write(p[1], "ab", 2) != 2)
				_exit(1);
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(fd_read_all(p[0], 6, &text), 6);
	assert_string_equal(text, "ababab");
	free(text);
	close(p[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void files_by_path(void **state)
{
	char dir[] = "/tmp/test-fd.XXXXXX", buf[128];
	char *text = NULL;
	int before = count_fds(), dirfd;

	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_DIRECTORY | O_CLOEXEC);
	assert_true(dirfd >= 0);
	assert_int_equal(file_read_all(dirfd, "f", 0, 10, &text), -ENOENT);
	assert_int_equal(file_write_string(dirfd, "f", "abc"), -ENOENT); /* it makes none */
	close(openat(dirfd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(file_write_string(dirfd, "f", "abc"), 0);
	assert_int_equal(file_read_all(dirfd, "f", O_NOFOLLOW, 10, &text), 3);
	assert_string_equal(text, "abc");
	free(text);
	assert_int_equal(symlinkat("f", dirfd, "link"), 0);
	assert_int_equal(file_read_all(dirfd, "link", O_NOFOLLOW, 10, &text), -ELOOP);
	assert_int_equal(file_write_string(dirfd, "link", "abc"), -ELOOP);
	snprintf(buf, sizeof(buf), "%s/f", dir);
	unlink(buf);
	snprintf(buf, sizeof(buf), "%s/link", dir);
	unlink(buf);
	rmdir(dir);
	close(dirfd);
	assert_int_equal(count_fds(), before);
}

static void make_pair(int sock[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
}

static void descriptors_travel(void **state)
{
	int before = count_fds();

	for (size_t n = 0; n <= FD_PASS_MAX; n++) {
		int sock[2], sent[FD_PASS_MAX], got[FD_PASS_MAX];
		struct stat a, b;
		char tag = 0;

		make_pair(sock);
		for (size_t i = 0; i < n; i++)
			sent[i] = temporary_file("x", 1);
		assert_int_equal(fd_send(sock[0], 'T', sent, n), 0);
		assert_int_equal(fd_receive(sock[1], &tag, got, FD_PASS_MAX), n);
		assert_int_equal(tag, 'T');
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(fstat(sent[i], &a), 0);
			assert_int_equal(fstat(got[i], &b), 0);
			assert_int_equal(a.st_ino, b.st_ino);
			assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
			close(sent[i]);
			close(got[i]);
		}
		close(sock[0]);
		close(sock[1]);
	}
	assert_int_equal(count_fds(), before);
}

static void too_many_leak_nothing(void **state)
{
	int before = count_fds(), sock[2], fds[2], got[FD_PASS_MAX] = { -1, -1 };
	char tag = 'u';

	make_pair(sock);
	fds[0] = fds[1] = sock[0];
	assert_int_equal(fd_send(sock[0], 'T', fds, 2), 0);
	assert_int_equal(fd_receive(sock[1], &tag, got, 1), -EPROTO);
	assert_int_equal(fd_send(sock[0], 'T', fds, 2), 0);
	assert_int_equal(fd_receive(sock[1], &tag, got, 0), -EPROTO);
	assert_int_equal(got[0], -1);
	assert_int_equal(tag, 'u');
	assert_int_equal(fd_send(sock[0], 'T', fds, 2), 0);
	assert_int_equal(fd_receive(sock[1], &tag, got, 2), 2);
	assert_int_equal(tag, 'T');
	close(got[0]);
	close(got[1]);
	assert_int_equal(fd_send(sock[0], 'T', fds, FD_PASS_MAX + 1), -EINVAL);
	close(sock[0]);
	assert_int_equal(fd_receive(sock[1], &tag, got, 0), -ECONNRESET);
	assert_int_equal(fd_send(sock[1], 'T', NULL, 0), -EPIPE); /* and no SIGPIPE */
	close(sock[1]);
	assert_int_equal(count_fds(), before);
}

/* Says that it goes to wait for an answer, with a deadline that is far away, and waits. */
static _Noreturn void deadline_waiter(int sock)
{
	const struct timeval deadline = { .tv_sec = 100 };
	char answer;

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) < 0 ||
		write(sock, "?", 1) != 1)
		_exit(2);
	_exit(UNINTERRUPTED(recv(sock, &answer, 1, 0)) == 1 ? 0 : 1);
}

static char state_of(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	assert_true(file_read_all(AT_FDCWD, path, 0, 4096, &text) > 0);
	return strrchr(text, ')')[2];
}

/* A process that is stopped while it waits with a deadline, and goes on, waits on. */
static void a_stop_interrupts_nothing(void **state)
{
	int pair[2], status;
	char question;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		deadline_waiter(pair[1]);
	assert_int_equal(read(pair[0], &question, 1), 1);
	/* it has nothing else to sleep in */
	while (state_of(pid) != 'S')
		(void)sched_yield();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(pid, SIGCONT), 0);
	while (state_of(pid) == 'T')
		(void)sched_yield();
	assert_int_equal(write(pair[0], "!", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_all_goes_on),
		cmocka_unit_test(write_all_reports),
		cmocka_unit_test(a_stop_interrupts_nothing),
		cmocka_unit_test(read_all_of_any_length),
		cmocka_unit_test(read_all_of_a_slow_pipe),
		cmocka_unit_test(files_by_path),
		cmocka_unit_test(descriptors_travel),
		cmocka_unit_test(too_many_leak_nothing),
	};

	(void)alarm(250); /* nothing here may hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
