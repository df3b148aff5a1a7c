/* SPDX-License-Identifier: MIT */
#include "agent/relay.h"

#include "agent/pty.h"
#include "cleanup.h"
#include "loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include <cmocka.h>

#define BULK (4 * 1024 * 1024)

/* A client and a program, each on its end; both are driven from the loop's conditions. */
struct fixture {
	struct event_base *base;
	struct relay relay;
	int client, socket, master, slave;
	int program; /* a second slave, the program's */
	bool drained;
	size_t sent, received;
	unsigned char got[BULK];
};

static struct fixture f;

static void set_raw(int fd)
{
	struct termios modes;

	assert_return_code(tcgetattr(fd, &modes), errno);
	cfmakeraw(&modes);
	assert_return_code(tcsetattr(fd, TCSANOW, &modes), errno);
}

static int setup(void **state)
{
	char name[PTY_NAME_SIZE], path[32];
	int fds[2];

	f.base = event_base_new();
	f.drained = false;
	f.sent = f.received = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
		pty_open(&f.master, &f.slave) < 0 || pty_name(f.master, name) < 0)
		return -1;
	f.client = fds[0];
	f.socket = fds[1];
	(void)snprintf(path, sizeof(path), "/dev/%s", name);
	f.program = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	return f.program < 0 || relay_start(&f.relay, f.base, f.socket, f.master, f.slave) < 0;
}

static int teardown(void **state)
{
	relay_stop(&f.relay);
	relay_stop(&f.relay);
	close_fdp(&f.client);
	close_fdp(&f.socket);
	close_fdp(&f.master);
	close_fdp(&f.slave);
	close_fdp(&f.program);
	event_base_free(f.base);
	return 0;
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 2654435761U >> 13);
}

/* Moves the pattern from one end to the other, as far as both allow. */
static bool pump(int from, int to)
{
	unsigned char chunk[4096];
	ssize_t n;

	while (f.sent < BULK) {
		size_t len = BULK - f.sent < sizeof(chunk) ? BULK - f.sent : sizeof(chunk);

		for (size_t i = 0; i < len; i++)
			chunk[i] = pattern(f.sent + i);
		n = write(from, chunk, len);
		if (n <= 0)
			break;
		f.sent += (size_t)n;
	}
	while (f.received < BULK && (n = read(to, f.got + f.received, BULK - f.received)) > 0)
		f.received += (size_t)n;
	return f.received == BULK;
}

static bool pump_out(void *arg)
{
	return pump(f.program, f.client);
}

static bool pump_in(void *arg)
{
	return pump(f.client, f.program);
}

static void check_bulk(void)
{
	for (size_t i = 0; i < BULK; i++)
		if (f.got[i] != pattern(i))
			fail_msg("byte %zu differs", i);
}

/* The agent dies; the next one has duplicates of the descriptors, and nothing else. */
static void change_agents(void)
{
	int pipes[RELAY_PIPES], copies[RELAY_PIPES];

	assert_int_equal(relay_pipes(&f.relay, pipes), RELAY_PIPES);
	for (size_t i = 0; i < RELAY_PIPES; i++)
		assert_true((copies[i] = fcntl(pipes[i], F_DUPFD_CLOEXEC, 3)) >= 0);
	relay_stop(&f.relay);
	assert_int_equal(relay_resume(&f.relay, f.base, f.socket, f.master, f.slave, copies), 0);
	for (size_t i = 0; i < RELAY_PIPES; i++)
		assert_true(copies[i] < 0);
}

/* At every turn of the loop there is another agent, with bytes on their way in both pipes. */
static bool change_and_pump_out(void *arg)
{
	change_agents();
	return pump(f.program, f.client);
}

static bool change_and_pump_in(void *arg)
{
	change_agents();
	return pump(f.client, f.program);
}

static void test_out_through_many_agents(void **state)
{
	set_raw(f.slave);
	assert_true(loop_until(f.base, change_and_pump_out, NULL, LOOP_DEADLINE_SEC));
	check_bulk();
}

static void test_in_through_many_agents(void **state)
{
	set_raw(f.slave);
	assert_true(loop_until(f.base, change_and_pump_in, NULL, LOOP_DEADLINE_SEC));
	check_bulk();
}

static void test_out(void **state)
{
	set_raw(f.slave);
	assert_true(loop_until(f.base, pump_out, NULL, LOOP_DEADLINE_SEC));
	check_bulk();
}

static void test_in(void **state)
{
	set_raw(f.slave);
	assert_true(loop_until(f.base, pump_in, NULL, LOOP_DEADLINE_SEC));
	check_bulk();
}

/* A client that only writes to a program that echoes: neither may block the relay. */
static bool echo_through(void *arg)
{
	unsigned char chunk[4096];
	static unsigned char back[sizeof(chunk)];
	static size_t len, done;
	ssize_t n;

	for (;;) {
		if (done == len) {
			n = read(f.program, back, sizeof(back));
			if (n <= 0)
				break;
			len = (size_t)n;
			done = 0;
		}
		n = write(f.program, back + done, len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return pump(f.client, f.client);
}

static void test_echo(void **state)
{
	set_raw(f.slave);
	assert_true(loop_until(f.base, echo_through, NULL, LOOP_DEADLINE_SEC));
	check_bulk();
}

static bool stalled(void *arg)
{
	static size_t last;
	static double since;
	unsigned char chunk[4096] = {};
	ssize_t n;

	while ((n = write(f.program, chunk, sizeof(chunk))) > 0)
		f.sent += (size_t)n;
	if (f.sent != last) {
		last = f.sent;
		since = loop_now();
	}
	return loop_now() - since > 0.2;
}

/* A client that doesn't read stops the program, with kilobytes in flight and no turns of the loop.
 */
static void test_slow_client(void **state)
{
	unsigned int turns = 0;

	set_raw(f.slave);
	assert_true(loop_until(f.base, stalled, NULL, LOOP_DEADLINE_SEC));
	assert_in_range(f.sent, 1, 1024 * 1024);
	(void)event_base_loopexit(f.base, &(struct timeval){ .tv_usec = 300000 });
	for (; !event_base_got_exit(f.base); turns++)
		(void)event_base_loop(f.base, EVLOOP_ONCE);
	/* some may have been due, should we have stood still while it looked stalled */
	assert_in_range(turns, 1, 100);
}

static void on_drained(void *arg)
{
	f.drained = true;
}

static bool read_all(void *arg)
{
	ssize_t n;

	while ((n = read(f.client, f.got + f.received, BULK - f.received)) > 0)
		f.received += (size_t)n;
	return f.drained;
}

/* What the program wrote before it exited is delivered, though the client is slow. */
static void test_drain(void **state)
{
	size_t in_terminal = 0;
	unsigned char chunk[1000];
	ssize_t n;

	set_raw(f.slave);
	for (;; in_terminal += (size_t)n) {
		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = pattern(in_terminal + i);
		n = write(f.program, chunk, sizeof(chunk));
		if (n <= 0)
			break;
	}
	assert_true(in_terminal > 4096);
	close_fdp(&f.program);
	close_fdp(&f.slave);
	relay_drain(&f.relay, on_drained, NULL);
	assert_true(loop_until(f.base, read_all, NULL, LOOP_DEADLINE_SEC));
	(void)read_all(NULL);
	assert_int_equal(f.received, in_terminal);
	for (size_t i = 0; i < in_terminal; i++)
		assert_int_equal(f.got[i], pattern(i));
}

/* So slowly that the terminal is never found empty. */
static bool read_slowly(void *arg)
{
	ssize_t n = read(f.client, f.got, 4096);

	if (n > 0)
		f.received += (size_t)n;
	return f.drained;
}

/* A background job that never stops writing doesn't keep the session. */
static void test_drain_ends(void **state)
{
	const int small = 4096; /* else one gap in the socket takes all that the job has written */
	pid_t job;

	assert_return_code(
		setsockopt(f.socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), errno);
	set_raw(f.slave);
	while (write(f.program, f.got, 4096) > 0)
		;
	job = fork();
	assert_true(job >= 0);
	if (job == 0) {
		(void)fcntl(f.program, F_SETFL, 0);
		for (;;)
			if (write(f.program, f.got, 4096) < 0)
				_exit(1);
	}
	close_fdp(&f.slave);
	relay_drain(&f.relay, on_drained, NULL);
	(void)loop_until(f.base, read_slowly, NULL, LOOP_DEADLINE_SEC);
	(void)kill(job, SIGKILL);
	(void)waitpid(job, NULL, 0);
	assert_true(f.drained);
}

static void test_drain_nothing(void **state)
{
	close_fdp(&f.slave); /* a background job still has the terminal, and is silent */
	relay_drain(&f.relay, on_drained, NULL);
	assert_true(f.drained);
}

static void test_drain_client_gone(void **state)
{
	assert_int_equal(write(f.program, "x", 1), 1);
	close_fdp(&f.client);
	close_fdp(&f.program);
	close_fdp(&f.slave);
	relay_drain(&f.relay, on_drained, NULL);
	assert_true(f.drained);
}

static bool program_reads(void *arg)
{
	ssize_t n = read(f.program, f.got + f.received, BULK - f.received);

	if (n > 0)
		f.received += (size_t)n;
	return n == 0; /* end of file */
}

static bool program_reads_one(void *arg)
{
	return read(f.program, f.got, 1) == 1;
}

/* End of file comes after all that was typed, more than once, and not as a character. */
static void test_end_of_file(void **state)
{
	assert_int_equal(write(f.client, "one\ntwo\n", 8), 8);
	assert_return_code(shutdown(f.client, SHUT_WR), errno);
	assert_true(loop_until(f.base, program_reads, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.received, 8);
	assert_memory_equal(f.got, "one\ntwo\n", 8);
	assert_true(loop_until(f.base, program_reads, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.received, 8);
	/* output still goes on */
	assert_int_equal(write(f.program, "three", 5), 5);
	close_fdp(&f.program);
	close_fdp(&f.slave);
	f.received = 0;
	relay_drain(&f.relay, on_drained, NULL);
	assert_true(loop_until(f.base, read_all, NULL, LOOP_DEADLINE_SEC));
	(void)read_all(NULL);
	assert_non_null(memmem(f.got, f.received, "three", 5));
}

static bool program_has_three(void *arg)
{
	int n = 0;

	return ioctl(f.program, FIONREAD, &n) == 0 && n == 3;
}

static bool never(void *arg)
{
	return false;
}

/* In raw mode ^D is a character like any other: it must not be typed among unread input. */
static void test_end_of_file_raw(void **state)
{
	set_raw(f.slave);
	assert_int_equal(write(f.client, "abc", 3), 3);
	assert_return_code(shutdown(f.client, SHUT_WR), errno);
	assert_true(loop_until(f.base, program_has_three, NULL, LOOP_DEADLINE_SEC));
	(void)loop_until(f.base, never, NULL, 0.1);
	assert_int_equal(read(f.program, f.got, 100), 3);
	assert_int_equal(read(f.program, f.got, 100), -1);
	assert_true(loop_until(f.base, program_reads_one, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(f.got[0], 4);
}

static bool has_no_input(void *arg)
{
	return !relay_has_input(&f.relay);
}

static void test_has_input(void **state)
{
	assert_true(relay_has_input(&f.relay));
	assert_int_equal(write(f.client, "x", 1), 1);
	assert_return_code(shutdown(f.client, SHUT_WR), errno);
	assert_true(relay_has_input(&f.relay));
	assert_true(loop_until(f.base, has_no_input, NULL, LOOP_DEADLINE_SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_through_many_agents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_through_many_agents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in, setup, teardown),
		cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain_client_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_file_raw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_has_input, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
