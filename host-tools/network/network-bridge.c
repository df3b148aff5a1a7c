/* SPDX-License-Identifier: MIT */

/*
 * Bridges that a container's links are ports of: the administrator's, which stay as they are, and
 * zones. A zone's bridge is made with its first container and removed with its last; the alias
 * "narthex-zone:ZONE" says that it is ours to remove. One that somebody else made (systemd-nspawn
 * has zones of the same names) is used, too, and left to its maker.
 *
 * A lock keeps one container from joining a zone while another finds it empty. A container that
 * leaves removes its own port before it looks: the kernel would take its time for that, and of two
 * that leave at once each would find the other's.
 */

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define ZONE_ALIAS_PREFIX "narthex-zone:"
#define ZONE_LOCK "/run/narthex/.zone-lock"
#define ZONES_MAX 256

static int log_no_bridge(const struct netlink_link *link)
{
	log_error("interface %s is no bridge (kind '%s')", link->name,
		link->kind[0] != '\0' ? link->kind : "hardware");
	return -EINVAL;
}

int bridge_find(struct netlink *host, const char *name)
{
	struct netlink_link link;
	int r = netlink_get_link(host, name, &link);

	if (r == -ENODEV) {
		log_error("there is no bridge '%s' on the host: make it before the container "
			  "starts, or use Zone=, whose bridge is made on demand",
			name);
		return r;
	}
	if (r < 0) {
		log_error("%s", host->why);
		return r;
	}
	return strcmp(link.kind, "bridge") == 0 ? link.index : log_no_bridge(&link);
}

int zone_lock(void)
{
	int fd = fd_open_locked(ZONE_LOCK);

	return fd < 0 ? log_errno(fd, "cannot lock " ZONE_LOCK) : fd;
}

/* A bridge without an address takes that of a port, another one whenever ports come and go. */
static int make_zone(struct netlink *host, const char *bridge)
{
	struct ifinfomsg header = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	char alias[sizeof(ZONE_ALIAS_PREFIX) + IFNAMSIZ];
	uint8_t mac[MAC_SIZE];
	struct nlattr *info;

	(void)snprintf(alias, sizeof(alias), ZONE_ALIAS_PREFIX "%s", bridge);
	identity_mac("", bridge, mac);
	netlink_begin(host, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"create the bridge %s of a zone", bridge);
	netlink_put_string(host, IFLA_IFNAME, bridge);
	netlink_put(host, IFLA_ADDRESS, mac, MAC_SIZE);
	info = netlink_nest(host, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(host, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(host, info);
	header = (struct ifinfomsg){};
	netlink_begin(host, RTM_SETLINK, 0, &header, sizeof(header), "set alias of %s", bridge);
	netlink_put_string(host, IFLA_IFNAME, bridge);
	netlink_put_string(host, IFLA_IFALIAS, alias);
	return netlink_commit(host, NULL, NULL);
}

int zone_find(struct netlink *host, const char *bridge)
{
	struct netlink_link link;
	int r = netlink_get_link(host, bridge, &link);

	if (r == -ENODEV) {
		r = make_zone(host, bridge);
		if (r >= 0)
			r = netlink_get_link(host, bridge, &link);
	}
	if (r < 0) {
		log_error("%s", host->why);
		return r;
	}
	return strcmp(link.kind, "bridge") == 0 ? link.index : log_no_bridge(&link);
}

/* The host's zones, and whether somebody is in them. */
struct census {
	struct {
		int index;
		char name[IFNAMSIZ];
		bool inhabited;
	} zones[ZONES_MAX];
	size_t n;
};

static void find_zone(const struct nlmsghdr *message, void *userdata)
{
	struct census *census = userdata;
	struct netlink_link link;

	if (netlink_parse_link(message, &link) < 0 || census->n == ZONES_MAX ||
		strcmp(link.kind, "bridge") != 0 ||
		strncmp(link.alias, ZONE_ALIAS_PREFIX, strlen(ZONE_ALIAS_PREFIX)) != 0)
		return;
	for (size_t i = 0; i < census->n; i++)
		if (census->zones[i].index == link.index)
			return;
	census->zones[census->n].index = link.index;
	memcpy(census->zones[census->n++].name, link.name, IFNAMSIZ);
}

static void count_port(const struct nlmsghdr *message, void *userdata)
{
	struct census *census = userdata;
	struct netlink_link link;

	if (netlink_parse_link(message, &link) < 0 || link.master == 0)
		return;
	for (size_t i = 0; i < census->n; i++)
		if (census->zones[i].index == link.master)
			census->zones[i].inhabited = true;
}

static int take_census(struct netlink *host, struct census *census)
{
	struct ifinfomsg header = {};
	int r;

	census->n = 0;
	r = netlink_dump(
		host, RTM_GETLINK, &header, sizeof(header), "list interfaces", find_zone, census);
	if (r >= 0 && census->n > 0)
		r = netlink_dump(host, RTM_GETLINK, &header, sizeof(header), "list interfaces",
			count_port, census);
	if (r < 0)
		log_error("%s", host->why);
	return r;
}

int zone_collect(struct netlink *host)
{
	_cleanup_close_ int lock = -EBADF;
	struct census census = {};
	int r = take_census(host, &census);

	/* a host without zones needs no lock, and may not have the directory for it */
	if (r < 0 || census.n == 0)
		return r;
	lock = zone_lock();
	r = lock < 0 ? lock : take_census(host, &census);
	for (size_t i = 0; r >= 0 && i < census.n; i++) {
		if (census.zones[i].inhabited)
			continue;
		r = netlink_delete_link(host, census.zones[i].index, census.zones[i].name);
		if (r < 0 && r != -ENODEV)
			log_error("%s", host->why);
		r = 0;
	}
	return r;
}
