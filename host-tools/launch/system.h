/* SPDX-License-Identifier: MIT */
#pragma once

/* The NixOS system that a container runs (Path=). */

#include "launch.h"

/*
 * Before each boot: what Path= leads to now becomes launch->system, and is shown and held as
 * system-links.h says. A profile may have moved on since the last boot. Without Path= nothing
 * happens. Logs. 0 or -errno.
 */
int system_resolve(struct launch *launch);
