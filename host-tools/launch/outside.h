/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config/config.h"

/*
 * Opens, O_PATH, a directory or file of the host's that the configuration names: the source of a
 * bind, a layer of an overlay. Below a directory that config, or wanted (may be NULL), lets the
 * container write to, and in any container's tree, links are not followed. Logs which one it is for
 * -ELOOP, and nothing else. A descriptor or -errno.
 */
int outside_open(const struct container_config *config, const struct container_config *wanted,
	const char *path);
