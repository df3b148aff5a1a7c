/* SPDX-License-Identifier: MIT */
#pragma once

#include "builder.h"

/*
 * The leader, from its birth to the init's exec. Waits for a byte on go_fd (the tree is built and
 * pivoted to), then makes the namespaces and limits its own and executes. What fails is written to
 * error_fd as one line of text. All descriptors are the process' own.
 */
_Noreturn void payload_run(
	const struct launch *launch, const struct payload_stdio *stdio, int go_fd, int error_fd);

/*
 * The caller is to die with the launcher, which alone reads from error_fd. -ESRCH: it is dead
 * already. A change of ids undoes it (prctl(2), PR_SET_PDEATHSIG).
 */
int tie_to_launcher(int error_fd);

/* Every signal to its default, none blocked. */
void signals_reset(void);
