/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config/config.h"

/*
 * Tells a systemd-networkd in the container that the links with addresses of the host's choice need
 * nothing more, in place of what it was told before. root: of the tree, borrowed. 0 or -errno.
 */
int guest_network_describe(const struct container_config *config, int root);

/* Whether networkd is told of other links by one configuration than by the other. */
bool guest_network_differs(const struct container_config *a, const struct container_config *b);
