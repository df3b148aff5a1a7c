/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * rtnetlink requests in batches, over libmnl. A request is begun with its fixed header and a
 * text that says what it does, then gets its attributes; netlink_commit() sends all that were
 * begun in one system call and reads the answers.
 *
 *	netlink_begin(nl, RTM_NEWADDR, NLM_F_CREATE, &header, sizeof(header), "add address …");
 *	netlink_put(nl, IFA_LOCAL, &address, sizeof(address));
 *	r = netlink_commit(nl, NULL, NULL);
 *	if (r < 0)
 *		log_error("%s", nl->why);
 */

#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_REQUESTS_MAX 16
#define NETLINK_BUFFER_SIZE 8192
#define NETLINK_ALIAS_SIZE 256 /* IFALIASZ of linux/if.h, which doesn't get along with net/if.h */

/* The null state, all zero, is closed and safe to close. Don't copy. */
struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence; /* of the first request in the buffer */
	size_t used, count;
	int error; /* the first failure to build; the next commit returns it */
	/* bytes of a list with which netlink_dump() has enough: then only netlink_close() may
	 * follow; 0: all of it */
	size_t list_max;
	struct nlmsghdr *requests[NETLINK_REQUESTS_MAX];
	char what[NETLINK_REQUESTS_MAX][192];
	char why[640]; /* after a failed commit: "cannot WHAT: ERROR (kernel: TEXT)" */
	_Alignas(NLMSG_ALIGNTO) char buffer[NETLINK_BUFFER_SIZE];
};

/* What netlink_get_link() tells about an interface. */
struct netlink_link {
	int index;
	char name[IFNAMSIZ]; /* differs from what was asked for when that was an altname */
	char kind[32];	     /* "veth", "bridge", …; "" for hardware */
	char alias[NETLINK_ALIAS_SIZE]; /* the administrator's text; "" for none */
	uint8_t mac[6];			/* all zero for none */
	int master;			/* index of the bridge it is a port of; 0: none */
	int peer;			/* a pair's other end: its index in its own namespace */
	uint32_t mtu;
	unsigned int flags; /* IFF_UP, … */
};

/*
 * Opens a socket in the network namespace netns_fd (borrowed), or in the caller's own with -1. The
 * calling thread is in that namespace for a moment. Needs CAP_SYS_ADMIN over it. 0 or -errno.
 */
int netlink_open(struct netlink *nl, int netns_fd);

/* Closes and forgets what was not committed. */
void netlink_close(struct netlink *nl);

/*
 * Begins a request. flags are added to NLM_F_REQUEST; header is the fixed part behind the
 * nlmsghdr (struct ifinfomsg, …); what completes "cannot …". Doesn't fail: netlink_commit() does.
 */
void netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags, const void *header,
	size_t size, const char *what, ...) __attribute__((format(printf, 6, 7)));

/* Appends an attribute to the request begun last. Strings get their NUL. */
void netlink_put(struct netlink *nl, uint16_t attribute, const void *data, size_t size);
void netlink_put_u32(struct netlink *nl, uint16_t attribute, uint32_t value);
void netlink_put_string(struct netlink *nl, uint16_t attribute, const char *text);

/* Opens a nest (NLA_F_NESTED, size filled in by netlink_nest_end); header may be NULL. */
struct nlattr *netlink_nest(
	struct netlink *nl, uint16_t attribute, const void *header, size_t size);
void netlink_nest_end(struct netlink *nl, struct nlattr *nest);

/*
 * Sends what was begun and waits for nothing: rtnetlink answers within the send. The kernel takes
 * the requests in order and goes on after a failed one; the first failure is returned, its text in
 * nl->why. on_reply (or NULL) gets each message that is not an acknowledgement. 0 or -errno.
 */
int netlink_commit(
	struct netlink *nl, void (*on_reply)(const struct nlmsghdr *, void *), void *userdata);

/*
 * Looks an interface up by name or altname (of at most 15 bytes), as the last request of what was
 * begun. 0, -ENODEV or -errno (text in nl->why). *ret is untouched on failure. From Linux 6.8 on it
 * also makes a change of the carrier take effect.
 */
int netlink_get_link(struct netlink *nl, const char *name, struct netlink_link *ret);

/*
 * Asks for a list (NLM_F_DUMP) and hands every message of it to on_message. Nothing may have been
 * begun. A list that changed while it was read is read once more: on_message sees some messages
 * twice. 0 or -errno with its text in why: "cannot WHAT: …".
 */
int netlink_dump(struct netlink *nl, uint16_t type, const void *header, size_t size,
	const char *what, void (*on_message)(const struct nlmsghdr *, void *), void *userdata);

/*
 * The parsers of what netlink_commit() and netlink_dump() receive: buffer (aligned to
 * NLMSG_ALIGNTO) has whole messages. 1: the last request was acknowledged, the list was at its end;
 * 0: there is more to come; -errno. *error is set by the first failed request, its text is in
 * nl->why; *changed by a list that isn't of one moment, whose end is -EINTR.
 */
int netlink_take_answers(struct netlink *nl, const void *buffer, size_t len,
	void (*on_reply)(const struct nlmsghdr *, void *), void *userdata, int *error);
int netlink_take_list(const void *buffer, size_t len, uint32_t sequence,
	void (*on_message)(const struct nlmsghdr *, void *), void *userdata, bool *changed);

/* What a message of RTM_NEWLINK says. 0, or -EPROTO when it is none. */
int netlink_parse_link(const struct nlmsghdr *message, struct netlink_link *ret);

/* The index of an interface in the socket's namespace, by one ioctl. > 0 or -errno. */
int netlink_index(struct netlink *nl, const char *name);

/*
 * Deletes an interface (the other end of a pair goes too), by index, or by name when index is 0.
 * Takes the kernel 20 to 30 ms. 0 or -errno.
 */
int netlink_delete_link(struct netlink *nl, int index, const char *name);
