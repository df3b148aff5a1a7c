/* SPDX-License-Identifier: MIT */

/* The network of one container as a whole: its links one after another, and what is left of them.
 */

#include "network.h"

#include "log.h"
#include "network-link.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define LINKS_MAX 256 /* of a crashed container; each is a pair */

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

static int set_up_lo(struct network *network)
{
	struct end lo = { .netlink = &network->guest, .where = " in the container" };
	int r;

	link_begin_up(&lo, 1 /* in every namespace */, "lo");
	r = netlink_commit(lo.netlink, NULL, NULL);
	if (r < 0)
		log_error("%s", lo.netlink->why);
	return r;
}

/* The link that [Network] itself describes. */
static struct config_link eth0(const struct container_config *config)
{
	struct config_link link = {
		.kind = LINK_VETH,
		.guest = "eth0",
		.host_address = config->host_address,
		.local_address = config->local_address,
		.host_address6 = config->host_address6,
		.local_address6 = config->local_address6,
		.gateway = config->gateway,
		.gateway6 = config->gateway6,
		.mtu = config->mtu,
		.vlan = config->vlan,
	};

	memcpy(link.mac_address, config->mac_address, MAC_SIZE);
	if (config->zone[0])
		(void)snprintf(link.bridge, sizeof(link.bridge), "vz-%.12s", config->zone);
	else
		memcpy(link.bridge, config->bridge, IFNAMSIZ);
	return link;
}

static int set_up_links(struct network *network)
{
	const struct container_config *config = network->config;
	int r = set_up_lo(network);

	if (r >= 0 && config->veth) {
		struct config_link link = eth0(config);

		r = veth_set_up(network, &link, config->zone[0]);
	}
	for (size_t i = 0; r >= 0 && i < config->n_links; i++)
		r = veth_set_up(network, &config->links[i], false);
	return r;
}

int network_setup(const struct container_config *config, int netns_fd)
{
	struct network network = { .config = config, .netns_fd = netns_fd };
	int r = netlink_open(&network.guest, netns_fd);

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket in the container's namespace");
	r = netlink_open(&network.host, -1);
	if (r < 0)
		log_errno(r, "cannot open a netlink socket");
	else
		r = set_up_links(&network);
	netlink_close(&network.host);
	netlink_close(&network.guest);
	if (r < 0)
		(void)network_cleanup(config->name);
	return r;
}

/* --- what is left on the host ------------------------------------------------------------------
 */

struct leftovers {
	const char *name;
	struct identity id; /* of c-NAME */
	int indexes[LINKS_MAX];
	size_t n;
};

/* An alias alone could be anybody's. */
static bool is_extra(const struct netlink_link *link, const char *name)
{
	const char *owner = identity_owner(link);
	struct identity id;

	if (!owner || strcmp(owner, name) != 0)
		return false;
	identity_init(&id, name, link->name);
	return identity_is_of(&id, link) && memcmp(link->mac, id.host_mac, MAC_SIZE) == 0;
}

static void find_leftover(const struct nlmsghdr *message, void *userdata)
{
	struct leftovers *left = userdata;
	struct netlink_link link;

	if (netlink_parse_link(message, &link) < 0 || left->n == LINKS_MAX)
		return;
	if (!identity_is_of(&left->id, &link) && !is_extra(&link, left->name))
		return;
	for (size_t i = 0; i < left->n; i++)
		if (left->indexes[i] == link.index)
			return;
	left->indexes[left->n++] = link.index;
}

static int remove_links(struct netlink *host, const char *name)
{
	struct leftovers left = { .name = name };
	struct ifinfomsg header = {};
	int r;

	identity_init(&left.id, name, NULL);
	r = netlink_dump(host, RTM_GETLINK, &header, sizeof(header), "list interfaces",
		find_leftover, &left);
	for (size_t i = 0; r >= 0 && i < left.n; i++) {
		r = netlink_delete_link(host, left.indexes[i], "of an earlier start");
		if (r == -ENODEV)
			r = 0;
	}
	if (r < 0)
		log_error("%s", host->why);
	return r;
}

int network_cleanup(const char *name)
{
	struct netlink host = {};
	int r = netlink_open(&host, -1), s;

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	/* in this order: of those who leave a zone at once, the last to look sees no port */
	r = remove_links(&host, name);
	s = zone_collect(&host);
	netlink_close(&host);
	return r < 0 ? r : s;
}
