/* SPDX-License-Identifier: MIT */
#include "guest-addresses.h"

#include "../network/network.h"
#include "cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define ADDRESSES_MAX 32

/* -1: it is the caller's own, or it can't be told. The launcher is asked after it was opened by
 * number, so it is the container's. */
static int open_network(const char *name, const struct launcher_status *status)
{
	_cleanup_close_ int netns = -EBADF, leader = -EBADF;
	struct stat theirs, ours;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", status->leader);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0 || fstat(netns, &theirs) < 0 || stat("/proc/self/ns/net", &ours) < 0 ||
		(theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino))
		return -1;
	leader = launcher_open_leader(name, status);
	return leader < 0 ? -1 : TAKE_FD(netns);
}

void guest_addresses(
	const char *name, const struct launcher_status *status, char addresses[2][INET6_ADDRSTRLEN])
{
	struct config_address present[ADDRESSES_MAX];
	_cleanup_close_ int netns = -EBADF;
	ssize_t n;

	if (status->leader <= 0 || (addresses[0][0] && addresses[1][0]))
		return;
	netns = open_network(name, status);
	if (netns < 0)
		return;
	n = network_list_addresses(netns, present, ADDRESSES_MAX);
	for (ssize_t i = 0; i < n; i++) {
		char *text = addresses[present[i].family == AF_INET6];

		if (!text[0])
			(void)inet_ntop(present[i].family, &present[i].v4, text, INET6_ADDRSTRLEN);
	}
}
