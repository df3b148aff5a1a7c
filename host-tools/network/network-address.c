/* SPDX-License-Identifier: MIT */

/*
 * Addresses and routes. Nobody waits, yet the first packet arrives: what the kernel would do in a
 * worker or after a timer is done here (docs/network.md, "Usable at once").
 */

#include "network-link.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define LOCAL_ROUTE_S 10 /* ample for the kernel's own to appear */

bool address_is_set(const struct config_address *address)
{
	return address->family != 0;
}

size_t address_size(const struct config_address *address)
{
	return address->family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

const char *address_text(const struct config_address *address, char text[INET6_ADDRSTRLEN])
{
	if (!inet_ntop(address->family, &address->v6, text, INET6_ADDRSTRLEN))
		text[0] = '\0';
	return text;
}

static void request_address(
	struct end *end, uint16_t type, uint16_t flags, const struct config_address *address)
{
	struct ifaddrmsg header = {
		.ifa_family = (uint8_t)address->family,
		.ifa_prefixlen = address->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)end->index,
		/* addresses are the administrator's choice: no second of waiting for a
		 * duplicate */
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
	};
	char text[INET6_ADDRSTRLEN];

	netlink_begin(end->netlink, type, flags, &header, sizeof(header),
		"%s address %s/%u %s %s%s", type == RTM_NEWADDR ? "add" : "remove",
		address_text(address, text), address->prefix, type == RTM_NEWADDR ? "to" : "from",
		end->interface, end->where);
	netlink_put(end->netlink, IFA_LOCAL, &address->v6, address_size(address));
	netlink_put(end->netlink, IFA_ADDRESS, &address->v6, address_size(address));
}

/* A route to one address, or, through it, the default route. */
static void request_route(struct end *end, uint16_t type, uint16_t flags,
	const struct config_address *address, bool is_default)
{
	size_t size = address_size(address);
	struct rtmsg header = {
		.rtm_family = (uint8_t)address->family,
		.rtm_dst_len = is_default ? 0 : (uint8_t)(8 * size),
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = is_default ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	char text[INET6_ADDRSTRLEN];

	netlink_begin(end->netlink, type, flags, &header, sizeof(header),
		"%s %sroute %s %s on %s%s", type == RTM_NEWROUTE ? "add" : "remove",
		is_default ? "default " : "", is_default ? "via" : "to",
		address_text(address, text), end->interface, end->where);
	netlink_put(end->netlink, is_default ? RTA_GATEWAY : RTA_DST, &address->v6, size);
	netlink_put_u32(end->netlink, RTA_OIF, (uint32_t)end->index);
}

/*
 * Tells an end the hardware address behind the other's address. For IPv6 the kernel joins the
 * multicast group in which it would be asked for it in a worker, and a question that comes too
 * early is repeated after a second. For both, whoever knew another hardware address would send to
 * that one for ten seconds before it asks again: a reload may have changed it. NUD_STALE: used at
 * once, checked soon, not for ever.
 */
static void request_neighbour(
	struct end *end, uint16_t type, uint16_t flags, const struct config_address *address)
{
	struct ndmsg header = {
		.ndm_family = (uint8_t)address->family,
		.ndm_ifindex = end->index,
		.ndm_state = NUD_STALE,
	};
	char text[INET6_ADDRSTRLEN];

	netlink_begin(end->netlink, type, flags, &header, sizeof(header), "%s neighbour %s %s %s%s",
		type == RTM_NEWNEIGH ? "add" : "remove", address_text(address, text),
		type == RTM_NEWNEIGH ? "to" : "from", end->interface, end->where);
	netlink_put(end->netlink, NDA_DST, &address->v6, address_size(address));
	netlink_put(end->netlink, NDA_LLADDR, end->peer_mac, MAC_SIZE);
}

/*
 * Lets an IPv6 address receive at once. The kernel makes the route of an address that is local in
 * a worker, which competes for the lock that every start of a container holds for a while; what
 * arrives before is dropped. This route stands in for it, has a worse metric, and expires.
 */
static void add_local_route(struct end *end, const struct config_address *address)
{
	struct rtmsg header = {
		.rtm_family = (uint8_t)address->family,
		.rtm_dst_len = (uint8_t)(8 * address_size(address)),
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL,
	};
	char text[INET6_ADDRSTRLEN];

	netlink_begin(end->netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &header,
		sizeof(header), "add local route of %s on %s%s", address_text(address, text),
		end->interface, end->where);
	netlink_put(end->netlink, RTA_DST, &address->v6, address_size(address));
	netlink_put_u32(end->netlink, RTA_OIF, (uint32_t)end->index);
	netlink_put_u32(end->netlink, RTA_EXPIRES, LOCAL_ROUTE_S);
}

void item_add(struct end *end, const struct item *item, uint16_t flags)
{
	const struct config_address *address = &item->address;

	switch (item->what) {
	case ITEM_ADDRESS:
		request_address(end, RTM_NEWADDR, NLM_F_CREATE | flags, address);
		if (address->family == AF_INET6)
			add_local_route(end, address);
		break;
	case ITEM_ROUTE:
	case ITEM_DEFAULT_ROUTE:
		request_route(end, RTM_NEWROUTE, NLM_F_CREATE | flags, address,
			item->what == ITEM_DEFAULT_ROUTE);
		break;
	case ITEM_NEIGHBOUR:
		request_neighbour(end, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, address);
		break;
	}
}

void item_remove(struct end *end, const struct item *item)
{
	switch (item->what) {
	case ITEM_ADDRESS:
		request_address(end, RTM_DELADDR, 0, &item->address);
		break;
	case ITEM_ROUTE:
	case ITEM_DEFAULT_ROUTE:
		request_route(
			end, RTM_DELROUTE, 0, &item->address, item->what == ITEM_DEFAULT_ROUTE);
		break;
	case ITEM_NEIGHBOUR:
		request_neighbour(end, RTM_DELNEIGH, 0, &item->address);
		break;
	}
}

bool item_is_same(const struct item *a, const struct item *b)
{
	return a->side == b->side && a->what == b->what && a->address.family == b->address.family &&
	       a->address.prefix == b->address.prefix &&
	       memcmp(&a->address.v6, &b->address.v6, address_size(&a->address)) == 0;
}

bool address_covers(const struct config_address *a, const struct config_address *b)
{
	const uint8_t *x = (const uint8_t *)&a->v6, *y = (const uint8_t *)&b->v6;
	size_t whole = a->prefix / 8, bits = a->prefix % 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits);

	if (a->family != b->family || memcmp(x, y, whole) != 0)
		return false;
	return bits == 0 || ((x[whole] ^ y[whole]) & mask) == 0;
}
