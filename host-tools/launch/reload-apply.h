/* SPDX-License-Identifier: MIT */
#pragma once

#include "../reload-plan.h"
#include "launch.h"

/*
 * Changes the running container from launch->config to plan->merged. In a process of its own, which
 * ends afterwards: it gives up its mount namespace. All or nothing: on failure what was done has
 * been undone. leader, leader_fd: the guest's PID 1. Logs. 0 or -errno.
 */
int reload_apply(
	const struct launch *launch, const struct reload_plan *plan, pid_t leader, int leader_fd);
