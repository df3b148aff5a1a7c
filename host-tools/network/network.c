/* SPDX-License-Identifier: MIT */

/* The network of one container as a whole: its links one after another, and what is left of them.
 */

#include "network.h"

#include "cleanup.h"
#include "log.h"
#include "network-link.h"
#include "network-nat.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define LINKS_MAX 256 /* of a crashed container; each is a pair */

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

bool network_main_link(const struct container_config *config, struct config_link *ret)
{
	struct config_link link = {
		.kind = LINK_VETH,
		.host_address = config->host_address,
		.local_address = config->local_address,
		.host_address6 = config->host_address6,
		.local_address6 = config->local_address6,
		.gateway = config->gateway,
		.gateway6 = config->gateway6,
		.is_zone = config->zone[0],
		.mtu = config->mtu,
		.vlan = config->vlan,
	};

	if (!config->veth)
		return false;
	(void)snprintf(link.guest, sizeof(link.guest), "%s", config_main_link_name(config));
	memcpy(link.mac_address, config->mac_address, MAC_SIZE);
	if (link.is_zone)
		(void)snprintf(link.bridge, sizeof(link.bridge), "vz-%.12s", config->zone);
	else
		memcpy(link.bridge, config->bridge, IFNAMSIZ);
	*ret = link;
	return true;
}

static int set_up_links(struct network *network)
{
	const struct container_config *config = network->config;
	struct config_link main;
	int r = set_up_lo(network);

	if (r >= 0 && network_main_link(config, &main))
		r = link_set_up(network, &main);
	for (size_t i = 0; r >= 0 && i < config->n_links; i++)
		r = link_set_up(network, &config->links[i]);
	return r;
}

int network_open(struct network *network)
{
	int r = netlink_open(&network->guest, network->netns_fd);

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket in the container's namespace");
	r = netlink_open(&network->host, -1);
	if (r < 0) {
		netlink_close(&network->guest);
		return log_errno(r, "cannot open a netlink socket");
	}
	return 0;
}

void network_close(struct network *network)
{
	netlink_close(&network->host);
	netlink_close(&network->guest);
}

int network_setup(const struct container_config *config, int netns_fd)
{
	struct network network = { .config = config, .netns_fd = netns_fd };
	int r = moved_give_back(config->name, NULL); /* what the guest before a reboot had */

	if (r >= 0)
		r = network_open(&network);
	if (r < 0)
		return r;
	r = set_up_links(&network);
	network_close(&network);
	if (r < 0)
		(void)network_cleanup(config->name);
	return r;
}

int network_add_link(
	const struct container_config *config, const struct config_link *link, int netns_fd)
{
	struct network network = { .config = config, .netns_fd = netns_fd };
	int r = network_open(&network);

	if (r < 0)
		return r;
	r = link_set_up(&network, link);
	network_close(&network);
	return r;
}

int network_remove_link(
	const struct container_config *config, const struct config_link *link, int netns_fd)
{
	struct network network = { .config = config, .netns_fd = netns_fd };
	int r = network_open(&network);

	if (r < 0)
		return r;
	r = link_remove(&network, link);
	network_close(&network);
	return r;
}

int network_attach(const struct container_config *config)
{
	struct network network = { .config = config, .netns_fd = -EBADF };
	struct config_link main;
	int r = netlink_open(&network.host, -1), s;

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	if (network_main_link(config, &main))
		r = veth_attach(&network, &main);
	for (size_t i = 0; i < config->n_links; i++) {
		s = veth_attach(&network, &config->links[i]);
		if (r >= 0)
			r = s;
	}
	netlink_close(&network.host);
	return r;
}

/* --- what is left on the host ------------------------------------------------------------------
 */

static const char *const prefixes[] = { NAME_PREFIX, "ve-", "vb-" };

struct leftovers {
	const char *name;
	struct identity ids[ARRAY_SIZE(prefixes)]; /* of c-NAME, ve-NAME, vb-NAME */
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
	identity_init_extra(&id, name, link->name);
	return identity_is_of(&id, link) && memcmp(link->mac, id.host_mac, MAC_SIZE) == 0;
}

static bool is_main(const struct netlink_link *link, const struct leftovers *left)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (identity_is_of(&left->ids[i], link))
			return true;
	return false;
}

static void find_leftover(const struct nlmsghdr *message, void *userdata)
{
	struct leftovers *left = userdata;
	struct netlink_link link;

	if (netlink_parse_link(message, &link) < 0 || left->n == LINKS_MAX)
		return;
	if (!is_main(&link, left) && !is_extra(&link, left->name))
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

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		identity_init(&left.ids[i], name, prefixes[i]);
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
	int given = moved_give_back(name, NULL);
	int r = netlink_open(&host, -1), s;

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	/* in this order: of those who leave a zone at once, the last to look sees no port */
	r = remove_links(&host, name);
	s = zone_collect(&host);
	netlink_close(&host);
	if (s >= 0)
		s = nat_remove(name);
	else
		(void)nat_remove(name);
	if (given < 0)
		return given;
	return r < 0 ? r : s;
}
