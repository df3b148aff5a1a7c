/* SPDX-License-Identifier: MIT */
#include "interrupt.h"

#include "cleanup.h"

#include <signal.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
	caught = signal;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal }, old;

	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		/* what the caller ignores (nohup) stays ignored */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL);
	/* messages that nobody reads any more are no reason to leave everything as it is */
	(void)signal(SIGPIPE, SIG_IGN);
}

int interrupt_caught(void)
{
	return caught;
}

int interrupt_take(void)
{
	int number = caught;

	caught = 0;
	return number;
}

void interrupt_die(int number)
{
	if (!number)
		return;
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}
