/* SPDX-License-Identifier: MIT */
#pragma once

/* What the launcher finds in the guest's tree and what it brings in. Runs in the builder. */

#include "launch.h"

/* The init that will be started, told by the name of the file that it is. root: the guest's,
 * O_PATH, borrowed. */
enum init_kind guest_init_kind(const struct launch *launch, int root);

/*
 * Below the guest's fresh /run: host/container-manager and host/container-uuid (systemd's container
 * interface), and for a systemd guest the doors' units, enabled. A guest that has a newer agent of
 * its own keeps that, with the doors' directory added. Logs. 0 or -errno.
 */
int guest_populate_run(const struct launch *launch, int root, enum init_kind kind);

/* The container's id, 32 hex digits: MachineID=, or one derived from name and root that stays the
 * same.
 */
void guest_uuid(const struct container_config *config, char ret[33]);

/* The first line of a small regular file of the guest's; "" when there is none. */
void guest_line(int root, const char *path, char *line, size_t size);
