/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Inside the network: what its parts share. A link has an end in the container and mostly one on
 * the host; each end has a netlink socket in its own namespace.
 */

#include "../config/config.h"
#include "../name.h"
#include "netlink.h"

#include <netinet/in.h>

#define ALIAS_PREFIX "narthex:"
#define ALIAS_SIZE (sizeof(ALIAS_PREFIX) + NAME_MAX_LEN)
#define MAC_SIZE 6

/* One end of a link, or an interface that a link leads to. */
struct end {
	struct netlink *netlink;
	const char *interface;
	const char *where; /* completes messages: "" or " in the container" */
	uint8_t peer_mac[MAC_SIZE];
	int index;
};

/* A name of ours on the host, and what tells that an interface is ours. */
struct identity {
	char interface[IFNAMSIZ];
	char altname[ALTNAME_SIZE]; /* "" unless the interface's name is a hash */
	char alias[ALIAS_SIZE];
	uint8_t host_mac[MAC_SIZE], guest_mac[MAC_SIZE];
};

/* The network of one container while it is made or taken away. */
struct network {
	const struct container_config *config;
	struct netlink host, guest;
	int netns_fd; /* the container's, borrowed */
};

/* --- who is who (network-identity.c) ---------------------------------------------------------- */

/* The host's end of the link that [Network] describes. prefix: of its name, "c-", "ve-" or "vb-".
 */
void identity_init(struct identity *id, const char *name, const char *prefix);

/* The host's end of another link, called host. */
void identity_init_extra(struct identity *id, const char *name, const char *host);

/* A hardware address for an interface inside that has no end on the host. */
void identity_mac(const char *name, const char *interface, uint8_t ret[MAC_SIZE]);

/* Whether a veth is the one that id describes. */
bool identity_is_of(const struct identity *id, const struct netlink_link *link);

/* The container whose interface this is by its alias, or NULL. */
const char *identity_owner(const struct netlink_link *link);

/* Says whom the name belongs to that a link of container name was to have. Returns -EEXIST. */
int identity_log_stranger(const struct netlink_link *link, const char *wanted, const char *name);

/* --- addresses and routes (network-address.c): requests are begun, not sent ------------------- */

bool address_is_set(const struct config_address *address);

/* Whether b is in the network that a's prefix makes. */
bool address_covers(const struct config_address *a, const struct config_address *b);

const char *address_text(const struct config_address *address, char text[INET6_ADDRSTRLEN]);
size_t address_size(const struct config_address *address);

/* What a link's ends get besides their names: link_items() says which, in order. */
struct item {
	enum { SIDE_HOST, SIDE_GUEST, SIDE_BRIDGE } side;
	enum {
		ITEM_ADDRESS,
		ITEM_ROUTE,	    /* to one address */
		ITEM_DEFAULT_ROUTE, /* through it */
		ITEM_NEIGHBOUR,	    /* the hardware address behind the other end's address */
	} what;
	struct config_address address;
};

/* eight a family: five inside, three on the host */
#define ITEMS_MAX 16
struct items {
	struct item of[ITEMS_MAX];
	size_t n;
};

/* No duplicate of an address is looked for; an IPv6 address receives at once. flags: NLM_F_EXCL,
 * NLM_F_REPLACE. */
void item_add(struct end *end, const struct item *item, uint16_t flags);
void item_remove(struct end *end, const struct item *item);
bool item_is_same(const struct item *a, const struct item *b);

/* --- links -------------------------------------------------------------------------------------
 */

/* Opens both sockets. Logs. 0, or -errno with none open. */
int network_open(struct network *network);
void network_close(struct network *network);

/* Makes a link of whatever kind, or takes it away (network.h). Logs. 0 or -errno. */
int link_set_up(struct network *network, const struct config_link *link);
int link_remove(struct network *network, const struct config_link *link);

/* Brings an interface up: a request. */
void link_begin_up(struct end *end, int index, const char *interface);

/* All that belongs to its ends. */
void link_items(const struct config_link *link, struct items *ret);

/* Adds what belongs to one side: requests. flags: item_add()'s. */
void link_add_items(struct end *end, const struct config_link *link, int side, uint16_t flags);

/* Puts end->index in. Logs. 0 or -errno. */
int link_find(struct end *end);

/* Sends what was begun for an end, and settles its link. Logs. 0 or -errno. */
int link_commit(struct end *end);

/* Whether a link is the one that [Network] itself describes: the default route is its own. */
bool link_is_main(const struct config_link *link);

/* The prefix of the name of that link's end on the host. */
const char *link_prefix(const struct container_config *config);

/*
 * LINK_VETH: a pair of virtual interfaces with all that belongs to both ends. Logs. 0, or -errno
 * with nothing left of it.
 */
int veth_set_up(struct network *network, const struct config_link *link);
int veth_remove(struct network *network, const struct config_link *link);

/* Puts its end on the host on the bridge that it is to be on and isn't. Logs. 0 or -errno. */
int veth_attach(struct network *network, const struct config_link *link);

/* LINK_MACVLAN, LINK_IPVLAN: an interface inside, on top of one of the host's. As above. */
int macvlan_set_up(struct network *network, const struct config_link *link);
int macvlan_remove(struct network *network, const struct config_link *link);

/* LINK_INTERFACE: one of the host's is moved in, and given back. As above. */
int moved_set_up(struct network *network, const struct config_link *link);
int moved_remove(struct network *network, const struct config_link *link);

/*
 * Gives back what container name has of the host's: all of it, or what is called only inside. Quiet
 * when that is nothing. Logs. 0 or -errno.
 */
int moved_give_back(const char *name, const char *only);

/* The index of the bridge that a link wants, made when it is a zone's. Logs. > 0 or -errno. */
int bridge_find(struct netlink *host, const char *name);

/* The bridge of a zone: made when there is none. The caller holds zone_lock(). Logs. > 0 or -errno.
 */
int zone_find(struct netlink *host, const char *bridge);

/* Keeps others from making or removing zones. A descriptor that holds the lock, or -errno, logged.
 */
int zone_lock(void);

/* Removes the zones that nobody is in. Logs. 0 or -errno. */
int zone_collect(struct netlink *host);
