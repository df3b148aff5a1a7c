/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * Interface= takes an interface of the host's into the container and gives it back: at stop, at a
 * reboot (the next guest gets it again), and when the launcher was killed.
 *
 * Left alone, the kernel would put hardware back into the machine's first namespace, without its
 * addresses, and delete anything virtual together with the namespace. So before an interface is
 * moved, two things are in /run/narthex/NAME/private, and outlive a launcher:
 *
 *  - netns, a mount that keeps the container's network namespace, and with it the interface;
 *  - a record of what it was: name, alternative names, hardware address, MTU, bridge, addresses.
 *
 * Whoever cleans up (the launcher at the end, its unit's ExecStopPost=, the next start) enters the
 * namespace by that mount and moves back what is recorded. Routes other than those that belong to
 * an address are not restored.
 *
 * The guest's root may have done anything to the interface meanwhile: renamed it, put it into a
 * bridge, given it names that the host uses, deleted it and made another. It is known by its index
 * inside, which we choose, and its kind; hardware also by the address burnt into it, even where the
 * kernel has put it back itself. All that is recorded is set again, and names that the guest has
 * given it go.
 */

#include "../launch/state.h"
#include "cleanup.h"
#include "log.h"
#include "network-link.h"
#include "network-record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define INDEXES_TRIED 10000

static const uint8_t no_mac[MAC_SIZE];

/* --- the namespace ----------------------------------------------------------------------------
 */

/* The pinned namespace, -ENOENT when there is none, or -errno. */
static int open_pinned(int dir_fd)
{
	_cleanup_close_ int fd =
		openat(dir_fd, STATE_NETNS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == NSFS_MAGIC ? TAKE_FD(fd) : -ENOENT;
}

static void unpin(int dir_fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" STATE_NETNS, dir_fd);
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	(void)unlinkat(dir_fd, STATE_NETNS, 0);
}

static int pin(int dir_fd, int netns_fd)
{
	_cleanup_close_ int pinned = open_pinned(dir_fd), file = -EBADF;
	char from[64], to[64];
	struct stat a, b;

	if (pinned >= 0 && fstat(pinned, &a) == 0 && fstat(netns_fd, &b) == 0 &&
		a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 0;
	unpin(dir_fd);
	file = openat(dir_fd, STATE_NETNS, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", netns_fd);
	(void)snprintf(to, sizeof(to), "/proc/self/fd/%d/" STATE_NETNS, dir_fd);
	if (file < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
		return log_errno(-errno, "cannot keep the container's network namespace");
	return 0;
}

/* --- into the container -----------------------------------------------------------------------
 */

static int log_absent(const struct config_link *link)
{
	char owner[NAME_MAX_LEN + 1];

	if (record_find_owner(link->host, owner))
		log_error("Interface=%s: container '%s' has this interface", link->host, owner);
	else
		log_error("Interface=%s: there is no interface '%s' on the host", link->host,
			link->host);
	return -ENODEV;
}

/* What it is now, as it will have to be again. */
static int take(struct network *network, const struct config_link *link, struct record *ret)
{
	struct netlink *host = &network->host;
	struct record_link master;
	const char *owner;
	int index = netlink_index(host, link->host), r;

	if (index == -ENODEV)
		return log_absent(link);
	r = index < 0 ? index : record_take_link(host, index, &ret->link);
	if (r < 0)
		return log_errno(r, "cannot look up interface %s", link->host);
	owner = identity_owner(&ret->link.link);
	if ((ret->link.link.flags & IFF_LOOPBACK) || owner) {
		log_error("Interface=%s: %s%s%s", link->host,
			owner ? "the link of container '" : "every namespace has its own",
			owner ? owner : "", owner ? "'" : "");
		return -EBUSY;
	}
	if (ret->link.link.master > 0 &&
		record_take_link(host, ret->link.link.master, &master) == 0)
		memcpy(ret->master, master.link.name, IFNAMSIZ);
	memcpy(ret->guest, link->guest, IFNAMSIZ);
	r = record_take_addresses(host, ret);
	if (r < 0)
		log_error("%s", host->why);
	return r;
}

/* Its own index, or the first one after it that is free inside. */
static int choose_index(struct netlink *guest, int index)
{
	for (int i = index; i < index + INDEXES_TRIED; i++) {
		struct record_link link;

		if (record_take_link(guest, i, &link) == -ENODEV)
			return i;
	}
	return -EBUSY;
}

static int move_in(struct network *network, const struct record *record)
{
	struct netlink *nl = &network->host;
	struct ifinfomsg header = { .ifi_index = record->link.link.index };
	int r;

	netlink_begin(nl, RTM_SETLINK, 0, &header, sizeof(header),
		"move interface %s into the container as %s", record->link.link.name,
		record->guest);
	netlink_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)network->netns_fd);
	netlink_put_string(nl, IFLA_IFNAME, record->guest);
	netlink_put_u32(nl, IFLA_NEW_IFINDEX, (uint32_t)record->inside_index);
	r = netlink_commit(nl, NULL, NULL);
	if (r < 0)
		log_error("%s", nl->why);
	return r;
}

static int set_up_inside(struct network *network, const struct config_link *link, int index)
{
	struct end guest = { .netlink = &network->guest,
		.interface = link->guest,
		.where = " in the container",
		.index = index };
	struct ifinfomsg header = { .ifi_index = index };

	if (link->mtu > 0) {
		netlink_begin(guest.netlink, RTM_SETLINK, 0, &header, sizeof(header),
			"set the MTU of %s in the container", link->guest);
		netlink_put_u32(guest.netlink, IFLA_MTU, link->mtu);
	}
	link_begin_up(&guest, index, guest.interface);
	link_add_items(&guest, link, SIDE_GUEST, NLM_F_EXCL);
	return link_commit(&guest);
}

int moved_set_up(struct network *network, const struct config_link *link)
{
	_cleanup_close_ int dir = record_open_directory(network->config->name);
	struct record record = {};
	int r;

	if (dir < 0)
		return log_errno(dir, "cannot open the container's state directory");
	r = take(network, link, &record);
	if (r >= 0)
		r = record.inside_index = choose_index(&network->guest, record.link.link.index);
	if (r >= 0)
		r = pin(dir, network->netns_fd);
	if (r >= 0) {
		r = record_write(dir, &record);
		if (r < 0)
			log_errno(r, "cannot write down what interface %s is", link->host);
	}
	if (r >= 0)
		r = move_in(network, &record);
	if (r >= 0)
		r = set_up_inside(network, link, record.inside_index);
	record_done(&record);
	if (r < 0)
		(void)moved_give_back(network->config->name, link->guest);
	return r;
}

/* --- and back ---------------------------------------------------------------------------------
 */

struct hunt {
	const struct record *record;
	int index; /* that it has there */
	bool found;
	struct record_link link;
};

static void hunt(const struct nlmsghdr *message, void *userdata)
{
	struct hunt *hunt = userdata;
	const struct record_link *wanted = &hunt->record->link;
	struct record_link link;
	bool same_kind, same_index, same_card;

	if (record_parse_link(message, &link) < 0)
		return;
	same_kind = strcmp(link.link.kind, wanted->link.kind) == 0;
	same_index = link.link.index == hunt->index;
	same_card = link.link.kind[0] == '\0' &&
		    memcmp(wanted->permanent_mac, no_mac, MAC_SIZE) != 0 &&
		    memcmp(link.permanent_mac, wanted->permanent_mac, MAC_SIZE) == 0;
	if (same_kind && (same_card || (same_index && !hunt->found))) {
		hunt->found = true;
		hunt->link = link;
	}
}

static bool find(
	struct netlink *nl, const struct record *record, int index, struct record_link *ret)
{
	struct hunt h = { .record = record, .index = index };
	struct ifinfomsg header = {};

	if (netlink_dump(nl, RTM_GETLINK, &header, sizeof(header), "list interfaces", hunt, &h) < 0)
		log_error("%s", nl->why);
	*ret = h.link;
	return h.found;
}

static bool has_altname(const struct record_link *link, const char *altname)
{
	for (uint32_t i = 0; i < link->n_altnames; i++)
		if (strcmp(link->altnames[i], altname) == 0)
			return true;
	return false;
}

static void change_altname(struct netlink *nl, uint16_t type, int index, const char *altname)
{
	struct ifinfomsg header = { .ifi_index = index };
	struct nlattr *list;

	netlink_begin(nl, type, type == RTM_NEWLINKPROP ? NLM_F_CREATE | NLM_F_EXCL : 0, &header,
		sizeof(header), "change an alternative name");
	list = netlink_nest(nl, IFLA_PROP_LIST, NULL, 0);
	netlink_put_string(nl, IFLA_ALT_IFNAME, altname);
	netlink_nest_end(nl, list);
	(void)netlink_commit(nl, NULL, NULL);
}

/*
 * The name to come back under: its own, unless a stranger has it by now. Better a card under
 * another name than none.
 */
static void choose_name(struct netlink *host, const struct record *record, char ret[IFNAMSIZ])
{
	struct netlink_link other;

	memcpy(ret, record->link.link.name, IFNAMSIZ);
	if (netlink_get_link(host, ret, &other) < 0)
		return;
	(void)identity_log_stranger(&other, ret, "");
	(void)snprintf(ret, IFNAMSIZ, "dev%d", record->inside_index);
	log_error("interface %s comes back as %s", record->link.link.name, ret);
}

static int request_move(
	struct netlink *guest, int host_ns, int index, const char *name, int new_index)
{
	struct ifinfomsg header = { .ifi_index = index };

	netlink_begin(guest, RTM_SETLINK, 0, &header, sizeof(header),
		"give interface %s back to the host", name);
	netlink_put_u32(guest, IFLA_NET_NS_FD, (uint32_t)host_ns);
	netlink_put_string(guest, IFLA_IFNAME, name);
	if (new_index > 0)
		netlink_put_u32(guest, IFLA_NEW_IFINDEX, (uint32_t)new_index);
	return netlink_commit(guest, NULL, NULL);
}

static int move_back(struct netlink *guest, struct netlink *host, const struct record *record,
	const struct record_link *there)
{
	_cleanup_close_ int host_ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct ifinfomsg down = { .ifi_index = there->link.index, .ifi_change = IFF_UP };
	char name[IFNAMSIZ];
	int r;

	if (host_ns < 0)
		return log_errno(-errno, "cannot open the host's network namespace");
	choose_name(host, record, name);
	netlink_begin(guest, RTM_SETLINK, 0, &down, sizeof(down), "bring it down");
	(void)netlink_commit(guest, NULL, NULL);
	/* all of them: one that the host has by now would keep it in here */
	for (uint32_t i = 0; i < there->n_altnames; i++)
		change_altname(guest, RTM_DELLINKPROP, there->link.index, there->altnames[i]);
	r = request_move(guest, host_ns, there->link.index, name, record->link.link.index);
	if (r == -EBUSY || r == -EEXIST) /* its old index is another's */
		r = request_move(guest, host_ns, there->link.index, name, 0);
	if (r < 0)
		log_error("%s", guest->why);
	return r < 0 ? r : netlink_index(host, name);
}

static void commit_or_warn(struct netlink *nl, const char *name)
{
	if (netlink_commit(nl, NULL, NULL) < 0)
		log_warning(
			"interface %s is back on the host, but not as it was: %s", name, nl->why);
}

/* One request each: what the interface refuses must not keep the rest away. */
static void restore_link(
	struct netlink *host, const struct record *record, const struct netlink_link *now)
{
	const struct netlink_link *link = &record->link.link;
	struct ifinfomsg header = { .ifi_index = now->index };
	int master = record->master[0] ? netlink_index(host, record->master) : 0;

	netlink_begin(host, RTM_SETLINK, 0, &header, sizeof(header), "set its alias");
	netlink_put(host, IFLA_IFALIAS, link->alias, strlen(link->alias));
	commit_or_warn(host, link->name);
	if (memcmp(link->mac, now->mac, MAC_SIZE) != 0) {
		netlink_begin(
			host, RTM_SETLINK, 0, &header, sizeof(header), "set its hardware address");
		netlink_put(host, IFLA_ADDRESS, link->mac, MAC_SIZE);
		commit_or_warn(host, link->name);
	}
	if (link->mtu != now->mtu) {
		netlink_begin(host, RTM_SETLINK, 0, &header, sizeof(header), "set its MTU");
		netlink_put_u32(host, IFLA_MTU, link->mtu);
		commit_or_warn(host, link->name);
	}
	if (master > 0) {
		netlink_begin(host, RTM_SETLINK, 0, &header, sizeof(header),
			"put it into the bridge %s", record->master);
		netlink_put_u32(host, IFLA_MASTER, (uint32_t)master);
		commit_or_warn(host, link->name);
	}
	header.ifi_flags = link->flags & IFF_UP;
	header.ifi_change = IFF_UP;
	netlink_begin(host, RTM_SETLINK, 0, &header, sizeof(header), "bring it up");
	commit_or_warn(host, link->name);
}

static int copy_attribute(const struct nlattr *a, void *userdata)
{
	netlink_put(userdata, mnl_attr_get_type(a), mnl_attr_get_payload(a),
		mnl_attr_get_payload_len(a));
	return MNL_CB_OK;
}

static void restore_addresses(struct netlink *host, const struct record *record, int index)
{
	const struct nlmsghdr *message = record->addresses;
	int left = (int)record->addresses_size;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		struct ifaddrmsg header;

		memcpy(&header, mnl_nlmsg_get_payload(message), sizeof(header));
		header.ifa_index = (uint32_t)index;
		netlink_begin(host, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header,
			sizeof(header), "give it an address");
		(void)mnl_attr_parse(message, sizeof(header), copy_attribute, host);
		commit_or_warn(host, record->link.link.name);
	}
}

/* guest: a socket in the pinned namespace, without one when that is gone. */
static int give_back(struct netlink *guest, struct netlink *host, const struct record *record)
{
	const char *name = record->link.link.name;
	struct record_link now;
	int index = 0;

	if (guest->socket && find(guest, record, record->inside_index, &now)) {
		index = move_back(guest, host, record, &now);
		if (index < 0)
			return index;
	} else if (find(host, record, record->link.link.index, &now)) {
		index = now.link.index; /* not moved yet, or put back by the kernel */
	} else {
		log_error("interface %s can't be given back: the container has deleted it, or "
			  "moved it on",
			name);
		return 0;
	}
	if (record_take_link(host, index, &now) < 0) {
		log_error("%s", host->why);
		return 0;
	}
	for (uint32_t i = 0; i < record->link.n_altnames; i++)
		if (!has_altname(&now, record->link.altnames[i]))
			change_altname(host, RTM_NEWLINKPROP, index, record->link.altnames[i]);
	restore_link(host, record, &now.link);
	restore_addresses(host, record, index);
	return 0;
}

/* All records, or that of guest; *ret_left says whether some are left. 0 or the first -errno. */
static int give_back_recorded(
	int dir_fd, const char *only, struct netlink *guest, struct netlink *host, bool *ret_left)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*ret_left = false;
	while (dir && (entry = readdir(dir))) {
		struct record record;
		int r;

		if (!record_is_name(entry->d_name))
			continue;
		r = record_read(dir_fd, entry->d_name, &record);
		if (r < 0) {
			log_errno(r, "cannot read the record '%s'", entry->d_name);
			result = r;
			continue;
		}
		if (!only || strcmp(only, record.guest) == 0) {
			r = give_back(guest, host, &record);
			if (r >= 0)
				(void)record_remove(dir_fd, record.guest);
			else
				result = r;
		}
		if ((only && strcmp(only, record.guest) != 0) || r < 0)
			*ret_left = true;
		record_done(&record);
	}
	return result;
}

int moved_give_back(const char *name, const char *only)
{
	_cleanup_close_ int dir = record_open_directory(name), pinned = -EBADF;
	struct netlink guest = {}, host = {};
	bool left = false;
	int r;

	if (dir < 0 || faccessat(dir, STATE_NETNS, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	pinned = open_pinned(dir);
	r = netlink_open(&host, -1);
	if (r >= 0 && pinned >= 0)
		r = netlink_open(&guest, pinned);
	if (r < 0)
		log_errno(r, "cannot open a netlink socket");
	else
		r = give_back_recorded(dir, only, &guest, &host, &left);
	netlink_close(&guest);
	netlink_close(&host);
	if (r >= 0 && !left)
		unpin(dir);
	return r;
}

int moved_remove(struct network *network, const struct config_link *link)
{
	return moved_give_back(network->config->name, link->guest);
}
