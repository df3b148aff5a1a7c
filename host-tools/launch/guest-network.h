/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config.h"

/*
 * Tells a systemd-networkd in the container that the links with addresses of the host's choice need
 * nothing more. root: of the tree, borrowed. 0 or -errno.
 */
int guest_network_describe(const struct container_config *config, int root);
