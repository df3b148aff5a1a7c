/* SPDX-License-Identifier: MIT */

/*
 * MACVLAN= and IPVLAN=: interfaces inside that send and receive through one of the host's, with a
 * hardware address of their own, or with that one's. They are born in the guest's namespace and die
 * with it; the host keeps no end, and by the kernel's design can't reach them through that
 * interface.
 */

#include "log.h"
#include "network-link.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static const uint8_t no_mac[MAC_SIZE];

static const char *kind_of(const struct config_link *link)
{
	return link->kind == LINK_MACVLAN ? "macvlan" : "ipvlan";
}

static const char *key_of(const struct config_link *link)
{
	return link->kind == LINK_MACVLAN ? "MACVLAN" : "IPVLAN";
}

/* systemd-nspawn's modes: macvlans of one interface reach each other; ipvlans are on its wire. */
static void put_mode(struct netlink *nl, const struct config_link *link)
{
	uint16_t l2 = IPVLAN_MODE_L2;

	if (link->kind == LINK_MACVLAN)
		netlink_put_u32(nl, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	else
		netlink_put(nl, IFLA_IPVLAN_MODE, &l2, sizeof(l2));
}

static void request(struct network *network, const struct config_link *link, int parent)
{
	struct netlink *nl = &network->host;
	struct ifinfomsg header = {};
	struct nlattr *info, *data;
	uint8_t mac[MAC_SIZE];

	identity_mac(network->config->name, link->guest, mac);
	if (memcmp(link->mac_address, no_mac, MAC_SIZE) != 0)
		memcpy(mac, link->mac_address, MAC_SIZE);
	netlink_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"create the %s %s on %s in the container", kind_of(link), link->guest, link->host);
	netlink_put_string(nl, IFLA_IFNAME, link->guest);
	netlink_put_u32(nl, IFLA_LINK, (uint32_t)parent);
	netlink_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)network->netns_fd);
	if (link->kind == LINK_MACVLAN)
		netlink_put(nl, IFLA_ADDRESS, mac, MAC_SIZE);
	if (link->mtu > 0)
		netlink_put_u32(nl, IFLA_MTU, link->mtu);
	info = netlink_nest(nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(nl, IFLA_INFO_KIND, kind_of(link));
	data = netlink_nest(nl, IFLA_INFO_DATA, NULL, 0);
	put_mode(nl, link);
	netlink_nest_end(nl, data);
	netlink_nest_end(nl, info);
}

static int create(struct network *network, const struct config_link *link)
{
	struct netlink_link parent;
	int r = netlink_get_link(&network->host, link->host, &parent);

	if (r == -ENODEV) {
		log_error("%s=%s: there is no interface '%s' on the host", key_of(link), link->host,
			link->host);
		return r;
	}
	if (r >= 0) {
		request(network, link, parent.index);
		r = netlink_commit(&network->host, NULL, NULL);
	}
	if (r == -EOPNOTSUPP)
		log_error("%s; this kernel may have no %s (CONFIG_%s)", network->host.why,
			kind_of(link), key_of(link));
	else if (r < 0)
		log_error("%s", network->host.why);
	return r;
}

static int set_up_inside(struct network *network, const struct config_link *link)
{
	struct end guest = {
		.netlink = &network->guest, .interface = link->guest, .where = " in the container"
	};
	int r = link_find(&guest);

	if (r < 0)
		return r;
	link_begin_up(&guest, guest.index, guest.interface);
	link_add_items(&guest, link, SIDE_GUEST, NLM_F_EXCL);
	return link_commit(&guest);
}

int macvlan_set_up(struct network *network, const struct config_link *link)
{
	int r = create(network, link);

	if (r < 0)
		return r;
	r = set_up_inside(network, link);
	if (r < 0)
		(void)macvlan_remove(network, link);
	return r;
}

/* The guest's root may have renamed it, and called another by its name: that one it may lose. */
int macvlan_remove(struct network *network, const struct config_link *link)
{
	struct netlink_link there;
	int r = netlink_get_link(&network->guest, link->guest, &there);

	if (r == -ENODEV || (r >= 0 && strcmp(there.kind, kind_of(link)) != 0))
		return 0;
	if (r >= 0)
		r = netlink_delete_link(&network->guest, there.index, link->guest);
	if (r < 0 && r != -ENODEV) {
		log_error("%s", network->guest.why);
		return r;
	}
	return 0;
}
