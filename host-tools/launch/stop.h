/* SPDX-License-Identifier: MIT */
#pragma once

/* How an init is asked to end. */

#include "launch.h"

/* The signal that init takes for a poweroff. configured: KillSignal=, 0 for none. */
int stop_signal(enum init_kind init, int configured);

/*
 * Whether a signal would do something to pid, a process of ours that is not reaped: it catches it,
 * has it blocked, as those do that read signalfd(2), or waits for signals. True, too, when that
 * can't be told.
 */
bool stop_is_heard(pid_t pid, int signal_number);
