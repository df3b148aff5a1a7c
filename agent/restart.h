/* SPDX-License-Identifier: MIT */
#pragma once

/* Why the agent is being stopped. */

#include <stdbool.h>

/*
 * Whether systemd stops this service to start it again (systemctl restart, an upgrade of a
 * package). False when it doesn't, or can't be asked. Blocks for two seconds at most.
 */
bool restart_is_pending(void);
