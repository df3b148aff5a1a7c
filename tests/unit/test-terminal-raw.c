/* SPDX-License-Identifier: MIT */
#include "host-tools/client/terminal-raw.h"

#include "scratch.h"

#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static bool seen(struct terminal_escape *escape, const char *keys, int64_t now_ms)
{
	return terminal_escape_seen(escape, keys, strlen(keys), now_ms);
}

static void test_escape(void **state)
{
	struct terminal_escape e = {};

	assert_true(seen(&e, "abc\x1d\x1d\x1d", 5000));
	e = (struct terminal_escape){};
	assert_false(seen(&e, "\x1d", 1000));
	assert_false(seen(&e, "\x1d", 1500));
	assert_true(seen(&e, "\x1d", 2000));
	/* too slow: counting starts anew with the late one */
	e = (struct terminal_escape){};
	assert_false(seen(&e, "\x1d\x1d", 1000));
	assert_false(seen(&e, "\x1d", 2001));
	assert_false(seen(&e, "\x1d", 2002));
	assert_true(seen(&e, "\x1d", 2003));
	/* another key in between */
	e = (struct terminal_escape){};
	assert_false(seen(&e, "\x1d\x1dx\x1d\x1d", 1000));
	assert_true(seen(&e, "\x1d", 1001));
}

/* With a terminal as stdin in a child, whose exit status says what failed. */
static int in_child(int (*check)(int slave))
{
	int master, slave, status;
	struct winsize size = { .ws_row = 33, .ws_col = 101 };
	pid_t pid;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(slave, STDIN_FILENO);
		(void)dup2(slave, STDOUT_FILENO);
		_exit(check(slave));
	}
	status = wait_child(pid);
	(void)close(master);
	(void)close(slave);
	return status;
}

static int check_raw(int slave)
{
	struct termios before = {}, raw, after = {};
	struct terminal_raw terminal = {};

	(void)tcgetattr(slave, &before);
	if (terminal_raw_enter(&terminal) < 0 || tcgetattr(slave, &raw) < 0)
		return 1;
	if ((raw.c_lflag & (ICANON | ECHO | ISIG)) || (raw.c_oflag & OPOST) ||
		(raw.c_iflag & ICRNL))
		return 2;
	terminal_raw_leave(&terminal);
	if (tcgetattr(slave, &after) < 0 || before.c_iflag != after.c_iflag ||
		before.c_oflag != after.c_oflag || before.c_lflag != after.c_lflag ||
		memcmp(before.c_cc, after.c_cc, sizeof(before.c_cc)) != 0)
		return 3;
	/* what nobody has entered is not left */
	raw.c_lflag &= ~(tcflag_t)ECHOE;
	(void)tcsetattr(slave, TCSANOW, &raw);
	terminal_raw_leave(&terminal);
	return tcgetattr(slave, &after) < 0 || after.c_lflag != raw.c_lflag ? 4 : 0;
}

static void test_raw_and_back(void **state)
{
	assert_int_equal(in_child(check_raw), 0);
}

static int check_size(int slave)
{
	int master, other;
	struct winsize size;

	if (openpty(&master, &other, NULL, NULL, NULL) < 0 || terminal_copy_size(master) < 0 ||
		ioctl(other, TIOCGWINSZ, &size) < 0)
		return 1;
	return size.ws_row == 33 && size.ws_col == 101 ? 0 : 2;
}

static void test_size(void **state)
{
	assert_int_equal(in_child(check_size), 0);
}

static int check_no_terminal(int slave)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct terminal_raw terminal = {};

	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	if (terminal_raw_enter(&terminal) != 0 || terminal.active)
		return 1;
	return terminal_copy_size(slave) == -ENOTTY ? 0 : 2;
}

static void test_no_terminal(void **state)
{
	assert_int_equal(in_child(check_no_terminal), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_raw_and_back),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
