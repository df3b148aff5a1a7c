/* SPDX-License-Identifier: MIT */

/* The kernel's answers to a batch of two requests, and its list of interfaces. */

#include "fuzz.h"
#include "host-tools/network/netlink.h"

#include <linux/rtnetlink.h>

static void on_link(const struct nlmsghdr *message, void *userdata)
{
	struct netlink_link link;

	(void)userdata;
	if (netlink_parse_link(message, &link) == 0)
		MUST(strlen(link.name) < sizeof(link.name) &&
			strlen(link.kind) < sizeof(link.kind) &&
			strlen(link.alias) < sizeof(link.alias));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct netlink nl;
	const struct ifinfomsg header = { .ifi_index = 1 };
	bool changed = false;
	int error = 0, r;
	char *buffer = fuzz_text(data, size);

	memset(&nl, 0, sizeof(nl));
	nl.sequence = 1;
	netlink_begin(&nl, RTM_NEWLINK, NLM_F_CREATE, &header, sizeof(header), "make %s", "it");
	netlink_put_string(&nl, IFLA_IFNAME, "eth0");
	netlink_begin(&nl, RTM_GETLINK, NLM_F_ACK, &header, sizeof(header), "look");
	r = netlink_take_answers(&nl, buffer, size, on_link, NULL, &error);
	MUST(r <= 1 && error <= 0);
	MUST(strlen(nl.why) < sizeof(nl.why) && (error < 0) == (nl.why[0] != '\0'));
	r = netlink_take_list(buffer, size, 1, on_link, NULL, &changed);
	MUST(r <= 1);
	free(buffer);
	return 0;
}
