/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config/config.h"

#include <sys/types.h>

/*
 * Gives the leader what the configuration says of limits, processors and the OOM killer. It takes a
 * process with the host's privileges: from inside a user namespace hard limits can't be raised, nor
 * a score lowered. Logs. 0 or -errno.
 */
int attributes_apply(const struct container_config *config, pid_t leader);
