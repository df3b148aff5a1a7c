/* SPDX-License-Identifier: MIT */

/* Addresses and routes, and that traffic passes at once. */

#include "host-tools/network/network.h"

#include "fd.h"
#include "log.h"
#include "netns.h"
#include "traffic.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* 0, or the errno of routing a datagram to `to`; *ret_source is its source address. */
static int route(int ns, int family, const char *to, union address *ret_source)
{
	struct config_address address = {};
	_cleanup_close_ int s = make_socket(ns, family, SOCK_DGRAM);
	union address sockaddr = {};
	socklen_t size;

	memset(ret_source, 0, sizeof(*ret_source));
	set_address(&address, family, to, 0);
	size = make_sockaddr(&address, &sockaddr);
	sockaddr.v4.sin_port = htons(9);
	if (connect(s, &sockaddr.any, size) < 0)
		return errno;
	size = sizeof(*ret_source);
	assert_int_equal(getsockname(s, &ret_source->any, &size), 0);
	return 0;
}

/* Who asks for a hardware address in vain asks again after the deadline only. */
static void ask_once(int ns, const char *interface)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	char path[128];

	enter(ns);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/neigh/%s/retrans_time_ms",
			families[i], interface);
		assert_int_equal(file_write_string(AT_FDCWD, path, "60000"), 0);
	}
	enter(host_ns);
}

static void reachable_at_once(bool v6, bool guest_first)
{
	assert_int_equal(network_setup(&config, guest_ns), 0);
	ask_once(host_ns, "c-foo");
	ask_once(guest_ns, "eth0");
	if (v6)
		assert_reachable(&config.host_address6, &config.local_address6, guest_first);
	else
		assert_reachable(&config.host_address, &config.local_address, guest_first);
	assert_string_equal(logged(), "");
}

static void v4_from_host(void **state)
{
	reachable_at_once(false, false);
}

static void v4_from_guest(void **state)
{
	reachable_at_once(false, true);
}

static void v6_from_host(void **state)
{
	reachable_at_once(true, false);
}

static void v6_from_guest(void **state)
{
	reachable_at_once(true, true);
}

/* 0 or -ENOENT. */
static int find_neighbour(int ns, const char *interface, const struct config_address *address)
{
	struct netlink nl = {};
	struct ndmsg header = { .ndm_family = (uint8_t)address->family };
	int r;

	assert_int_equal(netlink_open(&nl, ns), 0);
	header.ndm_ifindex = netlink_index(&nl, interface);
	netlink_begin(&nl, RTM_GETNEIGH, 0, &header, sizeof(header), "find neighbour");
	netlink_put(&nl, NDA_DST, &address->v6,
		address->family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4));
	r = netlink_commit(&nl, NULL, NULL);
	netlink_close(&nl);
	return r;
}

static void ends_know_each_other(void **state)
{
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_neighbour(host_ns, "c-foo", &config.local_address), 0);
	assert_int_equal(find_neighbour(guest_ns, "eth0", &config.host_address), 0);
	assert_int_equal(find_neighbour(host_ns, "c-foo", &config.local_address6), 0);
	assert_int_equal(find_neighbour(guest_ns, "eth0", &config.host_address6), 0);
}

/* Parts of IPv6 that the kernel sets up in a worker are lost once in a while only. */
static void v6_again_and_again(void **state)
{
	for (int i = 0; i < 20; i++) {
		renew_guest();
		reachable_at_once(true, i % 2 == 0);
		assert_int_equal(network_cleanup("foo"), 0);
	}
}

static void written_prefixes_are_kept(void **state)
{
	union address source;

	set_address(&config.host_address, AF_INET, "10.231.0.1", 24);
	set_address(&config.local_address, AF_INET, "10.231.0.2", 24);
	set_address(&config.host_address6, AF_INET6, "fd12:3456::1", 64);
	set_address(&config.local_address6, AF_INET6, "fd12:3456::2", 64);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_reachable(&config.host_address, &config.local_address, false);
	assert_reachable(&config.host_address6, &config.local_address6, false);
	/* the rest of the subnet is on c-foo */
	assert_int_equal(route(host_ns, AF_INET, "10.231.0.99", &source), 0);
	assert_same_host(&source, &config.host_address);
	assert_int_equal(route(host_ns, AF_INET6, "fd12:3456::99", &source), 0);
	assert_same_host(&source, &config.host_address6);
}

static void without_a_prefix_there_is_no_subnet(void **state)
{
	union address source;

	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(route(host_ns, AF_INET, "10.231.0.99", &source), ENETUNREACH);
	assert_int_equal(route(host_ns, AF_INET6, "fd12:3456::99", &source), ENETUNREACH);
}

static void default_route_is_through_the_host(void **state)
{
	union address source;

	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(route(guest_ns, AF_INET, "192.0.2.1", &source), 0);
	assert_same_host(&source, &config.local_address);
	assert_int_equal(route(guest_ns, AF_INET6, "2001:db8::1", &source), 0);
	assert_same_host(&source, &config.local_address6);
}

static void only_local_address(void **state)
{
	union address source;

	config.host_address = config.host_address6 = (struct config_address){};
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(route(guest_ns, AF_INET, "10.231.0.2", &source), 0);
	assert_int_equal(route(guest_ns, AF_INET, "192.0.2.1", &source), ENETUNREACH);
	assert_int_equal(route(guest_ns, AF_INET6, "2001:db8::1", &source), ENETUNREACH);
	assert_string_equal(logged(), "");
}

static void only_host_address(void **state)
{
	union address source;

	config.local_address = config.local_address6 = (struct config_address){};
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(route(host_ns, AF_INET, "10.231.0.1", &source), 0);
	assert_int_equal(route(host_ns, AF_INET, "10.231.0.2", &source), ENETUNREACH);
	assert_int_equal(route(guest_ns, AF_INET, "192.0.2.1", &source), ENETUNREACH);
	assert_int_equal(route(guest_ns, AF_INET6, "2001:db8::1", &source), ENETUNREACH);
	assert_true(has_link(guest_ns, "eth0"));
}

static void one_family(void **state)
{
	union address source;

	config.host_address = config.local_address = (struct config_address){};
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_reachable(&config.host_address6, &config.local_address6, true);
	assert_int_equal(route(guest_ns, AF_INET, "192.0.2.1", &source), ENETUNREACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v4_from_host),
		TEST(v4_from_guest),
		TEST(v6_from_host),
		TEST(v6_from_guest),
		TEST(v6_again_and_again),
		TEST(ends_know_each_other),
		TEST(written_prefixes_are_kept),
		TEST(without_a_prefix_there_is_no_subnet),
		TEST(default_route_is_through_the_host),
		TEST(only_local_address),
		TEST(only_host_address),
		TEST(one_family),
	};

	log_init("test-network-address");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
