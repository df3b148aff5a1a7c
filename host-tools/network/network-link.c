/* SPDX-License-Identifier: MIT */

/* What links of all kinds have in common. */

#include "network-link.h"

#include "cleanup.h"
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

static void put(struct items *items, int side, int what, const struct config_address *address)
{
	items->of[items->n++] = (struct item){ .side = side, .what = what, .address = *address };
}

/* One family of a link's keys. */
struct family {
	const struct config_address *local, *host, *gateway;
};

/*
 * What one family needs inside. A guest without an address of this family can't answer: what its
 * own tools set, they route. alone: the other end is on the host, and no port of a bridge.
 */
static void put_inside(struct items *items, const struct family *f, bool is_main, bool alone)
{
	const struct config_address *via = address_is_set(f->gateway) ? f->gateway : f->host;

	if (!address_is_set(f->local))
		return;
	put(items, SIDE_GUEST, ITEM_ADDRESS, f->local);
	if (address_is_set(f->host) && (alone || !address_covers(f->local, f->host)))
		put(items, SIDE_GUEST, ITEM_ROUTE, f->host);
	if (address_is_set(f->gateway) && !address_covers(f->local, f->gateway) &&
		memcmp(&f->host->v6, &f->gateway->v6, address_size(f->gateway)) != 0)
		put(items, SIDE_GUEST, ITEM_ROUTE, f->gateway);
	if (address_is_set(via) && (is_main || address_is_set(f->gateway)))
		put(items, SIDE_GUEST, ITEM_DEFAULT_ROUTE, via);
	if (alone && address_is_set(f->host))
		put(items, SIDE_GUEST, ITEM_NEIGHBOUR, f->host);
}

/* On a bridge the addresses are the bridge's own business; a zone's is ours. */
static void put_outside(struct items *items, const struct family *f, const struct config_link *link)
{
	if (link->bridge[0]) {
		if (link->is_zone && address_is_set(f->host))
			put(items, SIDE_BRIDGE, ITEM_ADDRESS, f->host);
		return;
	}
	if (address_is_set(f->host))
		put(items, SIDE_HOST, ITEM_ADDRESS, f->host);
	if (!address_is_set(f->local))
		return;
	put(items, SIDE_HOST, ITEM_ROUTE, f->local);
	put(items, SIDE_HOST, ITEM_NEIGHBOUR, f->local);
}

void link_items(const struct config_link *link, struct items *ret)
{
	const struct family families[] = {
		{ &link->local_address, &link->host_address, &link->gateway },
		{ &link->local_address6, &link->host_address6, &link->gateway6 },
	};

	ret->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		put_inside(ret, &families[i], link_is_main(link),
			link->kind == LINK_VETH && !link->bridge[0]);
		if (link->kind == LINK_VETH)
			put_outside(ret, &families[i], link);
	}
}

void link_add_items(struct end *end, const struct config_link *link, int side, uint16_t flags)
{
	struct items items;

	link_items(link, &items);
	for (size_t i = 0; i < items.n; i++)
		if ((int)items.of[i].side == side)
			item_add(end, &items.of[i], flags);
}

int link_set_up(struct network *network, const struct config_link *link)
{
	switch (link->kind) {
	case LINK_VETH:
		return veth_set_up(network, link);
	case LINK_MACVLAN:
	case LINK_IPVLAN:
		return macvlan_set_up(network, link);
	case LINK_INTERFACE:
		return moved_set_up(network, link);
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
	case LINK_INTERFACE:
		return moved_remove(network, link);
	default:
		return -EINVAL;
	}
}
