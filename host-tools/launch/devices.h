/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config/config.h"
#include "cgroup.h"

/*
 * Confines the processes of a payload's cgroup, for as long as it exists, to the devices of every
 * container (null, zero, full, random, urandom, tty and ptys) and to those that Bind= and
 * BindReadOnly= name one by one. Where the unit has a policy of its own (DevicePolicy=,
 * DeviceAllow=) that one counts, and nothing is added to it. service: the payload's parent is a
 * unit's cgroup.
 *
 * Without cgroup v2, or where the kernel refuses (no CONFIG_CGROUP_BPF, a host that is a container
 * itself), there is no policy: it says so if that matters, which it does without a user namespace
 * only, since in one no node can be made. Logs. 0 or -errno.
 */
int devices_confine(
	const struct cgroup *cgroup, bool service, const struct container_config *config);
