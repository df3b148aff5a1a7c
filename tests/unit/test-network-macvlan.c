/* SPDX-License-Identifier: MIT */

/* Interfaces inside on top of one of the host's: made, refused, taken away. */

#include "host-tools/network/network-link.h"

#include "log.h"
#include "netns.h"

#include <errno.h>

#define LINK(k, ...) ((struct config_link){ .kind = (k), .guest = "mv", __VA_ARGS__ })

static struct network network;

static int setup_network(void **state)
{
	if (setup(state) < 0)
		return -1;
	make_stranger("wire", NULL, NULL);
	network = (struct network){ .config = &config, .netns_fd = guest_ns };
	return network_open(&network);
}

static int teardown_network(void **state)
{
	network_close(&network);
	return teardown(state);
}

static void request(uint16_t type, int index, uint16_t attribute, const char *text)
{
	struct ifinfomsg header = { .ifi_index = index };

	netlink_begin(&network.guest, type, 0, &header, sizeof(header), "change %d", index);
	netlink_put_string(&network.guest, attribute, text);
	assert_int_equal(netlink_commit(&network.guest, NULL, NULL), 0);
}

static void is_born_inside_and_up(void **state)
{
	struct config_link link = LINK(LINK_MACVLAN, .host = "wire", .mtu = 1400);
	uint8_t mac[MAC_SIZE];
	struct netlink_link got;

	set_address(&link.local_address, AF_INET, "10.231.7.2", 24);
	assert_int_equal(macvlan_set_up(&network, &link), 0);
	assert_int_equal(find_link(guest_ns, "mv", &got), 0);
	assert_string_equal(got.kind, "macvlan");
	assert_true(got.flags & IFF_UP);
	assert_int_equal(got.mtu, 1400);
	/* the same at every start, and nobody else's */
	identity_mac("foo", "mv", mac);
	assert_memory_equal(got.mac, mac, MAC_SIZE);
	assert_false(has_link(host_ns, "mv"));
	assert_true(has_link(host_ns, "wire"));
	assert_int_equal(macvlan_remove(&network, &link), 0);
	assert_false(has_link(guest_ns, "mv"));
	assert_true(has_link(host_ns, "wire"));
	assert_string_equal(logged(), "");
}

static void has_the_hardware_address_that_is_written(void **state)
{
	struct config_link link =
		LINK(LINK_MACVLAN, .host = "wire", .mac_address = { 2, 0, 0, 0, 0x31, 7 });
	struct netlink_link got;

	assert_int_equal(macvlan_set_up(&network, &link), 0);
	assert_int_equal(find_link(guest_ns, "mv", &got), 0);
	assert_memory_equal(got.mac, link.mac_address, MAC_SIZE);
}

static void an_interface_that_is_not_there(void **state)
{
	struct config_link link = LINK(LINK_MACVLAN, .host = "nowire");

	assert_int_equal(macvlan_set_up(&network, &link), -ENODEV);
	assert_logged("MACVLAN=nowire: there is no interface 'nowire' on the host");
	link.kind = LINK_IPVLAN;
	assert_int_equal(macvlan_set_up(&network, &link), -ENODEV);
	assert_logged("IPVLAN=nowire: there is no interface 'nowire' on the host");
	assert_false(has_link(guest_ns, "mv"));
}

/* The kernel refuses after the interface was made: nothing of it stays. */
static void what_fails_halfway_leaves_nothing(void **state)
{
	struct config_link link = LINK(LINK_MACVLAN, .host = "wire");

	set_address(&link.local_address, AF_INET, "10.231.7.2", 33);
	assert_true(macvlan_set_up(&network, &link) < 0);
	assert_logged("10.231.7.2/33");
	assert_false(has_link(guest_ns, "mv"));
	/* and it can be tried again */
	link.local_address.prefix = 24;
	assert_int_equal(macvlan_set_up(&network, &link), 0);
}

static void a_name_that_is_taken_inside(void **state)
{
	struct config_link link = LINK(LINK_MACVLAN, .host = "wire");
	struct netlink_link got;

	make_link(guest_ns, "mv", "bridge");
	assert_true(macvlan_set_up(&network, &link) < 0);
	assert_logged("cannot create the macvlan mv on wire in the container");
	assert_int_equal(find_link(guest_ns, "mv", &got), 0);
	assert_string_equal(got.kind, "bridge");
}

/* The guest's root has renamed it, and made something else of its name, which is not ours. */
static void only_its_own_kind_is_removed(void **state)
{
	struct config_link link = LINK(LINK_MACVLAN, .host = "wire");
	struct netlink_link got;

	assert_int_equal(macvlan_set_up(&network, &link), 0);
	assert_int_equal(find_link(guest_ns, "mv", &got), 0);
	request(RTM_SETLINK, got.index, IFLA_IFNAME, "mine");
	assert_int_equal(macvlan_remove(&network, &link), 0); /* gone is fine */
	make_link(guest_ns, "mv", "bridge");
	assert_int_equal(macvlan_remove(&network, &link), 0);
	assert_true(has_link(guest_ns, "mv"));
	assert_true(has_link(guest_ns, "mine"));
	assert_string_equal(logged(), "");
}

#define NETWORK(f) cmocka_unit_test_setup_teardown(f, setup_network, teardown_network)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NETWORK(is_born_inside_and_up),
		NETWORK(has_the_hardware_address_that_is_written),
		NETWORK(an_interface_that_is_not_there),
		NETWORK(what_fails_halfway_leaves_nothing),
		NETWORK(a_name_that_is_taken_inside),
		NETWORK(only_its_own_kind_is_removed),
	};

	log_init("test-network-macvlan");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
