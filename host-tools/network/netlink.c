/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * Starting a container is measured in milliseconds, so requests go out many to a send. rtnetlink
 * works a send off before sendto(2) returns: requests in order, one failed request doesn't stop
 * the next ones, and all answers are in the socket's queue by then. Hence the receiving side never
 * blocks (MSG_DONTWAIT), and only the last request of a batch asks for an acknowledgement: a failed
 * request is always answered.
 *
 * With NETLINK_EXT_ACK the kernel adds a text and the offset of the attribute that it didn't like;
 * NETLINK_CAP_ACK keeps it from sending our request back in front of them. The offset is looked up
 * in the request, which stays in the buffer until its answer was read.
 *
 * The first failure while building (no room) is kept and returned by the commit, so that building
 * needs no checks. A batch that is not whole is not sent at all.
 *
 * A socket belongs for good to the namespace it was made in: for the guest's, the thread goes in,
 * makes it and comes back. Coming back can't fail in a way that would let the caller go on: its
 * next request would hit the wrong machine. So it aborts.
 */

#include "netlink.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MAX_ERRNO 4095 /* linux/err.h */

static int open_socket(struct mnl_socket **ret)
{
	int on = 1;
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!s)
		return -errno;
	/* not fatal: without them there is an error number, but no text */
	(void)mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof(on));
	*ret = s;
	return 0;
}

static int open_socket_in(int netns_fd, struct mnl_socket **ret)
{
	_cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0)
		return -errno;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return -errno;
	r = open_socket(ret);
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	return r;
}

int netlink_open(struct netlink *nl, int netns_fd)
{
	nl->socket = NULL;
	nl->sequence = 1;
	nl->used = nl->count = 0;
	nl->error = 0;
	nl->list_max = 0;
	nl->why[0] = '\0';
	return netns_fd < 0 ? open_socket(&nl->socket) : open_socket_in(netns_fd, &nl->socket);
}

void netlink_close(struct netlink *nl)
{
	if (nl->socket)
		(void)mnl_socket_close(nl->socket);
	nl->socket = NULL;
	nl->used = nl->count = 0;
}

static struct nlmsghdr *last_request(struct netlink *nl)
{
	return nl->requests[nl->count - 1];
}

/* Room for the request begun last: libmnl wants the size from its header to the buffer's end. */
static size_t room(struct netlink *nl)
{
	return sizeof(nl->buffer) - (size_t)((char *)last_request(nl) - nl->buffer);
}

static void end_request(struct netlink *nl)
{
	if (nl->count > 0 && nl->error == 0)
		nl->used += MNL_ALIGN(last_request(nl)->nlmsg_len);
}

void netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags, const void *header,
	size_t size, const char *what, ...)
{
	struct nlmsghdr *request;
	va_list ap;

	end_request(nl);
	if (nl->error != 0)
		return;
	if (nl->count == NETLINK_REQUESTS_MAX ||
		nl->used + MNL_NLMSG_HDRLEN + MNL_ALIGN(size) > sizeof(nl->buffer)) {
		nl->error = -ENOBUFS;
		return;
	}
	request = mnl_nlmsg_put_header(nl->buffer + nl->used);
	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->nlmsg_seq = nl->sequence + (uint32_t)nl->count;
	memcpy(mnl_nlmsg_put_extra_header(request, size), header, size);

	va_start(ap, what);
	(void)vsnprintf(nl->what[nl->count], sizeof(nl->what[0]), what, ap);
	va_end(ap);
	nl->requests[nl->count++] = request;
}

void netlink_put(struct netlink *nl, uint16_t attribute, const void *data, size_t size)
{
	if (nl->error == 0 &&
		!mnl_attr_put_check(last_request(nl), room(nl), attribute, size, data))
		nl->error = -ENOBUFS;
}

void netlink_put_u32(struct netlink *nl, uint16_t attribute, uint32_t value)
{
	netlink_put(nl, attribute, &value, sizeof(value));
}

void netlink_put_string(struct netlink *nl, uint16_t attribute, const char *text)
{
	netlink_put(nl, attribute, text, strlen(text) + 1);
}

struct nlattr *netlink_nest(struct netlink *nl, uint16_t attribute, const void *header, size_t size)
{
	struct nlattr *nest;

	if (nl->error != 0)
		return NULL;
	nest = mnl_attr_nest_start_check(last_request(nl), room(nl), attribute);
	if (!nest || last_request(nl)->nlmsg_len + MNL_ALIGN(size) > room(nl)) {
		nl->error = -ENOBUFS;
		return NULL;
	}
	if (size > 0)
		memcpy(mnl_nlmsg_put_extra_header(last_request(nl), size), header, size);
	return nest;
}

void netlink_nest_end(struct netlink *nl, struct nlattr *nest)
{
	if (nl->error == 0)
		mnl_attr_nest_end(last_request(nl), nest);
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* The type of the attribute at an offset of a request; -1 when nothing is there. */
static int attribute_at(const struct nlmsghdr *request, uint32_t offset)
{
	struct nlattr attribute;

	if (offset < MNL_NLMSG_HDRLEN || offset > request->nlmsg_len ||
		request->nlmsg_len - offset < sizeof(attribute))
		return -1;
	memcpy(&attribute, (const char *)request + offset, sizeof(attribute));
	return mnl_attr_get_type(&attribute);
}

/* What NETLINK_EXT_ACK tells about one failed request. */
struct ack_details {
	const struct nlmsghdr *request;
	const char *message; /* "" for none */
	int attribute;	     /* that the kernel didn't like; -1 for none */
};

static int take_ack_detail(const struct nlattr *detail, void *userdata)
{
	struct ack_details *details = userdata;
	uint16_t type = mnl_attr_get_type(detail);

	if (type == NLMSGERR_ATTR_MSG && mnl_attr_validate(detail, MNL_TYPE_NUL_STRING) >= 0)
		details->message = mnl_attr_get_str(detail);
	else if (type == NLMSGERR_ATTR_OFFS && mnl_attr_validate(detail, MNL_TYPE_U32) >= 0)
		details->attribute = attribute_at(details->request, mnl_attr_get_u32(detail));
	return MNL_CB_OK;
}

/* The kernel's own words about a failed request, or "". */
static void describe_ack(
	const struct nlmsghdr *ack, const struct nlmsghdr *request, char *text, size_t size)
{
	struct ack_details details = { .request = request, .message = "", .attribute = -1 };

	text[0] = '\0';
	/* with NLM_F_CAPPED, which NETLINK_CAP_ACK asks for, nothing of the request is between */
	if (!(ack->nlmsg_flags & NLM_F_ACK_TLVS) || !(ack->nlmsg_flags & NLM_F_CAPPED))
		return;
	(void)mnl_attr_parse(ack, sizeof(struct nlmsgerr), take_ack_detail, &details);
	if (details.message[0] != '\0' && details.attribute >= 0)
		(void)snprintf(text, size, " (kernel: %s, attribute %d)", details.message,
			details.attribute);
	else if (details.message[0] != '\0')
		(void)snprintf(text, size, " (kernel: %s)", details.message);
	else if (details.attribute >= 0)
		(void)snprintf(text, size, " (kernel: attribute %d)", details.attribute);
}

/* 0 or a negative errno, whatever it says. */
static int ack_error(const struct nlmsghdr *ack)
{
	int error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(ack))->error;

	return error > 0 || error < -MAX_ERRNO ? -EPROTO : error;
}

/* Takes one acknowledgement; *error keeps the first failure. */
static void take_ack(struct netlink *nl, const struct nlmsghdr *ack, int *error)
{
	size_t i = ack->nlmsg_seq - nl->sequence;
	int r = ack_error(ack);
	char kernel[320];

	if (r == 0 || *error != 0)
		return;
	*error = r;
	describe_ack(ack, nl->requests[i], kernel, sizeof(kernel));
	(void)snprintf(
		nl->why, sizeof(nl->why), "cannot %s: %s%s", nl->what[i], strerror(-r), kernel);
}

/* mnl_nlmsg_ok() takes a length of 2 GiB and more for a negative one, which fits. */
static bool is_whole(const struct nlmsghdr *m, int left)
{
	return mnl_nlmsg_ok(m, left) && m->nlmsg_len <= (unsigned int)left;
}

int netlink_take_answers(struct netlink *nl, const void *buffer, size_t len,
	void (*on_reply)(const struct nlmsghdr *, void *), void *userdata, int *error)
{
	const struct nlmsghdr *m = buffer;
	int left = (int)len;

	for (; is_whole(m, left); m = mnl_nlmsg_next(m, &left)) {
		if (m->nlmsg_seq - nl->sequence >= nl->count)
			continue;
		if (m->nlmsg_type != NLMSG_ERROR) {
			if (on_reply)
				on_reply(m, userdata);
			continue;
		}
		if (mnl_nlmsg_get_payload_len(m) < sizeof(struct nlmsgerr))
			return -EPROTO;
		take_ack(nl, m, error);
		if (m->nlmsg_seq == last_request(nl)->nlmsg_seq)
			return 1;
	}
	return 0;
}

/* Receives once what the kernel says. The number of bytes or -errno. */
static ssize_t receive_some(struct netlink *nl, void *buffer, size_t size)
{
	struct sockaddr_nl from = {};
	ssize_t n;

	do {
		socklen_t len = sizeof(from);

		n = recvfrom(mnl_socket_get_fd(nl->socket), buffer, size, MSG_DONTWAIT | MSG_TRUNC,
			(struct sockaddr *)&from, &len);
		/* who is root in that network namespace may send us something, too */
	} while (n >= 0 && from.nl_pid != 0);
	if (n < 0)
		return errno == EAGAIN ? -EPROTO : -errno;
	return n > (ssize_t)size ? -EMSGSIZE : n;
}

/* Reads until the last request was acknowledged. *error: see take_ack(). 0 or -errno. */
static int receive(struct netlink *nl, void (*on_reply)(const struct nlmsghdr *, void *),
	void *userdata, int *error)
{
	_Alignas(NLMSG_ALIGNTO) char buffer[8192];

	for (;;) {
		ssize_t n = receive_some(nl, buffer, sizeof(buffer));
		int r;

		if (n < 0)
			return (int)n;
		r = netlink_take_answers(nl, buffer, (size_t)n, on_reply, userdata, error);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

int netlink_commit(
	struct netlink *nl, void (*on_reply)(const struct nlmsghdr *, void *), void *userdata)
{
	int r, error = 0;

	end_request(nl);
	r = nl->error;
	if (r == 0 && nl->count > 0) {
		last_request(nl)->nlmsg_flags |= NLM_F_ACK;
		if (mnl_socket_sendto(nl->socket, nl->buffer, nl->used) < 0)
			r = -errno;
		else
			r = receive(nl, on_reply, userdata, &error);
	}
	if (r < 0)
		(void)snprintf(nl->why, sizeof(nl->why), "cannot %s: netlink: %s",
			nl->count > 0 ? nl->what[0] : "ask", strerror(-r));
	nl->sequence += (uint32_t)nl->count;
	nl->used = nl->count = 0;
	nl->error = 0;
	return r < 0 ? r : error;
}

/* --- interfaces --------------------------------------------------------------------------------
 */

static void copy_text(char *to, size_t size, const struct nlattr *attribute)
{
	if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		(void)snprintf(to, size, "%s", mnl_attr_get_str(attribute));
}

static int take_link_info(const struct nlattr *a, void *userdata)
{
	struct netlink_link *link = userdata;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		copy_text(link->kind, sizeof(link->kind), a);
	return MNL_CB_OK;
}

static int take_link_attribute(const struct nlattr *a, void *userdata)
{
	struct netlink_link *link = userdata;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		copy_text(link->name, sizeof(link->name), a);
		break;
	case IFLA_IFALIAS:
		copy_text(link->alias, sizeof(link->alias), a);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(a) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(a), sizeof(link->mac));
		break;
	case IFLA_MASTER:
		if (mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			link->master = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_LINK:
		if (mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			link->peer = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			link->mtu = mnl_attr_get_u32(a);
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(a, take_link_info, link);
	default:
		break;
	}
	return MNL_CB_OK;
}

int netlink_parse_link(const struct nlmsghdr *message, struct netlink_link *ret)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct netlink_link link = {};

	if (message->nlmsg_type != RTM_NEWLINK ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return -EPROTO;
	link.index = header->ifi_index;
	link.flags = header->ifi_flags;
	(void)mnl_attr_parse(message, sizeof(*header), take_link_attribute, &link);
	*ret = link;
	return 0;
}

static void take_link(const struct nlmsghdr *m, void *userdata)
{
	(void)netlink_parse_link(m, userdata);
}

int netlink_get_link(struct netlink *nl, const char *name, struct netlink_link *ret)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	struct netlink_link link = {};
	int r;

	netlink_begin(nl, RTM_GETLINK, 0, &header, sizeof(header), "look up interface %s", name);
	netlink_put_string(nl, IFLA_IFNAME, name);
	netlink_put_u32(nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_commit(nl, take_link, &link);
	if (r < 0)
		return r;
	if (link.index <= 0)
		return -EPROTO;
	*ret = link;
	return 0;
}

/* --- lists --------------------------------------------------------------------------------------
 */

int netlink_take_list(const void *buffer, size_t len, uint32_t sequence,
	void (*on_message)(const struct nlmsghdr *, void *), void *userdata, bool *changed)
{
	const struct nlmsghdr *m = buffer;
	int left = (int)len;

	for (; is_whole(m, left); m = mnl_nlmsg_next(m, &left)) {
		if (m->nlmsg_seq != sequence)
			continue;
		*changed |= m->nlmsg_flags & NLM_F_DUMP_INTR;
		if (m->nlmsg_type == NLMSG_DONE)
			return *changed ? -EINTR : 1;
		if (m->nlmsg_type != NLMSG_ERROR)
			on_message(m, userdata);
		else if (mnl_nlmsg_get_payload_len(m) < sizeof(struct nlmsgerr))
			return -EPROTO;
		else
			return ack_error(m) ?: 1;
	}
	return 0;
}

/* Reads one list to its end. 0, -EINTR when it changed meanwhile, or -errno. */
static int receive_list(struct netlink *nl, uint32_t sequence,
	void (*on_message)(const struct nlmsghdr *, void *), void *userdata)
{
	_Alignas(NLMSG_ALIGNTO) char buffer[32768];
	bool changed = false;
	size_t total = 0;

	for (;;) {
		ssize_t n = receive_some(nl, buffer, sizeof(buffer));
		int r;

		if (n < 0)
			return (int)n;
		r = netlink_take_list(buffer, (size_t)n, sequence, on_message, userdata, &changed);
		if (r != 0)
			return r < 0 ? r : 0;
		total += (size_t)n;
		if (nl->list_max > 0 && total >= nl->list_max)
			return 0;
	}
}

int netlink_dump(struct netlink *nl, uint16_t type, const void *header, size_t size,
	const char *what, void (*on_message)(const struct nlmsghdr *, void *), void *userdata)
{
	int r = -EINTR;

	/* interfaces come and go with other containers: a list that never holds still is wrong */
	for (int tries = 0; r == -EINTR && tries < 10; tries++) {
		uint32_t sequence = nl->sequence++;
		struct nlmsghdr *request = mnl_nlmsg_put_header(nl->buffer);

		request->nlmsg_type = type;
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		request->nlmsg_seq = sequence;
		memcpy(mnl_nlmsg_put_extra_header(request, size), header, size);
		r = mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0 ? -errno : 0;
		if (r >= 0)
			r = receive_list(nl, sequence, on_message, userdata);
	}
	if (r < 0)
		(void)snprintf(
			nl->why, sizeof(nl->why), "cannot %s: netlink: %s", what, strerror(-r));
	return r;
}

int netlink_index(struct netlink *nl, const char *name)
{
	struct ifreq request = {};

	/* any socket takes the interface ioctls, for the namespace it belongs to */
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(mnl_socket_get_fd(nl->socket), SIOCGIFINDEX, &request) < 0)
		return -errno;
	return request.ifr_ifindex;
}

int netlink_delete_link(struct netlink *nl, int index, const char *name)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = index };

	netlink_begin(nl, RTM_DELLINK, 0, &header, sizeof(header), "delete interface %s", name);
	if (index == 0)
		netlink_put_string(nl, IFLA_IFNAME, name);
	return netlink_commit(nl, NULL, NULL);
}
