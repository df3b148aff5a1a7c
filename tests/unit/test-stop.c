/* SPDX-License-Identifier: MIT */

/* Who hears a signal, asked of real processes. */

#include "host-tools/launch/stop.h"

#include "scratch.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum attitude { CATCHES, BLOCKS, IGNORES, NOTHING };

static void on_signal(int number)
{
}

/* A process with an attitude towards a signal. */
static pid_t spawn(enum attitude attitude, int number)
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sigset_t set;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigemptyset(&set);
		(void)sigaddset(&set, number);
		(void)signal(number, attitude == CATCHES   ? on_signal
				     : attitude == IGNORES ? SIG_IGN
							   : SIG_DFL);
		(void)sigprocmask(attitude == BLOCKS ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
		(void)!write(ready[1], "r", 1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static bool heard(enum attitude attitude, int number)
{
	pid_t pid = spawn(attitude, number);
	bool result = stop_is_heard(pid, number);

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	return result;
}

static void who_hears(void **state)
{
	const int numbers[] = { SIGHUP, SIGTERM, SIGPWR, SIGUSR2, SIGRTMIN + 3, SIGRTMAX };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_true(heard(CATCHES, numbers[i]));
		assert_true(heard(BLOCKS, numbers[i]));
		assert_false(heard(IGNORES, numbers[i]));
		assert_false(heard(NOTHING, numbers[i]));
	}
}

/* In sigwait() a signal is neither caught nor blocked, as long as that waits. */
static void who_waits_hears(void **state)
{
	int64_t end = clock_ms() + SCRATCH_DEADLINE_MS;
	char path[64], text[16] = "";
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		sigset_t set;
		int number;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigfillset(&set);
		(void)sigprocmask(SIG_BLOCK, &set, NULL);
		for (;;)
			(void)sigwait(&set, &number);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	while (strtol(text, NULL, 10) != SYS_rt_sigtimedwait && clock_ms() < end) {
		_cleanup_fclose_ FILE *f = fopen(path, "re");

		assert_non_null(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	}
	assert_true(stop_is_heard(pid, SIGUSR2));
	(void)kill(pid, SIGKILL);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
}

static void one_signal_is_not_another(void **state)
{
	pid_t pid = spawn(CATCHES, SIGTERM);

	assert_false(stop_is_heard(pid, SIGTERM - 1));
	assert_false(stop_is_heard(pid, SIGTERM + 1));
	/* what nobody can close his ears to */
	assert_true(stop_is_heard(pid, SIGKILL));
	assert_true(stop_is_heard(pid, SIGSTOP));
	(void)kill(pid, SIGKILL);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	/* of a process that isn't there nothing can be told */
	assert_true(stop_is_heard(pid, SIGTERM));
}

static void each_init_has_its_signal(void **state)
{
	assert_int_equal(stop_signal(INIT_SYSTEMD, 0), SIGRTMIN + 3);
	assert_int_equal(stop_signal(INIT_BUSYBOX, 0), SIGUSR2);
	assert_int_equal(stop_signal(INIT_OTHER, 0), SIGPWR);
	assert_int_equal(stop_signal(INIT_COMMAND, 0), SIGTERM);
	assert_int_equal(stop_signal(INIT_SYSTEMD, SIGINT), SIGINT);
	assert_int_equal(stop_signal(INIT_COMMAND, SIGKILL), SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_hears),
		cmocka_unit_test(who_waits_hears),
		cmocka_unit_test(one_signal_is_not_another),
		cmocka_unit_test(each_init_has_its_signal),
	};

	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
