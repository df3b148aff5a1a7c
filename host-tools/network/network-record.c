/* SPDX-License-Identifier: MIT */

/*
 * Addresses are kept as the kernel told them (as `ip address save` does): labels, lifetimes, peers
 * and flags need not be understood to be given back. The file is ours alone, in a directory of
 * root's, so it is read with no more suspicion than a version needs.
 */

#include "network-record.h"

#include "../launch/state.h"
#include "cleanup.h"
#include "fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1
#define RECORD_PREFIX "link-"
#define ADDRESSES_MAX (256 * 1024)

int record_open_directory(const char *name)
{
	char path[sizeof(RUN_DIR) + NAME_MAX_LEN + sizeof("//private")];
	int fd;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%.*s/private", NAME_MAX_LEN, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* --- the interface ----------------------------------------------------------------------------
 */

static int take_altname(const struct nlattr *a, void *userdata)
{
	struct record_link *link = userdata;

	if (mnl_attr_get_type(a) == IFLA_ALT_IFNAME &&
		mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 &&
		link->n_altnames < RECORD_ALTNAMES_MAX)
		(void)snprintf(link->altnames[link->n_altnames++], RECORD_ALTNAME_SIZE, "%s",
			mnl_attr_get_str(a));
	return MNL_CB_OK;
}

static int take_attribute(const struct nlattr *a, void *userdata)
{
	struct record_link *link = userdata;

	if (mnl_attr_get_type(a) == IFLA_PROP_LIST)
		return mnl_attr_parse_nested(a, take_altname, link);
	if (mnl_attr_get_type(a) == IFLA_PERM_ADDRESS &&
		mnl_attr_get_payload_len(a) == sizeof(link->permanent_mac))
		memcpy(link->permanent_mac, mnl_attr_get_payload(a), sizeof(link->permanent_mac));
	return MNL_CB_OK;
}

int record_parse_link(const struct nlmsghdr *message, struct record_link *ret)
{
	struct record_link link = {};
	int r = netlink_parse_link(message, &link.link);

	if (r < 0)
		return r;
	(void)mnl_attr_parse(message, sizeof(struct ifinfomsg), take_attribute, &link);
	*ret = link;
	return 0;
}

static void take_link(const struct nlmsghdr *message, void *userdata)
{
	(void)record_parse_link(message, userdata);
}

int record_take_link(struct netlink *nl, int index, struct record_link *ret)
{
	struct ifinfomsg header = { .ifi_index = index };
	int r;

	ret->link.index = 0;
	netlink_begin(nl, RTM_GETLINK, 0, &header, sizeof(header), "look up interface %d", index);
	netlink_put_u32(nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_commit(nl, take_link, ret);
	if (r < 0)
		return r;
	return ret->link.index > 0 ? 0 : -EPROTO;
}

/* --- addresses --------------------------------------------------------------------------------
 */

struct collection {
	struct record *record;
	int error;
};

static void take_address(const struct nlmsghdr *message, void *userdata)
{
	struct collection *collection = userdata;
	struct record *record = collection->record;
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	size_t size = MNL_ALIGN(message->nlmsg_len), used = record->addresses_size;
	void *bigger;

	/* temporary ones are the kernel's own, made from others */
	if (message->nlmsg_type != RTM_NEWADDR ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
		(int)header->ifa_index != record->link.link.index ||
		(header->ifa_family == AF_INET6 && (header->ifa_flags & IFA_F_TEMPORARY)))
		return;
	bigger = used + size > ADDRESSES_MAX ? NULL : realloc(record->addresses, used + size);
	if (!bigger) {
		collection->error = -ENOMEM;
		return;
	}
	record->addresses = bigger;
	memset((char *)bigger + used, 0, size);
	memcpy((char *)bigger + used, message, message->nlmsg_len);
	record->addresses_size = (uint32_t)(used + size);
}

int record_take_addresses(struct netlink *nl, struct record *record)
{
	struct collection collection = { .record = record };
	struct ifaddrmsg header = {};
	int r = netlink_dump(nl, RTM_GETADDR, &header, sizeof(header), "list addresses",
		take_address, &collection);

	if (r >= 0 && collection.error < 0) {
		(void)snprintf(nl->why, sizeof(nl->why), "cannot keep the addresses: %s",
			strerror(-collection.error));
		r = collection.error;
	}
	return r;
}

/* --- files ------------------------------------------------------------------------------------
 */

static void file_of(const char *guest, char ret[sizeof(RECORD_PREFIX) + IFNAMSIZ])
{
	(void)snprintf(ret, sizeof(RECORD_PREFIX) + IFNAMSIZ, RECORD_PREFIX "%s", guest);
}

bool record_is_name(const char *file)
{
	return strncmp(file, RECORD_PREFIX, strlen(RECORD_PREFIX)) == 0;
}

int record_write(int dir_fd, const struct record *record)
{
	char file[sizeof(RECORD_PREFIX) + IFNAMSIZ];
	struct record head = *record;
	_cleanup_close_ int fd =
		openat(dir_fd, "record.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	head.version = RECORD_VERSION;
	head.size = sizeof(head);
	head.addresses = NULL;
	r = fd_write_all(fd, &head, sizeof(head));
	if (r >= 0 && record->addresses_size > 0)
		r = fd_write_all(fd, record->addresses, record->addresses_size);
	file_of(record->guest, file);
	if (r >= 0 && renameat(dir_fd, "record.new", dir_fd, file) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, "record.new", 0);
	return r;
}

int record_read(int dir_fd, const char *file, struct record *ret)
{
	_cleanup_free_ char *text = NULL;
	struct record record;
	ssize_t n = file_read_all(dir_fd, file, O_NOFOLLOW, sizeof(record) + ADDRESSES_MAX, &text);

	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(record))
		return -EBADMSG;
	memcpy(&record, text, sizeof(record));
	if (record.version != RECORD_VERSION || record.size != sizeof(record) ||
		(size_t)n != sizeof(record) + record.addresses_size)
		return -EBADMSG;
	record.addresses = malloc(record.addresses_size + 1);
	if (!record.addresses)
		return -ENOMEM;
	memcpy(record.addresses, text + sizeof(record), record.addresses_size);
	*ret = record;
	return 0;
}

void record_done(struct record *record)
{
	free(TAKE_PTR(record->addresses));
	record->addresses_size = 0;
}

int record_remove(int dir_fd, const char *guest)
{
	char file[sizeof(RECORD_PREFIX) + IFNAMSIZ];

	file_of(guest, file);
	return unlinkat(dir_fd, file, 0) < 0 ? -errno : 0;
}

static bool has_record_of(int dir_fd, const char *interface)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	bool found = false;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		(void)close(fd);
	while (dir && !found && (entry = readdir(dir))) {
		struct record record = {};

		if (!record_is_name(entry->d_name) || record_read(fd, entry->d_name, &record) < 0)
			continue;
		found = strcmp(record.link.link.name, interface) == 0;
		record_done(&record);
	}
	return found;
}

bool record_find_owner(const char *interface, char ret_owner[NAME_MAX_LEN + 1])
{
	_cleanup_closedir_ DIR *dir = opendir(RUN_DIR);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int fd = -EBADF;

		if (!name_is_valid(entry->d_name, NULL))
			continue;
		fd = record_open_directory(entry->d_name);
		if (fd < 0 || !has_record_of(fd, interface))
			continue;
		memcpy(ret_owner, entry->d_name, strlen(entry->d_name) + 1);
		return true;
	}
	return false;
}
