/* SPDX-License-Identifier: MIT */

/* The program narthex attach on one side, this test as the keeper on the other, and a terminal that
 * takes nothing. */

#include "host-tools/client/kept-client.h"

#include "host-tools/kept.h"
#include "scratch.h"

#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utmp.h>

#define HOME "/run/narthex/t"
#define SPAN_MS 1000

struct client {
	pid_t pid;
	int pidfd, master, slave, sock;
};

static struct client client;
static int listener = -EBADF;

static int setup(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	return mkdir("/run/narthex", 0755) + mkdir(HOME, 0755) + mkdir(HOME "/" KEPT_DIR, 0755);
}

/* A client that is attached. */
static int begin(void **state)
{
	_cleanup_free_ char *program = NULL;
	_cleanup_close_ int dir = -EBADF;
	struct kept_packet packet;
	unsigned int id;

	listener = kept_listen("t", &id, &dir);
	if (listener < 0 || openpty(&client.master, &client.slave, NULL, NULL, NULL) < 0 ||
		asprintf(&program, "%s/narthex", getenv("NARTHEX_BUILD") ?: "build") < 0)
		return -1;
	client.pid = fork();
	if (client.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(client.master);
		if (login_tty(client.slave) == 0)
			(void)execl(program, "narthex", "attach", "t", NULL);
		_exit(99);
	}
	client.pidfd = pidfd_open(client.pid, 0);
	/* it asks who is there, and attaches */
	for (int type = KEPT_ASK; type != KEPT_ATTACH; type = packet.header.type) {
		struct kept_state only = { .id = id, .status = -1 };

		if (!wait_readable(listener))
			return -1;
		client.sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (kept_receive(client.sock, &packet, 0) < 0)
			return -1;
		if (packet.header.type == KEPT_ASK) {
			(void)kept_send(client.sock, KEPT_STATE, &only, sizeof(only), 0);
			close_fdp(&client.sock);
		}
	}
	return 0;
}

static int end(void **state)
{
	(void)kill(client.pid, SIGKILL);
	(void)waitpid(client.pid, NULL, 0);
	close_fdp(&client.pidfd);
	close_fdp(&client.master);
	close_fdp(&client.slave);
	close_fdp(&client.sock);
	close_fdp(&listener);
	return unlink(HOME "/" KEPT_DIR "/1");
}

static bool takes_output(void)
{
	struct pollfd p = { .fd = client.slave, .events = POLLOUT };

	return poll(&p, 1, 10) == 1;
}

/* Writes until the terminal takes no byte more, and goes on taking none. */
static void fill_terminal(void)
{
	static const char text[4096];
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", client.slave);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (int full = 0; full < 10; full++)
		while (takes_output() && write(fd, text, sizeof(text)) > 0)
			full = 0;
	(void)close(fd);
}

/* Processor time, in ticks. */
static unsigned long used(void)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long user, kernel;
	char path[64], text[1024];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", client.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	p = strrchr(text, ')');
	assert_non_null(p);
	/* fields 3 to 15 */
	assert_int_equal(
		sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel),
		2);
	return user + kernel;
}

/* Until it has used next to nothing for a while. */
static void wait_idle(void)
{
	int64_t until = clock_ms() + SCRATCH_DEADLINE_MS;
	unsigned long before;

	do {
		assert_true(clock_ms() < until);
		before = used();
		(void)poll(NULL, 0, SPAN_MS);
	} while (used() - before > (unsigned long)sysconf(_SC_CLK_TCK) / 50);
}

static void ends_at_sigterm(void)
{
	assert_int_equal(kill(client.pid, SIGTERM), 0);
	assert_true(wait_readable(client.pidfd));
	assert_int_equal(wait_child(client.pid), 128 + SIGTERM);
}

static void test_the_keeper_goes_while_the_terminal_takes_nothing(void **state)
{
	fill_terminal();
	assert_int_equal(kept_send(client.sock, KEPT_OUTPUT, "x", 1, 0), 0);
	close_fdp(&client.sock);
	wait_idle();
	ends_at_sigterm();
}

static void test_a_terminal_that_takes_a_part(void **state)
{
	static const char text[KEPT_DATA];

	/* more than a terminal holds */
	for (int i = 0; i < 8; i++)
		assert_int_equal(
			kept_send(client.sock, KEPT_OUTPUT, text, sizeof(text) - 77, 0), 0);
	wait_idle();
	ends_at_sigterm();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_keeper_goes_while_the_terminal_takes_nothing),
		TEST(test_a_terminal_that_takes_a_part),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
