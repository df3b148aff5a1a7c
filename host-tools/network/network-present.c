/* SPDX-License-Identifier: MIT */

/*
 * Which addresses are in a container's network namespace. Its root may have put any there, and as
 * many as it likes.
 */

#include "network.h"

#include "log.h"
#include "network-link.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define LIST_MAX (1024UL * 1024) /* bytes: some ten thousand addresses */

struct present {
	struct config_address *of;
	size_t n, max;
};

static int take_attribute(const struct nlattr *attribute, void *userdata)
{
	const struct nlattr **of = userdata;

	if (mnl_attr_type_valid(attribute, IFA_MAX) >= 0)
		of[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

/* Whether others should use it: rtnetlink(7), linux/if_addr.h. */
static bool is_usable(const struct ifaddrmsg *header, const struct nlattr *flags)
{
	uint32_t bits = flags && mnl_attr_get_payload_len(flags) == sizeof(bits)
				? mnl_attr_get_u32(flags)
				: header->ifa_flags;

	/* of IPv4 the first of them is IFA_F_SECONDARY, which is as good as any */
	if (header->ifa_family == AF_INET)
		bits &= ~(uint32_t)IFA_F_TEMPORARY;
	return header->ifa_scope == RT_SCOPE_UNIVERSE &&
	       (bits & (IFA_F_TEMPORARY | IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) ==
		       0;
}

static void take_address(const struct nlmsghdr *message, void *userdata)
{
	const struct nlattr *attributes[IFA_MAX + 1] = {}, *address;
	struct present *present = userdata;
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct config_address next;

	if (message->nlmsg_type != RTM_NEWADDR || present->n == present->max ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
		(header->ifa_family != AF_INET && header->ifa_family != AF_INET6) ||
		mnl_attr_parse(message, sizeof(*header), take_attribute, attributes) < 0 ||
		!is_usable(header, attributes[IFA_FLAGS]))
		return;
	/* IFA_ADDRESS is the other end's, where there is another end */
	address = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
	next = (struct config_address){ .family = header->ifa_family,
		.prefix = header->ifa_prefixlen };
	if (!address || mnl_attr_get_payload_len(address) != address_size(&next))
		return;
	memcpy(&next.v6, mnl_attr_get_payload(address), address_size(&next));
	present->of[present->n++] = next;
}

ssize_t network_list_addresses(int netns_fd, struct config_address *ret, size_t max)
{
	struct present present = { .of = ret, .max = max };
	struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };
	struct netlink netlink = {};
	int r = netlink_open(&netlink, netns_fd);

	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	netlink.list_max = LIST_MAX;
	r = netlink_dump(&netlink, RTM_GETADDR, &header, sizeof(header),
		"list the container's addresses", take_address, &present);
	if (r < 0)
		log_error("%s", netlink.why);
	netlink_close(&netlink);
	return r < 0 ? r : (ssize_t)present.n;
}
