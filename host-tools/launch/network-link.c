/* SPDX-License-Identifier: MIT */

/* What links of all kinds have in common. */

#include "network-link.h"

#include "log.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

bool link_is_main(const struct config_link *link)
{
	return link->kind == LINK_VETH && link->host[0] == '\0';
}

const char *link_prefix(const struct container_config *config)
{
	if (!config->nspawn_names)
		return NAME_PREFIX;
	return config->bridge[0] || config->zone[0] ? "vb-" : "ve-";
}

void link_begin_up(struct end *end, int index, const char *interface)
{
	struct ifinfomsg header = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	netlink_begin(end->netlink, RTM_SETLINK, 0, &header, sizeof(header), "bring up %s%s",
		interface, end->where);
}

int link_find(struct end *end)
{
	end->index = netlink_index(end->netlink, end->interface);
	if (end->index < 0)
		return log_errno(
			end->index, "cannot find interface %s%s", end->interface, end->where);
	return 0;
}

int link_commit(struct end *end)
{
	struct netlink_link link;
	int r = netlink_get_link(end->netlink, end->interface, &link);

	if (r < 0)
		log_error("%s", end->netlink->why);
	return r;
}

/*
 * What one family needs inside. A guest without an address of this family can't answer: what its
 * own tools set, they route.
 */
static void add_family(struct end *guest, const struct config_address *local,
	const struct config_address *host, const struct config_address *gateway, bool is_main,
	bool alone)
{
	const struct config_address *via = address_is_set(gateway) ? gateway : host;

	if (!address_is_set(local))
		return;
	address_add(guest, local, NLM_F_EXCL);
	if (address_is_set(host) && (alone || !address_covers(local, host)))
		address_add_route(guest, host);
	if (address_is_set(gateway) && !address_covers(local, gateway) &&
		memcmp(&host->v6, &gateway->v6, address_size(gateway)) != 0)
		address_add_route(guest, gateway);
	if (address_is_set(via) && (is_main || address_is_set(gateway)))
		address_add_default_route(guest, via);
	if (alone && host->family == AF_INET6)
		address_add_neighbour(guest, host);
}

void link_add_inside(struct end *guest, const struct config_link *link, bool alone)
{
	bool is_main = link_is_main(link);

	add_family(
		guest, &link->local_address, &link->host_address, &link->gateway, is_main, alone);
	add_family(guest, &link->local_address6, &link->host_address6, &link->gateway6, is_main,
		alone);
}

int link_set_up(struct network *network, const struct config_link *link)
{
	switch (link->kind) {
	case LINK_VETH:
		return veth_set_up(network, link);
	case LINK_MACVLAN:
	case LINK_IPVLAN:
		return macvlan_set_up(network, link);
	default:
		return -EINVAL; /* the configuration's check refuses what isn't declared */
	}
}

int link_remove(struct network *network, const struct config_link *link)
{
	switch (link->kind) {
	case LINK_VETH:
		return veth_remove(network, link);
	case LINK_MACVLAN:
	case LINK_IPVLAN:
		return macvlan_remove(network, link);
	default:
		return -EINVAL;
	}
}
