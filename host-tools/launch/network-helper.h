/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The container's network is made by narthex-network, which has the libraries for it. It is started
 * together with the builder, and has loaded them when the leader has its network namespace.
 */

#include "../config/config.h"

struct network_helper {
	int pidfd, socket;
};

#define NETWORK_HELPER_NULL ((struct network_helper){ -EBADF, -EBADF })

/* Whether there is anything for it to do: lo alone needs none. */
bool network_helper_is_needed(const struct container_config *config);

/* Whether something outlives the container's network namespace: then network_helper_cleanup() has
 * to follow the container's end. Interfaces of the host's are state_has_interfaces()'s. */
bool network_helper_leaves_traces(const struct container_config *config);

/* Starts it. Logs. 0 or -errno. */
int network_helper_start(struct network_helper *helper, const struct container_config *config);

/* Lets it set the network up; its end, readable at helper->pidfd, says that it has. netns_fd:
 * borrowed. 0 or -errno. */
int network_helper_go(struct network_helper *helper, int netns_fd);

/*
 * Reaps it when it has ended, and ends it first when it hasn't. Safe on the null state, which it
 * leaves. 0: the network is there; -EIO: it isn't, and the helper has logged why.
 */
int network_helper_finish(struct network_helper *helper);

/*
 * Makes the network of a running container what another configuration of it says (network.h,
 * network_change()), and waits for that, half a minute at most. netns_fd: borrowed. Logs. 0, or
 * -errno with the old network still there.
 */
int network_helper_change(
	const struct container_config *old, const struct container_config *new, int netns_fd);

/*
 * Starts narthex-network to make the container's links ports of their bridges again (network.h,
 * network_attach()). Its pidfd, which the caller waits for and reaps, or -errno, logged.
 */
int network_helper_attach(const struct container_config *config);

/*
 * Starts narthex-network to have ports lead to whatever address the container has (network.h,
 * network_follow()), until network_helper_finish(), or the launcher's own end. netns_fd: borrowed.
 * Logs. 0 or -errno.
 */
int network_helper_follow(
	struct network_helper *helper, const struct container_config *config, int netns_fd);

/* What is left of name's network on the host, by a container that ended or a launcher that crashed,
 * goes. Waits. Logs. 0 or -errno. */
int network_helper_cleanup(const char *name);
