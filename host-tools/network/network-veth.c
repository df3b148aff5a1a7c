/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * Three sends build a pair (docs/network.md):
 *
 *  1. the pair, on a socket of the host. c-NAME is up from birth; eth0, which is born in the
 *     guest's namespace, can't be (its peer isn't there yet: ENOTCONN). So neither has a carrier.
 *  2. eth0, on a socket of the guest. With eth0 up the carrier is there.
 *  3. what belongs to c-NAME: alias, altname, addresses, routes.
 *
 * Between 1 and 2 c-NAME is told to ignore router advertisements: nothing can come in before 2,
 * and afterwards whoever is root in the guest could make itself the host's IPv6 router.
 *
 * 2 and 3 end with a look at their link. A carrier takes effect in a worker of the kernel; until
 * it did, the end that was up first drops what is sent, and an end that happens to have the index
 * of its peer is "down" for a second. RTM_GETLINK does the worker's work (since Linux 6.8; on older
 * kernels the ends are ready a moment later).
 *
 * A leftover can vanish while we look, when its namespace is being torn down (a guest that
 * reboots): that is fine.
 */

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

static const uint8_t no_mac[MAC_SIZE];

struct veth {
	const struct config_link *link;
	struct identity id;
	struct end host, guest;
	struct end bridge; /* index 0: the host's end stands alone */
	int netns_fd;
};

static void put_mtu(struct netlink *nl, uint32_t mtu)
{
	if (mtu > 0)
		netlink_put_u32(nl, IFLA_MTU, mtu);
}

/*
 * A veth uses one queue each way unless told otherwise later, but the kernel makes one a CPU: a
 * third of the time that the pair takes, on two CPUs.
 */
static void put_one_queue(struct netlink *nl)
{
	netlink_put_u32(nl, IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(nl, IFLA_NUM_RX_QUEUES, 1);
}

/* 0 or -errno, not logged. */
static int request_pair(const struct veth *veth)
{
	const struct identity *id = &veth->id;
	struct netlink *nl = veth->host.netlink;
	struct ifinfomsg header = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct ifinfomsg peer_header = {};
	struct nlattr *info, *data, *peer;

	netlink_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"create veth pair %s", id->interface);
	netlink_put_string(nl, IFLA_IFNAME, id->interface);
	netlink_put(nl, IFLA_ADDRESS, id->host_mac, MAC_SIZE);
	put_mtu(nl, veth->link->mtu);
	put_one_queue(nl);
	if (veth->bridge.index > 0)
		netlink_put_u32(nl, IFLA_MASTER, (uint32_t)veth->bridge.index);
	info = netlink_nest(nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(nl, IFLA_INFO_KIND, "veth");
	data = netlink_nest(nl, IFLA_INFO_DATA, NULL, 0);
	peer = netlink_nest(nl, VETH_INFO_PEER, &peer_header, sizeof(peer_header));
	netlink_put_string(nl, IFLA_IFNAME, veth->link->guest);
	netlink_put(nl, IFLA_ADDRESS, veth->host.peer_mac, MAC_SIZE);
	put_mtu(nl, veth->link->mtu);
	put_one_queue(nl);
	netlink_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)veth->netns_fd);
	netlink_nest_end(nl, peer);
	netlink_nest_end(nl, data);
	netlink_nest_end(nl, info);
	return netlink_commit(nl, NULL, NULL);
}

/* Makes room for the host's end after EEXIST. 0: try again. Else -errno, logged. */
static int remove_leftover(struct end *host, const struct identity *id)
{
	char first_why[sizeof(host->netlink->why)];
	struct netlink_link link;
	int r;

	memcpy(first_why, host->netlink->why, sizeof(first_why));
	r = netlink_get_link(host->netlink, id->interface, &link);
	if (r == -ENODEV)
		return 0; /* gone meanwhile */
	if (r < 0) {
		log_error("%s", first_why);
		return r;
	}
	if (!identity_is_of(id, &link))
		return identity_log_stranger(
			&link, id->interface, id->alias + strlen(ALIAS_PREFIX));
	log_info("removing interface %s, left over from an earlier start", id->interface);
	r = netlink_delete_link(host->netlink, link.index, id->interface);
	if (r < 0 && r != -ENODEV) {
		log_error("%s", host->netlink->why);
		return r;
	}
	return 0;
}

static int create_pair(struct veth *veth)
{
	int r = request_pair(veth);

	if (r == -EEXIST) {
		r = remove_leftover(&veth->host, &veth->id);
		if (r < 0)
			return r;
		r = request_pair(veth);
	}
	if (r < 0)
		log_error("%s", veth->host.netlink->why);
	return r;
}

/*
 * The guest's root could otherwise announce itself as a router and get the host's IPv6 traffic.
 * There is no netlink attribute for it.
 */
static int ignore_router_advertisements(const char *interface)
{
	_cleanup_free_ char *value = NULL;
	char path[sizeof("/proc/sys/net/ipv6/conf//accept_ra") + IFNAMSIZ];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", interface);
	r = file_write_string(AT_FDCWD, path, "0");
	if (r == -ENOENT)
		return 0; /* a kernel without IPv6 */
	if (r == -EROFS && file_read_all(AT_FDCWD, path, 0, 64, &value) > 0 &&
		strcmp(value, "0\n") == 0)
		return 0;
	if (r < 0)
		return log_errno(r, "cannot write %s", path);
	return 0;
}

/* --- the ends ----------------------------------------------------------------------------------
 */

static int set_up_guest(struct veth *veth)
{
	struct end *guest = &veth->guest;
	int r = link_find(guest);

	if (r < 0)
		return r;
	link_begin_up(guest, guest->index, guest->interface);
	link_add_items(guest, veth->link, SIDE_GUEST, NLM_F_EXCL);
	return link_commit(guest);
}

/* The one VLAN of a port: what comes in untagged is its, and leaves untagged. */
static void begin_vlan(struct veth *veth)
{
	struct netlink *nl = veth->host.netlink;
	struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = veth->host.index };
	struct bridge_vlan_info first = { .vid = 1 }, info = { .vid = (uint16_t)veth->link->vlan,
		.flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED };
	struct nlattr *spec;

	netlink_begin(nl, RTM_SETLINK, 0, &header, sizeof(header), "put %s into VLAN %u",
		veth->id.interface, veth->link->vlan);
	spec = netlink_nest(nl, IFLA_AF_SPEC, NULL, 0);
	netlink_put(nl, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
	netlink_nest_end(nl, spec);
	if (info.vid == first.vid)
		return;
	/* the default of every new port */
	netlink_begin(nl, RTM_DELLINK, 0, &header, sizeof(header), "take %s out of VLAN %u",
		veth->id.interface, first.vid);
	spec = netlink_nest(nl, IFLA_AF_SPEC, NULL, 0);
	netlink_put(nl, IFLA_BRIDGE_VLAN_INFO, &first, sizeof(first));
	netlink_nest_end(nl, spec);
}

static int set_up_host(struct veth *veth)
{
	const struct identity *id = &veth->id;
	struct netlink *nl = veth->host.netlink;
	struct ifinfomsg header = { .ifi_index = veth->host.index };

	netlink_begin(
		nl, RTM_SETLINK, 0, &header, sizeof(header), "set alias of %s", id->interface);
	netlink_put_string(nl, IFLA_IFALIAS, id->alias);
	if (id->altname[0] != '\0') {
		struct nlattr *list;

		netlink_begin(nl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &header,
			sizeof(header), "give %s the alternative name %s", id->interface,
			id->altname);
		list = netlink_nest(nl, IFLA_PROP_LIST, NULL, 0);
		netlink_put_string(nl, IFLA_ALT_IFNAME, id->altname);
		netlink_nest_end(nl, list);
	}
	if (veth->link->vlan > 0)
		begin_vlan(veth);
	link_add_items(&veth->host, veth->link, SIDE_HOST, NLM_F_EXCL);
	link_add_items(&veth->bridge, veth->link, SIDE_BRIDGE, NLM_F_REPLACE);
	return link_commit(&veth->host);
}

/* The pair, once it is there. */
static int set_up_ends(struct veth *veth)
{
	int r = link_find(&veth->host);

	if (r >= 0)
		r = ignore_router_advertisements(veth->id.interface);
	if (r >= 0)
		r = set_up_guest(veth);
	return r < 0 ? r : set_up_host(veth);
}

static int set_up_pair(struct veth *veth)
{
	int r = create_pair(veth);

	if (r < 0)
		return r;
	r = set_up_ends(veth);
	if (r < 0 && netlink_delete_link(veth->host.netlink,
			     veth->host.index > 0 ? veth->host.index : 0, veth->id.interface) < 0)
		log_error("%s", veth->host.netlink->why);
	return r;
}

static void init(struct veth *veth, const struct network *network, const struct config_link *link)
{
	const char *name = network->config->name;

	if (link_is_main(link))
		identity_init(&veth->id, name, link_prefix(network->config));
	else
		identity_init_extra(&veth->id, name, link->host);
	veth->host.interface = veth->id.interface;
	memcpy(veth->guest.peer_mac, veth->id.host_mac, MAC_SIZE);
	memcpy(veth->host.peer_mac,
		memcmp(link->mac_address, no_mac, MAC_SIZE) != 0 ? link->mac_address
								 : veth->id.guest_mac,
		MAC_SIZE);
}

int veth_set_up(struct network *network, const struct config_link *link)
{
	_cleanup_close_ int lock = -EBADF;
	struct veth veth = {
		.link = link,
		.host = { .netlink = &network->host, .where = "" },
		.guest = { .netlink = &network->guest,
			.interface = link->guest,
			.where = " in the container" },
		.bridge = { .netlink = &network->host, .interface = link->bridge, .where = "" },
		.netns_fd = network->netns_fd,
	};

	init(&veth, network, link);
	/* from here until the link is its port nobody may take the zone for empty */
	if (link->is_zone) {
		lock = zone_lock();
		if (lock < 0)
			return lock;
	}
	if (link->bridge[0]) {
		veth.bridge.index = link->is_zone ? zone_find(&network->host, link->bridge)
						  : bridge_find(&network->host, link->bridge);
		if (veth.bridge.index < 0)
			return veth.bridge.index;
	}
	return set_up_pair(&veth);
}

int veth_remove(struct network *network, const struct config_link *link)
{
	struct veth veth = { .link = link };
	struct netlink_link there;
	int r;

	init(&veth, network, link);
	r = netlink_get_link(&network->host, veth.id.interface, &there);
	/* gone, or a stranger's by now: nothing of ours is left */
	if (r == -ENODEV || (r >= 0 && !identity_is_of(&veth.id, &there)))
		return 0;
	if (r >= 0)
		r = netlink_delete_link(&network->host, there.index, veth.id.interface);
	if (r < 0 && r != -ENODEV) {
		log_error("%s", network->host.why);
		return r;
	}
	return link->is_zone ? zone_collect(&network->host) : 0;
}

int veth_attach(struct network *network, const struct config_link *link)
{
	struct veth veth = {
		.link = link,
		.host = { .netlink = &network->host, .where = "" },
	};
	struct netlink_link bridge, port;
	struct ifinfomsg header = {};
	int r;

	if (link->kind != LINK_VETH || !link->bridge[0] || link->is_zone)
		return 0;
	init(&veth, network, link);
	/* gone again, or something else by now: there will be news of it */
	if (netlink_get_link(&network->host, link->bridge, &bridge) < 0 ||
		strcmp(bridge.kind, "bridge") != 0)
		return 0;
	if (netlink_get_link(&network->host, veth.id.interface, &port) < 0 ||
		!identity_is_of(&veth.id, &port) || port.master == bridge.index)
		return 0;
	header.ifi_index = veth.host.index = port.index;
	netlink_begin(&network->host, RTM_SETLINK, 0, &header, sizeof(header),
		"make %s a port of %s again", veth.id.interface, link->bridge);
	netlink_put_u32(&network->host, IFLA_MASTER, (uint32_t)bridge.index);
	if (link->vlan > 0)
		begin_vlan(&veth);
	r = netlink_commit(&network->host, NULL, NULL);
	if (r < 0)
		log_error("%s", network->host.why);
	else
		log_info("bridge %s is new: %s is a port of it again", link->bridge,
			veth.id.interface);
	return r;
}
