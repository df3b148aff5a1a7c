/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A container's private network over rtnetlink (libmnl): the veth pair, its addresses and routes.
 * Every kernel error is logged with the text of the extended acknowledgement where there is one.
 */

#include "../config.h"

/*
 * Builds the network of one container. netns_fd: the guest's network namespace, borrowed; the
 * caller stays in its own (the calling thread is in the guest's for a moment). lo is brought up;
 * with config->veth the pair c-NAME / eth0 is made (the guest's end is born in the guest's
 * namespace), both ends up, addresses and routes set, IPv6 usable at once. A leftover c-NAME that
 * is ours (alias "narthex:NAME") is removed first, which takes 20 to 30 ms; one of a stranger is an
 * error that says whose. On failure nothing is left behind. Takes about 0.7 ms. Logs. 0 or -errno.
 */
int network_setup(const struct container_config *config, int netns_fd);

/*
 * Removes what network_setup() left on the host for name, if anything (after a crash; in the usual
 * case the pair dies with the namespace). Not needed before network_setup(). Quiet when there is
 * nothing, or a stranger's. 0 or -errno, logged.
 */
int network_cleanup(const char *name);
