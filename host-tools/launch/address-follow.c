/* SPDX-License-Identifier: MIT */

#include "address-follow.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* It has said what is wrong. */
static void on_end(int fd, short what, void *arg)
{
	struct address_follow *follow = arg;

	(void)fd;
	(void)what;
	log_warning("the ports of container '%s' don't follow its address any more: reload it",
		follow->config->name);
	address_follow_stop(follow);
}

void address_follow_start(struct address_follow *follow, struct event_base *base,
	const struct container_config *config, pid_t leader)
{
	_cleanup_close_ int netns = -EBADF;
	char path[64];

	address_follow_stop(follow);
	if (leader == 0 || !config_ports_follow(config))
		return;
	follow->base = base;
	follow->config = config;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", leader);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0) {
		(void)log_errno(-errno, "cannot open the container's network namespace");
		return;
	}
	if (network_helper_follow(&follow->helper, config, netns) < 0)
		return;
	follow->end = event_new(base, follow->helper.pidfd, EV_READ, on_end, follow);
	if (!follow->end || event_add(follow->end, NULL) < 0) {
		(void)log_errno(-ENOMEM, "cannot follow the container's address");
		address_follow_stop(follow);
	}
}

void address_follow_stop(struct address_follow *follow)
{
	if (follow->end)
		event_free(follow->end);
	(void)network_helper_finish(&follow->helper);
	*follow = ADDRESS_FOLLOW_NULL;
}
