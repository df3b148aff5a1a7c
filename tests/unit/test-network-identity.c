/* SPDX-License-Identifier: MIT */

/* Names and hardware addresses; what is ours, left over, or a stranger's. */

#include "host-tools/network/network.h"

#include "log.h"
#include "netns.h"
#include "traffic.h"

#include <assert.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#define NAME_15 "fifteen-letters"
#define NAME_16 "sixteen-letters-"
#define NAME_63 "a-name-of-63-letters-which-is-the-longest-that-a-container-hasx"
static_assert(sizeof(NAME_15) == 16 && sizeof(NAME_16) == 17 && sizeof(NAME_63) == 64,
	"lengths of the names");

static void hardware_addresses_are_stable(void **state)
{
	struct netlink_link host, guest, again, other;

	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_link(host_ns, "c-foo", &host), 0);
	assert_int_equal(find_link(guest_ns, "eth0", &guest), 0);
	/* locally administered, unicast */
	assert_int_equal(host.mac[0] & 3, 2);
	assert_int_equal(guest.mac[0] & 3, 2);
	assert_memory_not_equal(host.mac, guest.mac, 6);

	renew_guest();
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_link(guest_ns, "eth0", &again), 0);
	assert_memory_equal(again.mac, guest.mac, 6);
	assert_int_equal(find_link(host_ns, "c-foo", &again), 0);
	assert_memory_equal(again.mac, host.mac, 6);

	config.name = (char *)"fop";
	set_address(&config.local_address, AF_INET, "10.231.0.3", 32);
	set_address(&config.local_address6, AF_INET6, "fd12:3456::3", 128);
	renew_guest();
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_link(guest_ns, "eth0", &other), 0);
	assert_memory_not_equal(other.mac, guest.mac, 6);
}

static void configured_hardware_address(void **state)
{
	struct netlink_link link;

	memcpy(config.mac_address, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_link(guest_ns, "eth0", &link), 0);
	assert_memory_equal(link.mac, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	assert_int_equal(find_link(host_ns, "c-foo", &link), 0);
	assert_memory_not_equal(link.mac, "\x02\xaa\xbb\xcc\xdd\xee", 6);
}

/* The altname must be findable: `ip link show c-LONGNAME` asks like this. */
static int find_altname(const char *altname)
{
	struct ifinfomsg header = {};
	struct netlink nl = {};
	int r;

	assert_int_equal(netlink_open(&nl, -1), 0);
	netlink_begin(&nl, RTM_GETLINK, 0, &header, sizeof(header), "find %s", altname);
	netlink_put_string(&nl, IFLA_ALT_IFNAME, altname);
	r = netlink_commit(&nl, NULL, NULL);
	netlink_close(&nl);
	return r;
}

static void names_of_all_lengths(void **state)
{
	const char *names[] = { "x", "thirteen-1234", NAME_15, NAME_16, NAME_63 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct netlink_link link;
		char full[ALTNAME_SIZE], alias[128];

		(void)snprintf(full, sizeof(full), "c-%s", names[i]);
		(void)snprintf(alias, sizeof(alias), "narthex:%s", names[i]);
		config.name = (char *)names[i];
		renew_guest();
		assert_int_equal(network_setup(&config, guest_ns), 0);
		assert_int_equal(find_link(host_ns, interface_of(names[i]), &link), 0);
		assert_string_equal(link.alias, alias);
		if (strlen(full) < IFNAMSIZ)
			assert_string_equal(link.name, full);
		else
			assert_int_equal(find_altname(full), 0);
		assert_reachable(&config.host_address6, &config.local_address6, false);
		assert_int_equal(network_cleanup(names[i]), 0);
		assert_false(has_link(host_ns, interface_of(names[i])));
		assert_int_equal(find_altname(full), -ENODEV);
	}
	assert_string_equal(logged(), "");
}

static void long_names_with_a_common_prefix(void **state)
{
	const char *names[] = { "a-common-prefix-one", "a-common-prefix-two" };
	_cleanup_close_ int first_guest = -EBADF;
	char first[IFNAMSIZ];

	config.name = (char *)names[0];
	assert_int_equal(network_setup(&config, guest_ns), 0);
	(void)snprintf(first, sizeof(first), "%s", interface_of(names[0]));
	first_guest = TAKE_FD(guest_ns);

	renew_guest();
	config.name = (char *)names[1];
	set_address(&config.local_address, AF_INET, "10.231.0.3", 32);
	set_address(&config.local_address6, AF_INET6, "fd12:3456::3", 128);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_string_not_equal(first, interface_of(names[1]));
	assert_true(has_link(host_ns, first));
	/* the two have the same HostAddress: the host routes tell them apart */
	assert_reachable(&config.host_address, &config.local_address, false);
	close_fdp(&guest_ns);
	guest_ns = TAKE_FD(first_guest);
	set_address(&config.local_address, AF_INET, "10.231.0.2", 32);
	assert_reachable(&config.host_address, &config.local_address, false);
}

static void add_altname(const char *interface, const char *altname)
{
	struct netlink nl = {};
	struct ifinfomsg header = {};
	struct nlattr *list;

	assert_int_equal(netlink_open(&nl, -1), 0);
	header.ifi_index = netlink_index(&nl, interface);
	netlink_begin(&nl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"set altname");
	list = netlink_nest(&nl, IFLA_PROP_LIST, NULL, 0);
	netlink_put_string(&nl, IFLA_ALT_IFNAME, altname);
	netlink_nest_end(&nl, list);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
}

static void leftover_is_replaced(void **state)
{
	_cleanup_close_ int old_guest = -EBADF;

	assert_int_equal(network_setup(&config, guest_ns), 0);
	old_guest = TAKE_FD(guest_ns); /* keeps the old pair alive */
	renew_guest();
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_reachable(&config.host_address, &config.local_address, true);
	assert_false(has_link(old_guest, "eth0"));
	assert_logged("removing interface c-foo, left over from an earlier start");
}

static void leftover_from_before_the_alias_is_replaced(void **state)
{
	struct netlink_link link;

	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_link(host_ns, "c-foo", &link), 0);
	assert_int_equal(network_cleanup("foo"), 0);
	make_stranger("c-foo", link.mac, NULL);
	renew_guest();
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_true(has_link(guest_ns, "eth0"));
}

static void dying_namespace_is_no_hindrance(void **state)
{
	for (int i = 0; i < 20; i++) {
		/* the kernel tears the last one down in the background */
		renew_guest();
		assert_int_equal(network_setup(&config, guest_ns), 0);
	}
}

static void assert_stranger_stays(const char *name, const char *part)
{
	struct netlink_link before, after;

	assert_int_equal(find_link(host_ns, name, &before), 0);
	config.name = (char *)"foo";
	assert_int_equal(network_setup(&config, guest_ns), -EEXIST);
	assert_logged(part);
	assert_int_equal(network_cleanup("foo"), 0);
	assert_int_equal(find_link(host_ns, name, &after), 0);
	assert_int_equal(after.index, before.index);
	assert_string_equal(after.alias, before.alias);
	assert_false(has_link(guest_ns, "eth0"));
}

static void stranger_is_left_alone(void **state)
{
	make_stranger("c-foo", NULL, NULL);
	assert_stranger_stays("c-foo",
		"cannot create interface c-foo: the name is taken by c-foo (kind 'veth', index ");
}

static void stranger_with_an_alias_is_left_alone(void **state)
{
	make_stranger("c-foo", NULL, "narthex:foobar\033[2J");
	assert_stranger_stays(
		"c-foo", "alias 'narthex:foobar\\x1b[2J'), which is not this container's");
}

static void alias_counts_more_than_the_hardware_address(void **state)
{
	struct netlink_link link;

	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(find_link(host_ns, "c-foo", &link), 0);
	assert_int_equal(network_cleanup("foo"), 0);
	renew_guest();
	make_stranger("c-foo", link.mac, "narthex:bar");
	assert_stranger_stays("c-foo", "alias 'narthex:bar'), which belongs to container 'bar'");
}

static void altname_of_a_stranger(void **state)
{
	make_stranger("wan", NULL, "narthex:foo");
	add_altname("wan", "c-foo");
	assert_stranger_stays("wan", "the name is taken by wan (kind 'veth', index ");
}

static void altname_that_is_taken_leaves_nothing(void **state)
{
	char full[ALTNAME_SIZE];

	config.name = (char *)NAME_16;
	(void)snprintf(full, sizeof(full), "c-%s", config.name);
	add_altname("lo", full);
	assert_int_equal(network_setup(&config, guest_ns), -EEXIST);
	assert_logged("the alternative name c-" NAME_16 ": File exists");
	assert_false(has_link(host_ns, interface_of(config.name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hardware_addresses_are_stable),
		TEST(configured_hardware_address),
		TEST(names_of_all_lengths),
		TEST(long_names_with_a_common_prefix),
		TEST(leftover_is_replaced),
		TEST(leftover_from_before_the_alias_is_replaced),
		TEST(dying_namespace_is_no_hindrance),
		TEST(stranger_is_left_alone),
		TEST(stranger_with_an_alias_is_left_alone),
		TEST(alias_counts_more_than_the_hardware_address),
		TEST(altname_of_a_stranger),
		TEST(altname_that_is_taken_leaves_nothing),
	};

	log_init("test-network-identity");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
