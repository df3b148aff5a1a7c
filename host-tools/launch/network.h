/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A container's private network over rtnetlink (libmnl): the veth pair, its addresses and routes.
 * Every kernel error is logged with the text of the extended acknowledgement where there is one.
 */

#include "../config.h"

/*
 * Builds the network of one container. netns_fd: the guest's network namespace, borrowed; the
 * caller stays in its own. lo is brought up; with config->veth the pair c-NAME / eth0 is made (the
 * guest's end is born in the guest's namespace), both ends up, addresses and routes set, no IPv6
 * DAD delay. A leftover c-NAME that is ours (name and altname or alias say so) is removed first;
 * one of a stranger is an error that says whose. On failure nothing is left behind. Logs. 0 or
 * -errno.
 */
int network_setup(const struct container_config *config, int netns_fd);

/*
 * Removes what network_setup() left on the host for name, if anything (after a crash; in the usual
 * case the pair dies with the namespace). Quiet when there is nothing. 0 or -errno, logged.
 */
int network_cleanup(const char *name);
