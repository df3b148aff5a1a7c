/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A bridge of the host's that is deleted and made again (whoever restarts the host's network does
 * that) is without the ports that it had. This notices, and has narthex-network make the
 * container's links ports of it again.
 */

#include "../config/config.h"

#include <event2/event.h>

struct watched_bridge {
	char name[IFNAMSIZ];
	int index; /* of the one that our links are ports of; 0: there is none now */
};

struct bridge_watch {
	struct event_base *base;	       /* borrowed */
	const struct container_config *config; /* borrowed */
	struct event *message, *end;
	int fd;	       /* netlink */
	int helper_fd; /* pidfd of narthex-network while it runs */
	bool again;    /* there was news while it ran */
	struct watched_bridge *bridges;
	size_t n;
};

#define BRIDGE_WATCH_NULL ((struct bridge_watch){ .fd = -EBADF, .helper_fd = -EBADF })

/*
 * Watches the bridges that config names; those that it named before are forgotten. Without any it
 * costs nothing. A container runs without this, too: failures are logged.
 */
void bridge_watch_start(
	struct bridge_watch *watch, struct event_base *base, const struct container_config *config);

/* Has the links made ports of their bridges again, whatever has happened while nobody watched. */
void bridge_watch_attach(struct bridge_watch *watch);

/* Ends it. Safe on the null state, which it leaves. */
void bridge_watch_stop(struct bridge_watch *watch);
