/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * From one configuration to another, link by link. A link that is the same kind of thing in both is
 * changed in place: what it has and isn't to have goes, what it is to have is set, whether it is
 * there or not. So the way back from the middle of a change is the change the other way round, and
 * what the guest's root has done to its end meanwhile is neither an obstacle nor undone.
 *
 * Links that go, or change their nature, go first: others may get their names and addresses. A link
 * that comes back on the way back is a new one for the guest.
 *
 * The guest's end of a pair is found by the kernel's own record of which two belong together; its
 * name is the guest's to change.
 */

#include "network.h"

#include "cleanup.h"
#include "log.h"
#include "network-link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define MTU_DEFAULT 1500

static const uint8_t no_mac[MAC_SIZE];

/* --- one link in place ------------------------------------------------------------------------ */

struct changing {
	struct network *network;
	const struct config_link *old, *new;
	struct end host, guest, bridge; /* host's index 0: it has none */
	struct identity id;
};

/* Sends what was begun. Logs. 0 or -errno. */
static int commit(struct netlink *nl)
{
	int r = netlink_commit(nl, NULL, NULL);

	if (r < 0)
		log_error("%s", nl->why);
	return r;
}

/* The same of a removal: what the guest has removed already is fine. */
static int commit_removal(struct netlink *nl)
{
	int r = netlink_commit(nl, NULL, NULL);

	if (r == -EADDRNOTAVAIL || r == -ESRCH || r == -ENOENT)
		return 0;
	if (r < 0)
		log_error("%s", nl->why);
	return r;
}

static int find_pair(struct changing *c)
{
	const char *name = c->network->config->name;
	struct netlink_link there;
	int r;

	if (link_is_main(c->new))
		identity_init(&c->id, name, link_prefix(c->network->config));
	else
		identity_init_extra(&c->id, name, c->new->host);
	c->host.interface = c->id.interface;
	r = netlink_get_link(&c->network->host, c->id.interface, &there);
	if (r >= 0 && !identity_is_of(&c->id, &there))
		return identity_log_stranger(&there, c->id.interface, name);
	if (r < 0) {
		log_error("%s: restart the container", c->network->host.why);
		return r;
	}
	c->host.index = there.index;
	c->guest.index = there.peer;
	return 0;
}

static int find_inside(struct changing *c)
{
	struct netlink_link there;
	int r = netlink_get_link(&c->network->guest, c->new->guest, &there);

	if (r < 0)
		return log_errno(r,
			"cannot find interface %s in the container: restart the container",
			c->new->guest);
	c->guest.index = there.index;
	return 0;
}

static void set_mtu(struct end *end, uint32_t mtu)
{
	struct ifinfomsg header = { .ifi_index = end->index };

	netlink_begin(end->netlink, RTM_SETLINK, 0, &header, sizeof(header), "set the MTU of %s%s",
		end->interface, end->where);
	netlink_put_u32(end->netlink, IFLA_MTU, mtu > 0 ? mtu : MTU_DEFAULT);
}

static int change_mtu(struct changing *c)
{
	int r = 0;

	if (c->old->mtu == c->new->mtu)
		return 0;
	if (c->host.index > 0) {
		set_mtu(&c->host, c->new->mtu);
		r = commit(c->host.netlink);
	}
	if (r < 0)
		return r;
	set_mtu(&c->guest, c->new->mtu);
	return commit(c->guest.netlink);
}

/* The hardware address inside, as it is when the link is made. */
static void mac_inside(const struct changing *c, uint8_t ret[MAC_SIZE])
{
	if (memcmp(c->new->mac_address, no_mac, MAC_SIZE) != 0)
		memcpy(ret, c->new->mac_address, MAC_SIZE);
	else if (c->new->kind == LINK_VETH)
		memcpy(ret, c->id.guest_mac, MAC_SIZE);
	else
		identity_mac(c->network->config->name, c->new->guest, ret);
}

static int change_mac(struct changing *c)
{
	struct ifinfomsg header = { .ifi_index = c->guest.index };
	uint8_t mac[MAC_SIZE];

	mac_inside(c, mac);
	memcpy(c->host.peer_mac, mac, MAC_SIZE);
	memcpy(c->guest.peer_mac, c->id.host_mac, MAC_SIZE);
	if (memcmp(c->old->mac_address, c->new->mac_address, MAC_SIZE) == 0)
		return 0;
	netlink_begin(c->guest.netlink, RTM_SETLINK, 0, &header, sizeof(header),
		"set the hardware address of %s%s", c->guest.interface, c->guest.where);
	netlink_put(c->guest.netlink, IFLA_ADDRESS, mac, MAC_SIZE);
	return commit(c->guest.netlink);
}

/* --- bridges ---------------------------------------------------------------------------------- */

static void begin_port_vlan(struct changing *c, uint16_t type, uint32_t vlan)
{
	struct netlink *nl = c->host.netlink;
	struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = c->host.index };
	struct bridge_vlan_info info = { .vid = (uint16_t)vlan,
		.flags = type == RTM_SETLINK ? BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED
					     : 0 };
	struct nlattr *spec;

	netlink_begin(nl, type, 0, &header, sizeof(header),
		type == RTM_SETLINK ? "put %s into VLAN %u" : "take %s out of VLAN %u",
		c->host.interface, vlan);
	spec = netlink_nest(nl, IFLA_AF_SPEC, NULL, 0);
	netlink_put(nl, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
	netlink_nest_end(nl, spec);
}

/* A new port is in VLAN 1, where its bridge filters them. */
static int change_vlan(struct changing *c, bool is_new_port)
{
	uint32_t old = is_new_port || c->old->vlan == 0 ? 1 : c->old->vlan;
	uint32_t new = c->new->vlan == 0 ? 1 : c->new->vlan;
	int r;

	if (!c->new->bridge[0] || old == new)
		return 0;
	begin_port_vlan(c, RTM_SETLINK, new);
	r = commit(c->host.netlink);
	if (r < 0)
		return r;
	begin_port_vlan(c, RTM_DELLINK, old);
	return commit_removal(c->host.netlink);
}

/* Takes the host's end from one bridge, if any, to another, if any. */
static int change_master(struct changing *c)
{
	struct ifinfomsg header = { .ifi_index = c->host.index };
	_cleanup_close_ int lock = -EBADF;
	int r;

	/* from here until the link is its port nobody may take the zone for empty */
	if (c->new->is_zone) {
		lock = zone_lock();
		if (lock < 0)
			return lock;
	}
	if (c->new->bridge[0]) {
		c->bridge.interface = c->new->bridge;
		c->bridge.index = c->new->is_zone ? zone_find(c->bridge.netlink, c->new->bridge)
						  : bridge_find(c->bridge.netlink, c->new->bridge);
		if (c->bridge.index < 0)
			return c->bridge.index;
	}
	if (strcmp(c->old->bridge, c->new->bridge) == 0)
		return change_vlan(c, false);
	netlink_begin(c->host.netlink, RTM_SETLINK, 0, &header, sizeof(header),
		c->new->bridge[0] ? "make %s a port of %s" : "take %s%s off its bridge",
		c->host.interface, c->new->bridge);
	netlink_put_u32(c->host.netlink, IFLA_MASTER, (uint32_t)c->bridge.index);
	r = commit(c->host.netlink);
	return r < 0 ? r : change_vlan(c, true);
}

/* --- addresses and routes --------------------------------------------------------------------- */

static struct end *end_of(struct changing *c, const struct item *item)
{
	return item->side == SIDE_GUEST ? &c->guest : &c->host;
}

static bool has_item(const struct items *items, const struct item *item)
{
	for (size_t i = 0; i < items->n; i++)
		if (item_is_same(&items->of[i], item))
			return true;
	return false;
}

/* A route goes before the address that it needs. A zone's addresses are its other members', too. */
static int remove_items(struct changing *c, const struct items *old, const struct items *new)
{
	int r = 0;

	for (size_t i = old->n; r >= 0 && i > 0; i--) {
		const struct item *item = &old->of[i - 1];

		if (item->side == SIDE_BRIDGE || has_item(new, item))
			continue;
		item_remove(end_of(c, item), item);
		r = commit_removal(end_of(c, item)->netlink);
	}
	return r;
}

/*
 * All of it, not only what is new: with an address the kernel removes routes that lead through it,
 * and the hardware address behind a neighbour may be another.
 */
static int change_items(struct changing *c)
{
	struct items old, new;
	int r;

	link_items(c->old, &old);
	link_items(c->new, &new);
	r = remove_items(c, &old, &new);
	if (r < 0)
		return r;
	link_add_items(&c->guest, c->new, SIDE_GUEST, NLM_F_REPLACE);
	r = commit(c->guest.netlink);
	if (r < 0 || c->host.index == 0)
		return r;
	link_add_items(&c->host, c->new, SIDE_HOST, NLM_F_REPLACE);
	if (c->bridge.index > 0)
		link_add_items(&c->bridge, c->new, SIDE_BRIDGE, NLM_F_REPLACE);
	return commit(c->host.netlink);
}

static int change_link(
	struct network *network, const struct config_link *old, const struct config_link *new)
{
	struct changing c = {
		.network = network,
		.old = old,
		.new = new,
		.host = { .netlink = &network->host, .where = "" },
		.guest = { .netlink = &network->guest,
			.interface = new->guest,
			.where = " in the container" },
		.bridge = { .netlink = &network->host, .where = "" },
	};
	int r = new->kind == LINK_VETH ? find_pair(&c) : find_inside(&c);

	if (r >= 0 && c.host.index > 0)
		r = change_master(&c);
	if (r >= 0)
		r = change_mtu(&c);
	if (r >= 0)
		r = change_mac(&c);
	return r < 0 ? r : change_items(&c);
}

/* --- all links -------------------------------------------------------------------------------- */

struct link_list {
	struct config_link *of;
	size_t n;
};

static int list_links(const struct container_config *config, struct link_list *ret)
{
	struct link_list list = { .of = calloc(config->n_links + 1, sizeof(*list.of)) };

	if (!list.of)
		return log_errno(-ENOMEM, "cannot list the links");
	if (network_main_link(config, &list.of[0]))
		list.n = 1;
	for (size_t i = 0; i < config->n_links; i++)
		list.of[list.n++] = config->links[i];
	*ret = list;
	return 0;
}

/* Something of this name inside, whatever it is. */
static const struct config_link *find_link(const struct link_list *list, const char *guest)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->of[i].guest, guest) == 0)
			return &list->of[i];
	return NULL;
}

struct step {
	const struct config_link *old, *new; /* NULL: it comes, or goes */
	const struct container_config *old_config, *new_config;
};

/*
 * Whether one becomes the other by changing it; either may be NULL. A main link with another name
 * on the host (Naming=nspawn: ve-NAME, on a bridge vb-NAME) is another one: not all kernels rename
 * an interface that is up.
 */
static bool is_same_link(
	const struct step *configs, const struct config_link *old, const struct config_link *new)
{
	if (!old || !new || old->kind != new->kind || strcmp(old->host, new->host) != 0)
		return false;
	return !link_is_main(new) ||
	       strcmp(link_prefix(configs->old_config), link_prefix(configs->new_config)) == 0;
}

/* Does one step. The network's config names the container and its naming only. */
static int take_step(struct network *network, const struct step *step)
{
	network->config = step->new ? step->new_config : step->old_config;
	if (!step->new)
		return link_remove(network, step->old);
	if (!step->old)
		return link_set_up(network, step->new);
	return change_link(network, step->old, step->new);
}

/* All steps or none. */
static int take_steps(struct network *network, const struct step *steps, size_t n)
{
	size_t done = 0;
	int r = 0;

	while (done < n && r >= 0) {
		r = take_step(network, &steps[done]);
		if (r >= 0)
			done++;
	}
	if (r >= 0)
		return r;
	/* one that was changed halfway is changed back, too */
	if (steps[done].old && steps[done].new)
		done++;
	while (done > 0) {
		const struct step *s = &steps[--done];

		if (take_step(network,
			    &(struct step){ s->new, s->old, s->new_config, s->old_config }) < 0)
			log_error("interface %s in the container is not what it was: restart the "
				  "container",
				(s->old ? s->old : s->new)->guest);
	}
	return r;
}

static size_t plan_steps(const struct link_list *old, const struct link_list *new,
	const struct step *configs, struct step *steps)
{
	size_t n = 0;

	for (size_t i = 0; i < old->n; i++)
		if (!is_same_link(configs, &old->of[i], find_link(new, old->of[i].guest)))
			steps[n++] = (struct step){ .old = &old->of[i] };
	for (size_t i = 0; i < new->n; i++) {
		const struct config_link *was = find_link(old, new->of[i].guest);

		if (!is_same_link(configs, was, &new->of[i]))
			continue;
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): padding costs a look */
		if (memcmp(was, &new->of[i], sizeof(*was)) != 0)
			steps[n++] = (struct step){ .old = was, .new = &new->of[i] };
	}
	for (size_t i = 0; i < new->n; i++)
		if (!is_same_link(configs, find_link(old, new->of[i].guest), &new->of[i]))
			steps[n++] = (struct step){ .new = &new->of[i] };
	for (size_t i = 0; i < n; i++) {
		steps[i].old_config = configs->old_config;
		steps[i].new_config = configs->new_config;
	}
	return n;
}

static bool has_zone(const struct link_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->of[i].is_zone)
			return true;
	return false;
}

int network_change(
	const struct container_config *old, const struct container_config *new, int netns_fd)
{
	struct network network = { .config = new, .netns_fd = netns_fd };
	struct link_list old_links = {}, new_links = {};
	_cleanup_free_ struct step *steps = NULL;
	int r = list_links(old, &old_links);

	if (r >= 0)
		r = list_links(new, &new_links);
	if (r >= 0) {
		steps = calloc(old_links.n + new_links.n + 1, sizeof(*steps));
		r = steps ? network_open(&network) : log_errno(-ENOMEM, "cannot plan a change");
	}
	if (r >= 0 && steps) {
		r = take_steps(&network, steps,
			plan_steps(&old_links, &new_links,
				&(struct step){ .old_config = old, .new_config = new }, steps));
		if (has_zone(&old_links) || (r < 0 && has_zone(&new_links)))
			(void)zone_collect(&network.host);
		network_close(&network);
	}
	free(old_links.of);
	free(new_links.of);
	return r;
}
