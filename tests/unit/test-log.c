/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What a call writes to stderr. One line fits into a pipe. */
#define SAID(call)                                                                                 \
	({                                                                                         \
		stderr_to_pipe();                                                                  \
		call;                                                                              \
		stderr_back();                                                                     \
	})

static char said[16384];
static int saved = -EBADF, reader = -EBADF;

static void stderr_to_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	close(fds[1]);
	reader = fds[0];
}

static const char *stderr_back(void)
{
	ssize_t n;

	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close_fdp(&saved);
	n = read(reader, said, sizeof(said) - 1);
	assert_true(n >= 0);
	said[n] = '\0';
	close_fdp(&reader);
	return said;
}

static void a_line_has_its_program(void **state)
{
	assert_string_equal(SAID(log_error("cannot do %d", 3)), "test: cannot do 3\n");
	assert_string_equal(SAID((void)log_errno(-ENOENT, "cannot open '%s'", "/x")),
		"test: cannot open '/x': No such file or directory\n");
}

static void a_journal_has_its_priority(void **state)
{
	assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
	log_init("test");
	assert_string_equal(SAID(log_warning("beware")), "<4>beware\n");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_init("test");
}

/* A second line, made by a name, would be a message that nobody wrote, or one of another priority.
 */
static void control_bytes_are_shown(void **state)
{
	assert_string_equal(SAID(log_error("no '%s'", "\033]0;x\a\n<0>panic\x9b")),
		"test: no '\\x1b]0;x\\x07\\x0a<0>panic\\x9b'\n");
	assert_string_equal(
		SAID(log_error("a\ttab, \xc3\xa4, \\x1b")), "test: a\ttab, \xc3\xa4, \\x1b\n");
}

static void the_longest_is_one_line(void **state)
{
	static char text[8000];
	const char *line;

	memset(text, '\033', sizeof(text) - 1);
	line = SAID(log_error("%s", text));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_null(strchr(line, '\033'));
	memset(text, 'x', sizeof(text) - 1);
	line = SAID(log_error("%s", text));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_true(strlen(line) > 2000);
}

/* A journald that hangs: its socket is full. */
static void nobody_is_waited_for(void **state)
{
	static char byte;
	int fds[2], size = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(fds[1], &byte, 1, MSG_DONTWAIT) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	(void)alarm(60);
	log_dont_wait();
	log_error("lost");
	(void)alarm(0);
	/* and one that reads gets what comes then */
	while (recv(fds[0], said, sizeof(said), MSG_DONTWAIT) > 0)
		;
	log_error("heard");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close_fdp(&saved);
	assert_int_equal(recv(fds[0], said, sizeof(said), MSG_DONTWAIT), strlen("test: heard\n"));
	assert_memory_equal(said, "test: heard\n", strlen("test: heard\n"));
	(void)close(fds[0]);
	(void)close(fds[1]);
	/* any other stderr is written to as ever */
	assert_string_equal(SAID(log_error("to a pipe")), "test: to a pipe\n");
}

static int setup(void **state)
{
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_init("test");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_its_program),
		cmocka_unit_test(a_journal_has_its_priority),
		cmocka_unit_test(control_bytes_are_shown),
		cmocka_unit_test(the_longest_is_one_line),
		cmocka_unit_test(nobody_is_waited_for),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
