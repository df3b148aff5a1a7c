/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * ResolvConf=: the host's resolvers for the container. Where the container is to have the host's
 * file (bind-…, auto), it is shown a copy that the launcher keeps in the container's directory on
 * the host and writes anew when the host's changes: so nothing is ever written into a running
 * container's tree, and the host's own file isn't held on to when it is replaced.
 */

#include "launch.h"
#include "mounts.h"

#include <event2/event.h>

#define RESOLV_FILE "resolv.conf" /* in the container's directory */

/*
 * The text that the container is to have: the host's, without comments; in a network of its own
 * without resolvers on the host's loopback, instead of which those are taken that
 * systemd-resolved asks. "" for none. 0 or -errno. Doesn't log.
 */
int resolv_read(const struct container_config *config, char **ret);

/* Writes the launcher's copy, when the container has one and it differs. Before each boot, and
 * after a change on the host. Logs. 0 or -errno. */
int resolv_refresh(const struct launch *launch);

/* In the builder: /etc/resolv.conf. Logs. 0 or -errno. */
int resolv_apply(struct build *build);

/* The same for Hosts= and /etc/hosts. */
int hosts_apply(struct build *build);

struct resolv_watch {
	const struct launch *launch; /* borrowed */
	struct event *event;
	int fd; /* inotify */
};

#define RESOLV_WATCH_NULL ((struct resolv_watch){ .fd = -EBADF })

/* Refreshes these copies after each change on the host. Costs nothing where the container has none.
 * A container runs without this, too: failures are logged. */
void resolv_watch_start(
	struct resolv_watch *watch, struct event_base *base, const struct launch *launch);

/* Safe on the null state, which it leaves. */
void resolv_watch_stop(struct resolv_watch *watch);
