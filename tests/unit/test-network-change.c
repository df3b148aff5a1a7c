/* SPDX-License-Identifier: MIT */

/* From one configuration to another, and halfway back. */

#include "host-tools/network/network.h"

#include "log.h"
#include "netns.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define MAC_SIZE 6

static struct container_config wanted;
static struct config_link extra;

static int setup_pair(void **state)
{
	if (setup(state) < 0)
		return -1;
	wanted = config;
	extra = (struct config_link){ .kind = LINK_VETH, .host = "x-foo", .guest = "extra" };
	return network_setup(&config, guest_ns);
}

/* The number of an interface, which is another when it was made anew. */
static int index_of(int ns, const char *name)
{
	struct netlink_link link;

	return find_link(ns, name, &link) == 0 ? link.index : 0;
}

/* The hardware address that is known behind another address; false: none. */
static void take_mac(const struct nlmsghdr *message, void *arg)
{
	const struct ndmsg *header = (const struct ndmsg *)(message + 1);
	const struct rtattr *attribute = (const struct rtattr *)(header + 1);
	int left = (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof(*header)));

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == NDA_LLADDR)
			memcpy(arg, RTA_DATA(attribute), MAC_SIZE);
}

static bool known(
	int ns, const char *interface, const struct config_address *address, uint8_t ret[MAC_SIZE])
{
	struct netlink nl = {};
	struct ndmsg header = { .ndm_family = (uint8_t)address->family };
	int r;

	memset(ret, 0, MAC_SIZE);
	assert_int_equal(netlink_open(&nl, ns), 0);
	header.ndm_ifindex = netlink_index(&nl, interface);
	netlink_begin(&nl, RTM_GETNEIGH, 0, &header, sizeof(header), "find neighbour");
	netlink_put(&nl, NDA_DST, &address->v6, address->family == AF_INET6 ? 16 : 4);
	r = netlink_commit(&nl, take_mac, ret);
	netlink_close(&nl);
	return r == 0;
}

static void assert_as_before(int host_index, int guest_index)
{
	assert_int_equal(index_of(host_ns, "c-foo"), host_index);
	assert_int_equal(index_of(guest_ns, "eth0"), guest_index);
	assert_true(has_address(host_ns, &config.host_address));
	assert_true(has_address(guest_ns, &config.local_address));
	assert_true(has_address(guest_ns, &config.local_address6));
	assert_false(has_link(host_ns, "x-foo"));
	assert_false(has_link(guest_ns, "extra"));
}

static void addresses_change_in_place(void **state)
{
	int host = index_of(host_ns, "c-foo"), guest = index_of(guest_ns, "eth0");

	set_address(&wanted.local_address, AF_INET, "10.231.0.3", 32);
	set_address(&wanted.host_address6, AF_INET6, "fd12:3456::9", 128);
	assert_int_equal(network_change(&config, &wanted, guest_ns), 0);
	assert_int_equal(index_of(host_ns, "c-foo"), host);
	assert_int_equal(index_of(guest_ns, "eth0"), guest);
	assert_false(has_address(guest_ns, &config.local_address));
	assert_true(has_address(guest_ns, &wanted.local_address));
	assert_false(has_address(host_ns, &config.host_address6));
	assert_true(has_address(host_ns, &wanted.host_address6));
	assert_int_equal(network_change(&wanted, &config, guest_ns), 0);
	assert_as_before(host, guest);
	assert_string_equal(logged(), "");
}

/* Otherwise the host goes on sending to the old one until it has asked three times in vain. */
static void the_host_knows_a_new_hardware_address(void **state)
{
	const uint8_t mac[MAC_SIZE] = { 2, 0, 0, 0, 0x31, 2 };
	uint8_t before[MAC_SIZE], after[MAC_SIZE];

	assert_true(known(host_ns, "c-foo", &config.local_address, before));
	memcpy(wanted.mac_address, mac, MAC_SIZE);
	assert_int_equal(network_change(&config, &wanted, guest_ns), 0);
	assert_true(known(host_ns, "c-foo", &config.local_address, after));
	assert_memory_equal(after, mac, MAC_SIZE);
	assert_true(known(host_ns, "c-foo", &config.local_address6, after));
	assert_memory_equal(after, mac, MAC_SIZE);
	assert_int_equal(network_change(&wanted, &config, guest_ns), 0);
	assert_true(known(host_ns, "c-foo", &config.local_address, after));
	assert_memory_equal(after, before, MAC_SIZE);
}

/* An address's neighbours go with the last address of their family, at either end. */
static void both_ends_know_each_other_again(void **state)
{
	uint8_t mac[MAC_SIZE];

	set_address(&wanted.host_address, AF_INET, "10.231.0.8", 32);
	set_address(&wanted.local_address, AF_INET, "10.231.0.3", 32);
	assert_int_equal(network_change(&config, &wanted, guest_ns), 0);
	assert_true(known(host_ns, "c-foo", &wanted.local_address, mac));
	assert_true(known(guest_ns, "eth0", &wanted.host_address, mac));
	assert_false(known(host_ns, "c-foo", &config.local_address, mac));
	assert_int_equal(network_change(&wanted, &config, guest_ns), 0);
	assert_true(known(host_ns, "c-foo", &config.local_address, mac));
	assert_true(known(guest_ns, "eth0", &config.host_address, mac));
}

static void a_link_that_comes_and_goes(void **state)
{
	int host = index_of(host_ns, "c-foo"), guest = index_of(guest_ns, "eth0");

	wanted.links = &extra;
	wanted.n_links = 1;
	assert_int_equal(network_change(&config, &wanted, guest_ns), 0);
	assert_true(has_link(host_ns, "x-foo"));
	assert_true(has_link(guest_ns, "extra"));
	assert_int_equal(network_change(&wanted, &config, guest_ns), 0);
	assert_as_before(host, guest);
	assert_string_equal(logged(), "");
}

/* systemd-nspawn's names: on a bridge the host's end has another. */
static void a_link_whose_name_on_the_host_changes(void **state)
{
	make_link(host_ns, "br-foo", "bridge");
	config.nspawn_names = true;
	wanted = config;
	extra = (struct config_link){ .kind = LINK_VETH, .host = "x-foo", .guest = "extra" };
	memset(&wanted.host_address, 0, sizeof(wanted.host_address));
	memset(&wanted.host_address6, 0, sizeof(wanted.host_address6));
	strcpy(wanted.bridge, "br-foo");
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_true(has_link(host_ns, "ve-foo"));
	assert_int_equal(network_change(&config, &wanted, guest_ns), 0);
	assert_true(has_link(host_ns, "vb-foo"));
	assert_false(has_link(host_ns, "ve-foo"));
	assert_true(has_address(guest_ns, &wanted.local_address));
	assert_int_equal(network_change(&wanted, &config, guest_ns), 0);
	assert_true(has_link(host_ns, "ve-foo"));
	assert_false(has_link(host_ns, "vb-foo"));
	assert_true(has_address(host_ns, &config.host_address));
	/* what fails afterwards brings the first one back */
	strcpy(extra.bridge, "nobridge");
	wanted.links = &extra;
	wanted.n_links = 1;
	assert_true(network_change(&config, &wanted, guest_ns) < 0);
	assert_logged("there is no bridge 'nobridge'");
	assert_true(has_link(host_ns, "ve-foo"));
	assert_true(has_address(guest_ns, &config.local_address));
}

/* Addresses first, then a link that can't be made: all is taken back. */
static void what_fails_halfway_is_taken_back(void **state)
{
	int host = index_of(host_ns, "c-foo"), guest = index_of(guest_ns, "eth0");
	uint8_t mac[MAC_SIZE];

	set_address(&wanted.host_address, AF_INET, "10.231.0.8", 32);
	set_address(&wanted.local_address, AF_INET, "10.231.0.3", 32);
	strcpy(extra.bridge, "nobridge");
	wanted.links = &extra;
	wanted.n_links = 1;
	assert_true(network_change(&config, &wanted, guest_ns) < 0);
	assert_logged("there is no bridge 'nobridge'");
	assert_as_before(host, guest);
	assert_false(has_address(guest_ns, &wanted.local_address));
	assert_false(has_address(host_ns, &wanted.host_address));
	assert_true(known(host_ns, "c-foo", &config.local_address, mac));
	assert_true(known(guest_ns, "eth0", &config.host_address, mac));
}

static uint32_t mtu_of(int ns, const char *name)
{
	struct netlink_link link;

	assert_int_equal(find_link(ns, name, &link), 0);
	return link.mtu;
}

/* One link, whose MTU is changed when its address turns out to be none. */
static void a_link_that_fails_halfway_is_changed_back(void **state)
{
	int host = index_of(host_ns, "c-foo"), guest = index_of(guest_ns, "eth0");

	wanted.mtu = 1400;
	set_address(&wanted.local_address, AF_INET, "10.231.0.3", 33);
	assert_true(network_change(&config, &wanted, guest_ns) < 0);
	assert_logged("10.231.0.3/33");
	assert_as_before(host, guest);
	assert_int_equal(mtu_of(host_ns, "c-foo"), 1500);
	assert_int_equal(mtu_of(guest_ns, "eth0"), 1500);
}

/* The guest's root may have removed or renamed what is to change: neither hinders, none is undone.
 */
static void what_the_guest_has_done_is_no_obstacle(void **state)
{
	struct netlink nl = {};
	struct ifinfomsg header = { .ifi_index = index_of(guest_ns, "eth0") };

	assert_int_equal(netlink_open(&nl, guest_ns), 0);
	netlink_begin(&nl, RTM_SETLINK, 0, &header, sizeof(header), "rename");
	netlink_put_string(&nl, IFLA_IFNAME, "mine");
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
	wanted.mtu = 1400;
	set_address(&wanted.local_address, AF_INET, "10.231.0.3", 32);
	assert_int_equal(network_change(&config, &wanted, guest_ns), 0);
	assert_true(has_address(guest_ns, &wanted.local_address));
	assert_int_equal(index_of(guest_ns, "mine"), header.ifi_index);
}

static void a_link_that_is_gone_is_an_error(void **state)
{
	struct netlink nl = {};

	assert_int_equal(netlink_open(&nl, host_ns), 0);
	assert_int_equal(netlink_delete_link(&nl, 0, "c-foo"), 0);
	netlink_close(&nl);
	wanted.mtu = 1400;
	assert_true(network_change(&config, &wanted, guest_ns) < 0);
	assert_logged("c-foo: No such device: restart the container");
}

#define CHANGE(f) cmocka_unit_test_setup_teardown(f, setup_pair, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANGE(addresses_change_in_place),
		CHANGE(the_host_knows_a_new_hardware_address),
		CHANGE(both_ends_know_each_other_again),
		CHANGE(a_link_that_comes_and_goes),
		TEST(a_link_whose_name_on_the_host_changes),
		CHANGE(what_fails_halfway_is_taken_back),
		CHANGE(a_link_that_fails_halfway_is_changed_back),
		CHANGE(what_the_guest_has_done_is_no_obstacle),
		CHANGE(a_link_that_is_gone_is_an_error),
	};

	log_init("test-network-change");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
