/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Makes a container known to systemd-machined, for machinectl, systemctl -M and journalctl -M. Only
 * containers that are services are: machined ends a machine by stopping the unit that it is in, and
 * that of a container in the foreground is its caller's.
 */

#include "launch.h"

#include <event2/event.h>

struct machined {
	int helper_fd; /* pidfd of the running helper */
	struct event *ended;
	unsigned int boots; /* which guest was registered last, by launch->boots */
};

#define MACHINED_NULL ((struct machined){ .helper_fd = -EBADF })

/*
 * Starts a helper that registers the guest that has just been booted, in place of the one before
 * its reboot; once a boot. Doesn't wait; the helper logs. Nothing happens where there is no system
 * bus.
 */
void machined_register(struct machined *machined, struct event_base *base,
	const struct launch *launch, pid_t leader);

/* Ends a helper that is still at it. Safe on the null state. */
void machined_stop(struct machined *machined);
