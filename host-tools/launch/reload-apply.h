/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config/reload-plan.h"
#include "launch.h"
#include "live-binds.h"

/* All that the process which makes the changes has to know. Everything is borrowed. */
struct reload_job {
	const struct launch *launch; /* with the configuration that runs */
	const struct reload_plan *plan;
	const struct live_binds *live_binds; /* of that configuration */
	const int *match;		     /* binds_match() of the binds that are to be */
	pid_t leader;			     /* the guest's PID 1 */
	int leader_fd;
	enum init_kind init;
	int socket; /* takes a message of fd_send() for each bind that is mounted: its mount, or
		     * none when its source is missing */
};

/*
 * Changes the running container to plan->merged. In a process of its own, which ends afterwards: it
 * gives up its mount namespace. All or nothing: on failure what was done has been undone. Logs. 0
 * or -errno.
 */
int reload_apply(const struct reload_job *job);
