/* SPDX-License-Identifier: MIT */

/* Which of the addresses that a guest has given itself its ports lead to. */

#include "host-tools/network/network-link.h"
#include "host-tools/network/network.h"

#include "fd.h"
#include "log.h"
#include "netns.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static struct config_address chosen, chosen6;

/* A network without addresses of ours; the host's end has one from somebody else. */
static int setup_network(void **state)
{
	struct config_address none = {};

	if (setup(state) < 0)
		return -1;
	chosen = chosen6 = none;
	config.local_address = config.local_address6 = none;
	config.host_address = config.host_address6 = none;
	return network_setup(&config, guest_ns);
}

static void change(
	int ns, uint16_t type, const char *interface, const char *text, int prefix, uint8_t flags)
{
	struct config_address address;
	struct netlink nl = {};
	struct ifaddrmsg header = { .ifa_prefixlen = (uint8_t)prefix, .ifa_flags = flags };

	set_address(&address, strchr(text, ':') ? AF_INET6 : AF_INET, text, prefix);
	assert_int_equal(netlink_open(&nl, ns), 0);
	header.ifa_family = (uint8_t)address.family;
	header.ifa_index = (uint32_t)netlink_index(&nl, interface);
	netlink_begin(&nl, type, NLM_F_CREATE, &header, sizeof(header), "change %s", text);
	netlink_put(&nl, IFA_LOCAL, &address.v6, address_size(&address));
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
}

static void host_brings_up(const char *interface)
{
	struct netlink nl = {};
	struct ifinfomsg header = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	assert_int_equal(netlink_open(&nl, host_ns), 0);
	header.ifi_index = netlink_index(&nl, interface);
	netlink_begin(&nl, RTM_NEWLINK, 0, &header, sizeof(header), "bring %s up", interface);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
}

static void host_has(const char *text, int prefix)
{
	change(host_ns, RTM_NEWADDR, interface_of("foo"), text, prefix, IFA_F_NODAD);
}

static void guest_has(const char *text, int prefix)
{
	change(guest_ns, RTM_NEWADDR, "eth0", text, prefix, IFA_F_NODAD);
}

static void guest_loses(const char *text, int prefix)
{
	change(guest_ns, RTM_DELADDR, "eth0", text, prefix, 0);
}

static void assert_chosen(int reached, const char *address, const char *address6)
{
	char text[INET6_ADDRSTRLEN] = "", text6[INET6_ADDRSTRLEN] = "";

	assert_int_equal(network_find_addresses(&config, guest_ns, &chosen, &chosen6), reached);
	if (chosen.family)
		(void)address_text(&chosen, text);
	if (chosen6.family)
		(void)address_text(&chosen6, text6);
	assert_string_equal(text, address);
	assert_string_equal(text6, address6);
	assert_string_equal(logged(), "");
}

static void none_is_no_fault(void **state)
{
	assert_chosen(1, "", "");
	host_has("10.231.0.1", 24);
	assert_chosen(1, "", "");
}

static void the_first_stays_until_it_goes(void **state)
{
	host_has("10.231.0.1", 24);
	host_has("fd12::1", 64);
	guest_has("10.231.0.7", 24);
	assert_chosen(1, "10.231.0.7", "");
	assert_int_equal(chosen.prefix, 24);
	guest_has("fd12::7", 64);
	/* of IPv6 the kernel lists the newest first */
	guest_has("fd12::8", 64);
	assert_chosen(1, "10.231.0.7", "fd12::8");
	guest_has("fd12::9", 64);
	guest_has("10.231.0.8", 32);
	assert_chosen(1, "10.231.0.7", "fd12::8");
	guest_loses("10.231.0.7", 24);
	guest_loses("fd12::8", 64);
	assert_chosen(1, "10.231.0.8", "fd12::9");
	guest_loses("10.231.0.8", 32);
	assert_chosen(1, "", "fd12::9");
}

/* It may say of itself what it likes. */
static void what_is_not_behind_its_link(void **state)
{
	make_link(host_ns, "wire", "bridge");
	host_brings_up("wire");
	change(host_ns, RTM_NEWADDR, "wire", "192.0.2.1", 24, 0);
	host_has("10.231.0.1", 24);
	guest_has("192.0.2.5", 24);  /* a machine that is elsewhere */
	guest_has("10.231.0.1", 32); /* the host */
	guest_has("127.0.0.5", 32);
	guest_has("203.0.113.5", 24);  /* nobody knows the way */
	guest_has("10.231.0.255", 32); /* all of them */
	assert_chosen(0, "", "");
	guest_has("10.231.0.5", 24);
	assert_chosen(1, "10.231.0.5", "");
	/* the host's way leads elsewhere now */
	change(host_ns, RTM_DELADDR, interface_of("foo"), "10.231.0.1", 24, 0);
	assert_chosen(0, "", "");
}

/* One that is tentative isn't anybody's yet. */
static void what_is_not_in_use_yet(void **state)
{
	host_has("fd12::1", 64);
	/* it stays so for minutes, not for one second */
	enter(guest_ns);
	assert_int_equal(
		file_write_string(AT_FDCWD, "/proc/sys/net/ipv6/conf/eth0/dad_transmits", "250"),
		0);
	enter(host_ns);
	change(guest_ns, RTM_NEWADDR, "eth0", "fd12::7", 64, 0);
	assert_chosen(1, "", "");
}

static void more_than_anybody_has(void **state)
{
	char text[32];

	host_has("10.231.0.1", 16);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "10.231.%d.9", i + 1);
		guest_has(text, 32);
	}
	assert_chosen(1, "10.231.1.9", "");
}

/* A launcher that is killed before it can be noticed leaves nobody behind. */
static void ends_with_the_launcher(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	(void)close(fds[0]);
	assert_int_equal(network_follow(&config, guest_ns, fds[1]), 0);
	(void)close(fds[1]);
	assert_string_equal(logged(), "");
}

#define NETWORK(f) cmocka_unit_test_setup_teardown(f, setup_network, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NETWORK(none_is_no_fault),
		NETWORK(the_first_stays_until_it_goes),
		NETWORK(what_is_not_behind_its_link),
		NETWORK(what_is_not_in_use_yet),
		NETWORK(more_than_anybody_has),
		NETWORK(ends_with_the_launcher),
	};

	log_init("test-network-follow");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
