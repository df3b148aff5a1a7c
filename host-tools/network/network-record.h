/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What an interface of the host's was before a container got it (Interface=), in
 * /run/narthex/NAME/private/link-GUEST: written before it is moved, so that it can be given back
 * even when the launcher died without a word.
 */

#include "../name.h"
#include "netlink.h"

#define RECORD_ALTNAMES_MAX 16
#define RECORD_ALTNAME_SIZE 128 /* ALTIFNAMSIZ of linux/if.h */

/* An interface with what else has to be known to tell it from others and to restore it. */
struct record_link {
	struct netlink_link link;
	uint8_t permanent_mac[6]; /* all zero: none */
	char altnames[RECORD_ALTNAMES_MAX][RECORD_ALTNAME_SIZE];
	uint32_t n_altnames;
};

struct record {
	uint32_t version; /* RECORD_VERSION: another one's is not read */
	uint32_t size;	  /* of this struct */
	struct record_link link;
	char master[IFNAMSIZ]; /* the bridge that it was a port of; "" */
	char guest[IFNAMSIZ];
	int inside_index;	 /* its index in the container */
	uint32_t addresses_size; /* bytes of addresses */
	void *addresses; /* RTM_NEWADDR messages, one after another, as the kernel wrote them */
};

/*
 * The directory of a container's records, and that of its pinned namespace. A descriptor, -ENOENT
 * when the container has none, or -errno.
 */
int record_open_directory(const char *name);

/* Fills in ret->link. 0, -ENODEV or -errno with its text in nl->why. */
int record_take_link(struct netlink *nl, int index, struct record_link *ret);

/* Reads what a message of RTM_NEWLINK says. 0 or -EPROTO. */
int record_parse_link(const struct nlmsghdr *message, struct record_link *ret);

/* Takes down all of an interface's addresses. 0 or -errno with its text in nl->why. */
int record_take_addresses(struct netlink *nl, struct record *record);

/* Writes one, all of it or nothing. 0 or -errno. */
int record_write(int dir_fd, const struct record *record);

/* Reads the one in file. 0, -EBADMSG for something else, or -errno. record_done() frees it. */
int record_read(int dir_fd, const char *file, struct record *ret);
void record_done(struct record *record);

/* Whether a file in that directory is one. */
bool record_is_name(const char *file);

/* Removes the one of the interface that is called guest inside. 0 or -errno. */
int record_remove(int dir_fd, const char *guest);

/* The container that has the host's interface called interface. False: none has. */
bool record_find_owner(const char *interface, char ret_owner[NAME_MAX_LEN + 1]);
