/* SPDX-License-Identifier: MIT */

/* The launcher's own stdio, of every kind, and what the payload sees of it: nothing but copies. */

#include "host-tools/launch/console.h"

#include "scratch.h"

#include "host-tools/launch/terminal.h"
#include "loop.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static struct event_base *base;
static struct console console;
static struct launch launch;
static int saved[3], guest_master;
static size_t fds_before;

static void quiet(int severity, const char *text)
{
}

static int setup(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(quiet);
	fds_before = count_fds();
	for (int i = 0; i < 3; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
	base = event_base_new();
	console = (struct console){};
	launch = (struct launch){ .state = STATE_NULL, .cgroup = CGROUP_NULL, .notify_fd = -EBADF };
	launch.config.boot = true;
	guest_master = -EBADF;
	return 0;
}

static int teardown(void **state)
{
	console_finish(&console);
	for (int i = 0; i < 3; i++) {
		(void)dup2(saved[i], i);
		close_fdp(&saved[i]);
	}
	close_fdp(&guest_master);
	event_base_free(base);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

/* A master as the builder would send it. */
static int open_guest(void)
{
	_cleanup_close_ int dir = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);

	guest_master = terminal_open(dir);
	assert_true(guest_master >= 0);
	return guest_master;
}

/* Puts one end of a pipe at number to; returns the other, nonblocking. */
static int pipe_at(int to)
{
	int fds[2], ours = to == 0 ? 1 : 0;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(dup2(fds[1 - ours], to), to);
	(void)close(fds[1 - ours]);
	assert_int_equal(fcntl(fds[ours], F_SETFL, O_NONBLOCK), 0);
	return fds[ours];
}

/* A terminal at 0 and 1, with a size; returns its master, nonblocking. */
static int terminal_at_stdio(unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(dup2(slave, 0), 0);
	assert_int_equal(dup2(slave, 1), 1);
	(void)close(slave);
	assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(master, F_SETFD, FD_CLOEXEC), 0);
	return master;
}

/* What is to be read from a descriptor, up to a wanted text. */
struct expect {
	int fd;
	const char *want;
	char have[4096];
	size_t len;
};

static bool has_come(void *arg)
{
	struct expect *e = arg;
	ssize_t n = read(e->fd, e->have + e->len, sizeof(e->have) - 1 - e->len);

	if (n > 0)
		e->len += (size_t)n;
	return e->len >= strlen(e->want);
}

static void assert_comes(int fd, const char *want)
{
	struct expect e = { .fd = fd, .want = want };

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (!loop_until(base, has_come, &e, LOOP_DEADLINE_SEC))
		fail_msg("'%s' came instead of '%s'", e.have, want);
	assert_string_equal(e.have, want);
}

static int start(void)
{
	assert_int_equal(console_prepare(&console, &launch, base), 0);
	return console_start(&console, open_guest());
}

/* --- which mode ------------------------------------------------------------------------------ */

static enum console_mode mode(bool foreground, bool boot)
{
	enum console_mode chosen;

	launch.foreground = foreground;
	launch.config.boot = boot;
	assert_int_equal(console_prepare(&console, &launch, base), 0);
	chosen = console.mode;
	console_finish(&console);
	return chosen;
}

static void the_mode_fits_the_caller(void **state)
{
	int master = terminal_at_stdio(24, 80), out;

	assert_int_equal(mode(true, true), CONSOLE_TERMINAL);
	assert_int_equal(mode(true, false), CONSOLE_TERMINAL);
	assert_int_equal(mode(false, true), CONSOLE_LINES);
	assert_int_equal(mode(false, false), CONSOLE_LINES);
	out = pipe_at(1); /* … | less */
	assert_int_equal(mode(true, true), CONSOLE_LINES);
	assert_int_equal(mode(true, false), CONSOLE_PIPES);
	(void)close(out);
	(void)close(master);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void a_service_logs_lines(void **state)
{
	_cleanup_close_ int out = pipe_at(1), slave = -EBADF;

	assert_int_equal(start(), 0);
	slave = terminal_slave(guest_master);
	assert_int_equal(write(slave, "hello\n\033[31mred\n", 15), 15);
	assert_comes(out, "hello\n\\x1b[31mred\n");
}

static void what_was_written_last_arrives(void **state)
{
	_cleanup_close_ int out = pipe_at(1);
	int slave;

	assert_int_equal(start(), 0);
	slave = terminal_slave(guest_master);
	assert_int_equal(write(slave, "last words", 10), 10);
	(void)close(slave);
	console_finish(&console); /* the loop has not run */
	assert_comes(out, "last words\n");
}

/* Programs of the guest open and close the console as they like, and hang it up. */
static void a_console_survives_its_users(void **state)
{
	_cleanup_close_ int out = pipe_at(1);
	pid_t pid;

	assert_int_equal(start(), 0);
	for (int i = 0; i < 3; i++) {
		int slave = terminal_slave(guest_master);

		assert_int_equal(write(slave, "again\n", 6), 6);
		(void)close(slave);
		assert_comes(out, "again\n");
	}
	/* as agetty does: every slave is dead after it, the launcher's own, too */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int slave;

		(void)setsid();
		slave = terminal_slave(guest_master);
		(void)signal(SIGHUP, SIG_IGN);
		if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0 || vhangup() < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(wait_child(pid), 0);
	for (int64_t end = clock_ms() + 200; clock_ms() < end;)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
	{
		_cleanup_close_ int slave = terminal_slave(guest_master);

		assert_true(slave >= 0);
		assert_int_equal(write(slave, "after\n", 6), 6);
		assert_comes(out, "after\n");
	}
}

/* --- pipes ---------------------------------------------------------------------------------------
 */

/* In the foreground without a terminal: three pipes. *ends: the test's, in, out, err. */
static void start_pipes(int ends[3], struct payload_stdio *guest)
{
	launch.foreground = true;
	launch.config.boot = false;
	for (int i = 0; i < 3; i++)
		ends[i] = pipe_at(i);
	assert_int_equal(console_prepare(&console, &launch, base), 0);
	assert_int_equal(console.mode, CONSOLE_PIPES);
	for (int i = 0; i < 3; i++) {
		/* the payload has its ends, the launcher gives its own copies up */
		guest->fds[i] = fcntl(console.guest.fds[i], F_DUPFD_CLOEXEC, 3);
		assert_int_equal(fcntl(console.guest.fds[i], F_GETFD), FD_CLOEXEC);
	}
	assert_int_equal(console_start(&console, open_guest()), 0);
}

static bool is_at_end(void *arg)
{
	char byte;

	return read(*(int *)arg, &byte, 1) == 0;
}

static bool out_has_ended(void *arg)
{
	return console.out.ended && console.err.ended;
}

static void a_commands_pipes_are_exact(void **state)
{
	struct payload_stdio guest;
	int ends[3];

	start_pipes(ends, &guest);
	/* never the caller's own */
	for (int i = 0; i < 3; i++) {
		struct stat a, b;

		assert_int_equal(fstat(guest.fds[i], &a) | fstat(i, &b), 0);
		assert_int_not_equal(a.st_ino, b.st_ino);
		assert_false(fcntl(guest.fds[i], F_GETFL) & O_NONBLOCK);
		assert_false(fcntl(i, F_GETFL) & O_NONBLOCK);
	}
	assert_int_equal(write(guest.fds[1], "\033out\r\n", 6), 6);
	assert_comes(ends[1], "\033out\r\n");
	assert_int_equal(write(guest.fds[2], "err", 3), 3);
	assert_comes(ends[2], "err");
	assert_int_equal(write(ends[0], "in", 2), 2);
	assert_comes(guest.fds[0], "in");
	/* the ends of file go both ways, each alone */
	(void)close(ends[0]);
	assert_true(loop_until(base, is_at_end, &guest.fds[0], LOOP_DEADLINE_SEC));
	assert_int_equal(write(guest.fds[1], "still", 5), 5);
	assert_comes(ends[1], "still");
	for (int i = 0; i < 3; i++)
		(void)close(guest.fds[i]);
	/* the launcher holds no end of the payload's: it sees that nobody writes any more */
	assert_true(loop_until(base, out_has_ended, NULL, LOOP_DEADLINE_SEC));
	console_finish(&console);
	for (int i = 1; i < 3; i++) {
		(void)dup2(saved[i], i);
		assert_true(is_at_end(&ends[i]));
		(void)close(ends[i]);
	}
}

static void nothing_of_a_command_is_lost(void **state)
{
	static char text[50000], got[sizeof(text) + 1];
	struct payload_stdio guest;
	int ends[3];
	size_t n = 0;
	ssize_t r;

	start_pipes(ends, &guest);
	memset(text, 't', sizeof(text));
	assert_int_equal(write(guest.fds[1], text, sizeof(text)), sizeof(text));
	for (int i = 0; i < 3; i++)
		(void)close(guest.fds[i]);
	/* it has ended before the loop ran */
	console_hang_up(&console);
	while (!console_is_drained(&console))
		assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
	console_finish(&console);
	while ((r = read(ends[1], got + n, sizeof(got) - n)) > 0)
		n += (size_t)r;
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(got, text, n);
	for (int i = 0; i < 3; i++)
		(void)close(ends[i]);
}

static void without_a_stdin_there_is_an_end_of_file(void **state)
{
	int out, err;

	launch.foreground = true;
	launch.config.boot = false;
	out = pipe_at(1);
	err = pipe_at(2);
	close_fdp(&(int){ 0 });
	assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	assert_int_equal(console_prepare(&console, &launch, base), 0);
	{
		_cleanup_close_ int in = fcntl(console.guest.fds[0], F_DUPFD_CLOEXEC, 3);

		assert_int_equal(console_start(&console, open_guest()), 0);
		assert_int_equal(fcntl(in, F_SETFL, O_NONBLOCK), 0);
		assert_true(loop_until(base, is_at_end, &in, LOOP_DEADLINE_SEC));
	}
	console_finish(&console);
	(void)close(out);
	(void)close(err);
}

/* --- a terminal
 * ----------------------------------------------------------------------------------- */

static unsigned int escaped;

static void on_escape(void *arg)
{
	escaped++;
}

static int start_terminal(unsigned short rows, unsigned short columns)
{
	int master = terminal_at_stdio(rows, columns);

	launch.foreground = true;
	console.escape = on_escape;
	escaped = 0;
	assert_int_equal(start(), 0);
	assert_int_equal(console.mode, CONSOLE_TERMINAL);
	return master;
}

static void assert_size(unsigned short rows, unsigned short columns)
{
	struct winsize size;

	assert_int_equal(ioctl(guest_master, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_row, rows);
	assert_int_equal(size.ws_col, columns);
}

static void a_terminal_is_raw_and_restored(void **state)
{
	struct termios before, during, after;
	_cleanup_close_ int master = start_terminal(33, 99), slave = -EBADF;
	struct winsize size = { .ws_row = 40, .ws_col = 120 };

	before = console.saved;
	assert_true(before.c_lflag & (ICANON | ECHO));
	assert_int_equal(tcgetattr(0, &during), 0);
	assert_false(during.c_lflag & (ICANON | ECHO | ISIG));
	assert_size(33, 99);
	assert_int_equal(ioctl(0, TIOCSWINSZ, &size), 0);
	console_resize(&console);
	assert_size(40, 120);
	/* both ways, control bytes and all */
	slave = terminal_slave(guest_master);
	assert_int_equal(write(slave, "\033[1m>\n", 6), 6);
	assert_comes(master, "\033[1m>\r\n");
	assert_int_equal(write(master, "typed\r", 6), 6);
	assert_comes(slave, "typed\n");
	console_finish(&console);
	assert_int_equal(tcgetattr(0, &after), 0);
	assert_int_equal(after.c_iflag, before.c_iflag);
	assert_int_equal(after.c_oflag, before.c_oflag);
	assert_int_equal(after.c_cflag, before.c_cflag);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_memory_equal(after.c_cc, before.c_cc, sizeof(after.c_cc));
	console_resize(&console); /* without a guest: nothing */
}

static void spin_until_typed(int slave, const char *want)
{
	struct termios raw;

	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	assert_comes(slave, want);
}

static void three_times_the_escape_leaves(void **state)
{
	_cleanup_close_ int master = start_terminal(24, 80), slave = -EBADF;
	struct termios raw;

	slave = terminal_slave(guest_master);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	assert_int_equal(write(master, "\035\035x\035", 4), 4); /* something between */
	spin_until_typed(slave, "\035\035x\035");
	assert_int_equal(escaped, 0);
	assert_int_equal(write(master, "x", 1), 1);
	spin_until_typed(slave, "x");
	/* byte for byte, as fingers do */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(escaped, 0);
		assert_int_equal(write(master, "\035", 1), 1);
		spin_until_typed(slave, "\035");
		/* as quick as they are, whatever this machine is */
		console.escape_time_ms += 1000000;
	}
	assert_int_equal(escaped, 1);
	/* too slow */
	assert_int_equal(write(master, "\035\035", 2), 2);
	spin_until_typed(slave, "\035\035");
	console.escape_time_ms -= 1100;
	assert_int_equal(write(master, "\035", 1), 1);
	spin_until_typed(slave, "\035");
	assert_int_equal(escaped, 1);
}

/* A reboot: the same console again. */
static void it_starts_again_after_its_end(void **state)
{
	_cleanup_close_ int out = pipe_at(1);

	for (int i = 0; i < 3; i++) {
		_cleanup_close_ int slave = -EBADF;

		assert_int_equal(start(), 0);
		slave = terminal_slave(guest_master);
		assert_int_equal(write(slave, "boot\n", 5), 5);
		assert_comes(out, "boot\n");
		close_fdp(&slave);
		console_finish(&console);
		close_fdp(&guest_master);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_mode_fits_the_caller),
		TEST(a_service_logs_lines),
		TEST(what_was_written_last_arrives),
		TEST(a_console_survives_its_users),
		TEST(a_commands_pipes_are_exact),
		TEST(nothing_of_a_command_is_lost),
		TEST(without_a_stdin_there_is_an_end_of_file),
		TEST(a_terminal_is_raw_and_restored),
		TEST(three_times_the_escape_leaves),
		TEST(it_starts_again_after_its_end),
	};

	return cmocka_run_group_tests_name("console", tests, scratch_enter, NULL);
}
