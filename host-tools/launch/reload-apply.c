/* SPDX-License-Identifier: MIT */
#include "reload-apply.h"

#include "cleanup.h"
#include "log.h"
#include "network-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>

/* The leader's network namespace; whose number it is, is asked once more after it was opened. */
static int open_network(pid_t leader, int leader_fd)
{
	_cleanup_close_ int fd = -EBADF;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", leader);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pidfd_send_signal(leader_fd, 0, NULL, 0) < 0)
		return log_errno(-errno, "cannot open the container's network namespace");
	return TAKE_FD(fd);
}

int reload_apply(
	const struct launch *launch, const struct reload_plan *plan, pid_t leader, int leader_fd)
{
	_cleanup_close_ int netns = -EBADF;

	if (!reload_plan_has(plan, RELOAD_NETWORK))
		return 0;
	netns = open_network(leader, leader_fd);
	if (netns < 0)
		return netns;
	return network_helper_change(&launch->config, &plan->merged, netns);
}
