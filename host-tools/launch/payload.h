/* SPDX-License-Identifier: MIT */
#pragma once

#include "builder.h"

/* The leader's descriptors. It closes them all. */
struct payload_fds {
	int socket; /* to the supervisor, for BUILD_UNSHARED */
	int go; /* a byte comes when the tree is built and pivoted to. When there are binds, a byte
		 * says that the leader has its mount namespace, and one comes when they are in it
		 */
	int error; /* takes one line of text about what fails */
};

/*
 * The leader, from its birth to the init's exec. Makes the namespaces that don't depend on the
 * tree, waits for its go, makes the others and its limits its own, and executes.
 */
_Noreturn void payload_run(const struct launch *launch, const struct payload_stdio *stdio,
	const struct payload_fds *fds);

/*
 * The caller is to die with the launcher, which alone reads from error_fd. -ESRCH: it is dead
 * already. A change of ids undoes it (prctl(2), PR_SET_PDEATHSIG).
 */
int tie_to_launcher(int error_fd);

/* Every signal to its default, none blocked. */
void signals_reset(void);
