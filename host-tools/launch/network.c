/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * Three sends build the network (docs/network.md):
 *
 *  1. the pair, on a socket of the host. c-NAME is up from birth; eth0, which is born in the
 *     guest's namespace, can't be (its peer isn't there yet: ENOTCONN). So neither has a carrier.
 *  2. lo and eth0, on a socket of the guest. With eth0 up the carrier is there.
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
 * Whose interface is c-NAME? The alias "narthex:NAME" says so. It can't be set at birth, the
 * hardware address can, and that is derived from the name: a veth with our address and no alias is
 * ours from a launcher that died between 1 and 3. Anything else is a stranger's and is left alone.
 * A leftover can vanish while we look, when its namespace is being torn down (a guest that
 * reboots): that is fine.
 */

#include "network.h"

#include "../name.h"
#include "cleanup.h"
#include "escape.h"
#include "fd.h"
#include "log.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIAS_PREFIX "narthex:"
#define ALIAS_SIZE (sizeof(ALIAS_PREFIX) + NAME_MAX_LEN)
#define GUEST_INTERFACE "eth0"
#define MAC_SIZE 6
#define LOCAL_ROUTE_S 10 /* ample for the kernel's own to appear */

static const uint8_t no_mac[MAC_SIZE];

/* A name of ours on the host, and what tells that an interface is ours. */
struct identity {
	char interface[IFNAMSIZ];
	char altname[ALTNAME_SIZE]; /* "" unless the interface's name is a hash */
	char alias[ALIAS_SIZE];
	uint8_t host_mac[MAC_SIZE], guest_mac[MAC_SIZE];
};

/* One end of the pair. */
struct end {
	struct netlink netlink;
	const char *interface;
	const char *where; /* completes messages */
	uint8_t peer_mac[MAC_SIZE];
	int index;
};

/*
 * A stable hardware address, locally administered, for one end of a container's pair. The
 * machine-id is in it so that two hosts on one wire don't make the same address for the same name.
 */
static void derive_mac(const char *machine_id, const char *end, const char *name, uint8_t *ret)
{
	char text[128];
	uint64_t hash;

	(void)snprintf(text, sizeof(text), "%.32s %s %s", machine_id, end, name);
	hash = name_hash(text);
	for (size_t i = 0; i < MAC_SIZE; i++)
		ret[i] = (uint8_t)(hash >> (8 * i));
	ret[0] = (uint8_t)((ret[0] & 0xfc) | 0x02);
}

static void identity_init(struct identity *id, const char *name)
{
	_cleanup_free_ char *machine_id = NULL;

	if (!name_interface(name, id->interface, id->altname))
		id->altname[0] = '\0';
	(void)snprintf(id->alias, sizeof(id->alias), ALIAS_PREFIX "%s", name);
	/* a host without one gets addresses that depend on the name alone */
	(void)file_read_all(AT_FDCWD, "/etc/machine-id", 0, 64, &machine_id);
	derive_mac(machine_id ? machine_id : "", "host", name, id->host_mac);
	derive_mac(machine_id ? machine_id : "", "guest", name, id->guest_mac);
}

static bool link_is_ours(const struct netlink_link *link, const struct identity *id)
{
	if (strcmp(link->kind, "veth") != 0 || strcmp(link->name, id->interface) != 0)
		return false;
	if (link->alias[0] != '\0')
		return strcmp(link->alias, id->alias) == 0;
	return memcmp(link->mac, id->host_mac, MAC_SIZE) == 0;
}

/* Commits what was begun for an end, and settles its link. 0 or -errno, logged. */
static int commit(struct end *end)
{
	struct netlink_link link;
	int r = netlink_get_link(&end->netlink, end->interface, &link);

	if (r < 0)
		log_error("%s", end->netlink.why);
	return r;
}

/* --- the pair ----------------------------------------------------------------------------------
 */

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
static int request_pair(
	struct end *host, const struct identity *id, const uint8_t *guest_mac, int netns_fd)
{
	struct netlink *nl = &host->netlink;
	struct ifinfomsg header = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct ifinfomsg peer_header = {};
	struct nlattr *info, *data, *peer;

	netlink_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"create veth pair %s", id->interface);
	netlink_put_string(nl, IFLA_IFNAME, id->interface);
	netlink_put(nl, IFLA_ADDRESS, id->host_mac, MAC_SIZE);
	put_one_queue(nl);
	info = netlink_nest(nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(nl, IFLA_INFO_KIND, "veth");
	data = netlink_nest(nl, IFLA_INFO_DATA, NULL, 0);
	peer = netlink_nest(nl, VETH_INFO_PEER, &peer_header, sizeof(peer_header));
	netlink_put_string(nl, IFLA_IFNAME, GUEST_INTERFACE);
	netlink_put(nl, IFLA_ADDRESS, guest_mac, MAC_SIZE);
	put_one_queue(nl);
	netlink_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	netlink_nest_end(nl, peer);
	netlink_nest_end(nl, data);
	netlink_nest_end(nl, info);
	return netlink_commit(nl, NULL, NULL);
}

static void log_stranger(const struct netlink_link *link, const struct identity *id)
{
	char alias[2 * NETLINK_ALIAS_SIZE];

	(void)escape_text(alias, sizeof(alias), link->alias, strlen(link->alias));
	log_error("cannot create interface %s: the name is taken by %s (kind '%s', index %d, alias "
		  "'%s'), which is not this container's; delete or rename it",
		id->interface, link->name, link->kind[0] != '\0' ? link->kind : "hardware",
		link->index, alias);
}

/* Makes room for c-NAME after EEXIST. 0: try again. Else -errno, logged. */
static int remove_leftover(struct end *host, const struct identity *id)
{
	char first_why[sizeof(host->netlink.why)];
	struct netlink_link link;
	int r;

	memcpy(first_why, host->netlink.why, sizeof(first_why));
	r = netlink_get_link(&host->netlink, id->interface, &link);
	if (r == -ENODEV)
		return 0; /* gone meanwhile */
	if (r < 0) {
		log_error("%s", first_why);
		return r;
	}
	if (!link_is_ours(&link, id)) {
		log_stranger(&link, id);
		return -EEXIST;
	}
	log_info("removing interface %s, left over from an earlier start", id->interface);
	r = netlink_delete_link(&host->netlink, link.index, id->interface);
	if (r < 0 && r != -ENODEV) {
		log_error("%s", host->netlink.why);
		return r;
	}
	return 0;
}

static int create_pair(
	struct end *host, const struct identity *id, const uint8_t *guest_mac, int netns_fd)
{
	int r = request_pair(host, id, guest_mac, netns_fd);

	if (r == -EEXIST) {
		r = remove_leftover(host, id);
		if (r < 0)
			return r;
		r = request_pair(host, id, guest_mac, netns_fd);
	}
	if (r < 0)
		log_error("%s", host->netlink.why);
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

/* --- addresses and routes ----------------------------------------------------------------------
 */

static bool is_set(const struct config_address *address)
{
	return address->family != 0;
}

static size_t address_size(const struct config_address *address)
{
	return address->family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

static const char *address_text(const struct config_address *address, char text[INET6_ADDRSTRLEN])
{
	if (!inet_ntop(address->family, &address->v6, text, INET6_ADDRSTRLEN))
		text[0] = '\0';
	return text;
}

static void add_address(struct end *end, const struct config_address *address)
{
	struct ifaddrmsg header = {
		.ifa_family = (uint8_t)address->family,
		.ifa_prefixlen = address->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)end->index,
		/* nobody else can be on this wire: no second of waiting for a duplicate */
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
	};
	char text[INET6_ADDRSTRLEN];

	netlink_begin(&end->netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header,
		sizeof(header), "add address %s/%u to %s%s", address_text(address, text),
		address->prefix, end->interface, end->where);
	netlink_put(&end->netlink, IFA_LOCAL, &address->v6, address_size(address));
	netlink_put(&end->netlink, IFA_ADDRESS, &address->v6, address_size(address));
}

/* A route to one address, or, through it, the default route. */
static void add_route(struct end *end, const struct config_address *address, bool is_default)
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

	netlink_begin(&end->netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header,
		sizeof(header), "add %sroute %s %s on %s%s", is_default ? "default " : "",
		is_default ? "via" : "to", address_text(address, text), end->interface, end->where);
	netlink_put(&end->netlink, is_default ? RTA_GATEWAY : RTA_DST, &address->v6, size);
	netlink_put_u32(&end->netlink, RTA_OIF, (uint32_t)end->index);
}

/*
 * Tells an end the hardware address behind the other's IPv6 address. The kernel joins the
 * multicast group in which it would be asked for it in a worker, and a question that comes too
 * early is repeated after a second. NUD_STALE: used at once, checked soon, not for ever.
 */
static void add_neighbour(struct end *end, const struct config_address *address)
{
	struct ndmsg header = {
		.ndm_family = (uint8_t)address->family,
		.ndm_ifindex = end->index,
		.ndm_state = NUD_STALE,
	};
	char text[INET6_ADDRSTRLEN];

	netlink_begin(&end->netlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header,
		sizeof(header), "add neighbour %s to %s%s", address_text(address, text),
		end->interface, end->where);
	netlink_put(&end->netlink, NDA_DST, &address->v6, address_size(address));
	netlink_put(&end->netlink, NDA_LLADDR, end->peer_mac, MAC_SIZE);
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

	netlink_begin(&end->netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &header,
		sizeof(header), "add local route of %s on %s%s", address_text(address, text),
		end->interface, end->where);
	netlink_put(&end->netlink, RTA_DST, &address->v6, address_size(address));
	netlink_put_u32(&end->netlink, RTA_OIF, (uint32_t)end->index);
	netlink_put_u32(&end->netlink, RTA_EXPIRES, LOCAL_ROUTE_S);
}

static void add_family(struct end *end, const struct config_address *own,
	const struct config_address *other, bool is_guest)
{
	if (is_set(own))
		add_address(end, own);
	if (own->family == AF_INET6)
		add_local_route(end, own);
	/* a guest without an address of this family can't answer: what its own tools set, they
	 * route */
	if (!is_set(other) || (is_guest && !is_set(own)))
		return;
	add_route(end, other, false);
	if (is_guest)
		add_route(end, other, true);
	if (other->family == AF_INET6)
		add_neighbour(end, other);
}

/* --- the ends ----------------------------------------------------------------------------------
 */

static void begin_up(struct end *end, int index, const char *interface)
{
	struct ifinfomsg header = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	netlink_begin(&end->netlink, RTM_SETLINK, 0, &header, sizeof(header), "bring up %s%s",
		interface, end->where);
}

static int find_end(struct end *end)
{
	end->index = netlink_index(&end->netlink, end->interface);
	if (end->index < 0)
		return log_errno(
			end->index, "cannot find interface %s%s", end->interface, end->where);
	return 0;
}

static int set_up_lo(struct end *guest)
{
	int r;

	begin_up(guest, 1 /* in every namespace */, "lo");
	r = netlink_commit(&guest->netlink, NULL, NULL);
	if (r < 0)
		log_error("%s", guest->netlink.why);
	return r;
}

static int set_up_guest(struct end *guest, const struct container_config *config)
{
	int r = find_end(guest);

	if (r < 0)
		return r;
	begin_up(guest, 1, "lo");
	begin_up(guest, guest->index, guest->interface);
	add_family(guest, &config->local_address, &config->host_address, true);
	add_family(guest, &config->local_address6, &config->host_address6, true);
	return commit(guest);
}

static int set_up_host(
	struct end *host, const struct identity *id, const struct container_config *config)
{
	struct netlink *nl = &host->netlink;
	struct ifinfomsg header = { .ifi_index = host->index };

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
	add_family(host, &config->host_address, &config->local_address, false);
	add_family(host, &config->host_address6, &config->local_address6, false);
	return commit(host);
}

/* The pair, once it is there. */
static int set_up_ends(struct end *host, struct end *guest, const struct identity *id,
	const struct container_config *config)
{
	int r = find_end(host);

	if (r < 0)
		return r;
	r = ignore_router_advertisements(host->interface);
	if (r < 0)
		return r;
	r = set_up_guest(guest, config);
	if (r < 0)
		return r;
	return set_up_host(host, id, config);
}

static int set_up_pair(struct end *guest, const struct container_config *config, int netns_fd)
{
	struct end host = { .where = "" };
	struct identity id;
	const uint8_t *guest_mac = config->mac_address;
	int r;

	identity_init(&id, config->name);
	if (memcmp(guest_mac, no_mac, MAC_SIZE) == 0)
		guest_mac = id.guest_mac;
	host.interface = id.interface;
	memcpy(host.peer_mac, guest_mac, MAC_SIZE);
	memcpy(guest->peer_mac, id.host_mac, MAC_SIZE);
	r = netlink_open(&host.netlink, -1);
	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	r = create_pair(&host, &id, guest_mac, netns_fd);
	if (r >= 0) {
		r = set_up_ends(&host, guest, &id, config);
		if (r < 0 && netlink_delete_link(&host.netlink, host.index > 0 ? host.index : 0,
				     id.interface) < 0)
			log_error("%s", host.netlink.why);
	}
	netlink_close(&host.netlink);
	return r;
}

int network_setup(const struct container_config *config, int netns_fd)
{
	struct end guest = { .interface = GUEST_INTERFACE, .where = " in the container" };
	int r = netlink_open(&guest.netlink, netns_fd);

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket in the container's namespace");
	if (config->veth)
		r = set_up_pair(&guest, config, netns_fd);
	else
		r = set_up_lo(&guest);
	netlink_close(&guest.netlink);
	return r;
}

int network_cleanup(const char *name)
{
	struct identity id;
	struct netlink nl = {};
	struct netlink_link link;
	int r = netlink_open(&nl, -1);

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	identity_init(&id, name);
	r = netlink_get_link(&nl, id.interface, &link);
	if (r >= 0 && link_is_ours(&link, &id))
		r = netlink_delete_link(&nl, link.index, id.interface);
	if (r == -ENODEV)
		r = 0;
	if (r < 0)
		log_error("%s", nl.why);
	netlink_close(&nl);
	return r;
}
