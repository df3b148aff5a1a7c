/* SPDX-License-Identifier: MIT */
#include "agent/journal.h"

#include "agent/leader.h"
#include "cleanup.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

static char entry[4096];

/* What journald gets of a session that has ended so. */
static void close_with(int status)
{
	struct journal journal = JOURNAL_NULL;
	const struct journal_session session = {
		.door = door_get(DOOR_EXEC),
		.id = 0x2a,
		.program = "sh",
		.status = status,
		.duration_usec = 1500000,
	};
	_cleanup_close_ int journald = -EBADF;
	int pair[2];
	ssize_t n;

	assert_return_code(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), errno);
	journal.fd = pair[0];
	journald = pair[1];
	journal_session_closed(&journal, &session);
	n = recv(journald, entry, sizeof(entry) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	entry[n] = '\0';
	journal_close(&journal);
}

static void an_exit(void **state)
{
	close_with(W_EXITCODE(3, 0));
	assert_non_null(strstr(entry,
		"MESSAGE=session 000000000000002a closed at door exec after 1.500 s: sh exited "
		"with status 3\n"));
	assert_non_null(strstr(entry, "\nNARTHEX_EXIT_CODE=3\n"));
	assert_null(strstr(entry, "NARTHEX_SIGNAL"));
	assert_non_null(strstr(entry, "\nNARTHEX_DURATION_USEC=1500000\n"));
}

static void a_signal(void **state)
{
	close_with(W_EXITCODE(0, SIGKILL));
	assert_non_null(strstr(entry, ": sh was killed by signal 9\n"));
	assert_non_null(strstr(entry, "\nNARTHEX_SIGNAL=9\n"));
	assert_null(strstr(entry, "NARTHEX_EXIT_CODE"));
}

static void nobody_knows(void **state)
{
	close_with(LEADER_STATUS_UNKNOWN);
	assert_non_null(strstr(entry, ": sh ended, and nobody can tell how\n"));
	assert_null(strstr(entry, "NARTHEX_SIGNAL"));
	assert_null(strstr(entry, "NARTHEX_EXIT_CODE"));
	assert_non_null(strstr(entry, "\nNARTHEX_DURATION_USEC=1500000\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit),
		cmocka_unit_test(a_signal),
		cmocka_unit_test(nobody_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
