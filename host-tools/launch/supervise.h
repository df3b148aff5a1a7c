/* SPDX-License-Identifier: MIT */
#pragma once

#include "launch.h"

/*
 * Runs the container until it ends for good: builds the guest, rebuilds it when it reboots, stops
 * it when asked. Returns the launcher's exit status: 0 after a poweroff, the payload's own status
 * for a command, 128+N when signal N ended it, 125 when the container could not be built (logged).
 */
int supervise(struct launch *launch);

/*
 * The same for a guest that another launcher has left in fd (hand-over.h), which has executed this
 * one in its place. check: it was executed only for a look; says on stdout whether it would take
 * over, and doesn't return.
 */
int supervise_next(struct launch *launch, int fd, bool check);
