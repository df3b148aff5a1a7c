/* SPDX-License-Identifier: MIT */
#include "agent/client.h"

#include "cleanup.h"
#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct refusal {
	struct refused_clients refused;
	int client;
};

static void turn(struct refusal *t)
{
	assert_true(event_base_loop(t->refused.base, EVLOOP_NONBLOCK) >= 0);
}

static void refuse(struct refusal *t)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	t->client = pair[0];
	client_refuse(&t->refused, pair[1], "no, %s", "sorry");
}

static int set_up(void **state)
{
	static struct refusal t;

	t = (struct refusal){ .refused.base = event_base_new(), .client = -EBADF };
	*state = &t;
	return t.refused.base ? 0 : -1;
}

static int tear_down(void **state)
{
	struct refusal *t = *state;

	refused_clients_done(&t->refused);
	event_base_free(t->refused.base);
	close_fdp(&t->client);
	return 0;
}

static void reads_why(int fd)
{
	char text[64] = "";

	assert_int_equal(read(fd, text, sizeof(text) - 1), strlen("no, sorry\r\n"));
	assert_string_equal(text, "no, sorry\r\n");
	assert_int_equal(read(fd, text, sizeof(text)), 0);
}

/* Whether its deadline can't have passed yet. Where a test stood still for so long it is done
 * again. */
static bool in_time(struct refusal *t, double since)
{
	if (loop_now() - since < CLIENT_LINGER_SEC)
		return true;
	refused_clients_done(&t->refused);
	close_fdp(&t->client);
	return false;
}

static void test_a_client_that_writes_first_still_reads_why(void **state)
{
	struct refusal *t = *state;
	ssize_t first;
	double since;

	do {
		since = loop_now();
		refuse(t);
		turn(t);
		first = send(t->client, "ls\n", 3, MSG_NOSIGNAL);
		turn(t);
	} while (!in_time(t, since));
	assert_int_equal(first, 3);
	assert_int_equal(send(t->client, "ls\n", 3, MSG_NOSIGNAL), 3);
	reads_why(t->client);
	assert_int_equal(t->refused.count, 1);
	assert_int_equal(shutdown(t->client, SHUT_WR), 0);
	turn(t);
	assert_int_equal(t->refused.count, 0);
}

static void test_one_that_never_stops_is_cut(void **state)
{
	static char much[64 * 1024];
	struct refusal *t = *state;
	size_t sent;
	double since;

	do {
		since = loop_now();
		sent = 0;
		refuse(t);
		for (int i = 0; i < 1000 && t->refused.count > 0; i++) {
			ssize_t n =
				send(t->client, much, sizeof(much), MSG_NOSIGNAL | MSG_DONTWAIT);

			sent += n > 0 ? (size_t)n : 0;
			turn(t);
		}
	} while (!in_time(t, since));
	assert_int_equal(t->refused.count, 0);
	assert_in_range(sent, CLIENT_LINGER_BYTES, 4 * CLIENT_LINGER_BYTES);
	assert_int_equal(send(t->client, much, 1, MSG_NOSIGNAL), -1);
}

static void test_a_silent_one_has_a_deadline(void **state)
{
	struct refusal *t = *state;

	refuse(t);
	/* returns when there is nothing left to wait for */
	assert_int_equal(event_base_dispatch(t->refused.base), 1);
	assert_int_equal(t->refused.count, 0);
	reads_why(t->client);
}

static void test_too_many_are_not_waited_for(void **state)
{
	struct refusal *t = *state;
	int clients[CLIENT_LINGER_MAX];

	for (size_t i = 0; i < CLIENT_LINGER_MAX; i++) {
		refuse(t);
		clients[i] = t->client;
	}
	refuse(t);
	assert_int_equal(t->refused.count, CLIENT_LINGER_MAX);
	reads_why(t->client);
	assert_int_equal(send(t->client, "", 1, MSG_NOSIGNAL), -1);
	for (size_t i = 0; i < CLIENT_LINGER_MAX; i++)
		close(clients[i]);
	turn(t);
	assert_int_equal(t->refused.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_client_that_writes_first_still_reads_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_never_stops_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_silent_one_has_a_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_too_many_are_not_waited_for, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
