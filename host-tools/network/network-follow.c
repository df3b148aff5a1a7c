/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * A container without LocalAddress= gets its address by DHCP, by router advertisements or from its
 * own root, at any time. The host isn't asked and isn't told, so a socket in the container's
 * network namespace hears when an address comes or goes. What such a message says doesn't matter,
 * since the guest's root can send some, too: the kernel is asked what is there now.
 *
 * The guest's root may give itself any address. Ports lead only to one that the host itself reaches
 * over the container's link: another one would lead to some other machine, or to the host.
 * An address that ports lead to already is kept for as long as it is there.
 *
 * A look costs something, and the guest decides how often there is reason for one: a pause follows
 * each, which is long beside what the look took.
 */

#include "network.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "network-link.h"
#include "network-nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>

#define CANDIDATES_MAX 32
#define PAUSE_MS 250
#define PAUSE_SHARE 20 /* one part in so many of the time goes into looking */
#define RETRY_MS 5000  /* an address is there, and the host's route to it may still come */

/* --- where the host's route to it leads ------------------------------------------------------- */

struct route {
	int interface; /* 0: none */
};

static int take_route_attribute(const struct nlattr *attribute, void *userdata)
{
	struct route *route = userdata;

	if (mnl_attr_get_type(attribute) == RTA_OIF &&
		mnl_attr_get_payload_len(attribute) == sizeof(uint32_t))
		route->interface = (int)mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

/* Local ones, among others, are no way to another machine. */
static void take_route(const struct nlmsghdr *message, void *userdata)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == RTM_NEWROUTE &&
		mnl_nlmsg_get_payload_len(message) >= sizeof(*header) &&
		header->rtm_type == RTN_UNICAST)
		(void)mnl_attr_parse(message, sizeof(*header), take_route_attribute, userdata);
}

static bool is_behind(struct netlink *host, int interface, const struct config_address *address)
{
	struct route route = {};
	struct rtmsg header = {
		.rtm_family = (uint8_t)address->family,
		.rtm_dst_len = (uint8_t)(8 * address_size(address)),
	};

	netlink_begin(host, RTM_GETROUTE, 0, &header, sizeof(header), "ask for a route");
	netlink_put(host, RTA_DST, &address->v6, address_size(address));
	return netlink_commit(host, take_route, &route) >= 0 && route.interface == interface;
}

/* --- the choice ------------------------------------------------------------------------------- */

static bool is_same(const struct config_address *a, const struct config_address *b)
{
	return a->family == b->family && a->prefix == b->prefix &&
	       memcmp(&a->v6, &b->v6, address_size(a)) == 0;
}

/* *now: what it was before comes in, family 0 for none. */
static void choose(struct netlink *host, int interface, const struct config_address *candidates,
	ssize_t n, int family, struct config_address *now)
{
	struct config_address chosen = {};

	for (ssize_t i = 0; i < n; i++) {
		const struct config_address *one = &candidates[i];

		if (one->family != family || !is_behind(host, interface, one))
			continue;
		if (!chosen.family || is_same(one, now))
			chosen = *one;
	}
	*now = chosen;
}

int network_find_addresses(const struct container_config *config, int netns_fd,
	struct config_address *address, struct config_address *address6)
{
	struct config_address candidates[CANDIDATES_MAX];
	ssize_t n = network_list_addresses(netns_fd, candidates, CANDIDATES_MAX);
	struct netlink host = {};
	char name[IFNAMSIZ];
	int interface, r;

	if (n < 0)
		return (int)n;
	r = netlink_open(&host, -1);
	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	nat_interface(config, name);
	interface = netlink_index(&host, name);
	choose(&host, interface, candidates, n, AF_INET, address);
	choose(&host, interface, candidates, n, AF_INET6, address6);
	netlink_close(&host);
	return n > 0 && !address->family && !address6->family ? 0 : 1;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void log_where(const struct container_config *config)
{
	char text[INET6_ADDRSTRLEN], text6[INET6_ADDRSTRLEN];
	const struct config_address *address = &config->local_address,
				    *address6 = &config->local_address6;

	if (!address->family && !address6->family)
		log_info("container '%s' has no address that its ports can lead to", config->name);
	else
		log_info("the ports of container '%s' lead to %s%s%s", config->name,
			address->family ? address_text(address, text) : "",
			address->family && address6->family ? " and " : "",
			address6->family ? address_text(address6, text6) : "");
}

/*
 * One look. now: config with the addresses that ports lead to. *known: whether that is so; the
 * first look can't tell where a helper before this one has led them. Logs. 1: they lead somewhere,
 * or there is no address at all; 0: the host has no way to those that there are; -errno.
 */
static int look(const struct container_config *config, int netns_fd, struct container_config *now,
	bool *known)
{
	struct container_config next = *now;
	int r = network_find_addresses(config, netns_fd, &next.local_address, &next.local_address6);
	bool moved = !is_same(&next.local_address, &now->local_address) ||
		     !is_same(&next.local_address6, &now->local_address6);
	int s;

	if (r < 0 || (*known && !moved))
		return r;
	s = nat_apply(&next);
	if (s >= 0)
		s = nat_open(&next);
	if (s < 0)
		return s;
	*now = next;
	*known = true;
	if (moved)
		log_where(now);
	return r;
}

/* Whatever it is, it is looked up. Too much of it, which the kernel drops, says the same. */
static int hear(struct netlink *netlink)
{
	char message[64];

	while (recv(mnl_socket_get_fd(netlink->socket), message, sizeof(message), MSG_DONTWAIT) >=
			0 ||
		errno == ENOBUFS || errno == EINTR)
		;
	return errno == EAGAIN ? 0 : log_errno(-errno, "cannot hear of the container's addresses");
}

static int follow(
	const struct container_config *config, int netns_fd, int end_fd, struct netlink *netlink)
{
	struct container_config now = *config; /* what it points to is config's */
	struct pollfd fds[] = { { .fd = end_fd, .events = POLLIN },
		{ .fd = mnl_socket_get_fd(netlink->socket), .events = POLLIN } };
	bool known = false;

	for (;;) {
		int64_t begun = clock_ms(), took;
		int r = look(config, netns_fd, &now, &known);

		took = clock_ms() - begun;
		/* news can wait for the end of the pause */
		if (poll(fds, 1, (int)(PAUSE_MS + PAUSE_SHARE * took)) > 0)
			return 0;
		if (poll(fds, ARRAY_SIZE(fds), r > 0 ? -1 : RETRY_MS) < 0 && errno != EINTR)
			return log_errno(-errno, "cannot wait for the container's addresses");
		if (fds[0].revents)
			return 0;
		r = hear(netlink);
		if (r < 0)
			return r;
	}
}

int network_follow(const struct container_config *config, int netns_fd, int end_fd)
{
	struct netlink netlink = {};
	int r = netlink_open(&netlink, netns_fd);

	/* it hears before the first look: nothing comes in between */
	if (r >= 0 && mnl_socket_bind(netlink.socket, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			      MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	r = r < 0 ? log_errno(r, "cannot hear of the container's addresses")
		  : follow(config, netns_fd, end_fd, &netlink);
	netlink_close(&netlink);
	return r;
}
