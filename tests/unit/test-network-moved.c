/* SPDX-License-Identifier: MIT */

/* An interface of the host's in a container, and back as it was, whatever has happened to it. */

#include "host-tools/network/network-link.h"
#include "host-tools/network/network-record.h"

#include "scratch.h"

#include "log.h"
#include "netns.h"

#include <errno.h>

#define PRIVATE "/run/narthex/foo/private"
#define LINK(h, g) ((struct config_link){ .kind = LINK_INTERFACE, .host = (h), .guest = (g) })

static const uint8_t card_mac[MAC_SIZE] = { 2, 0, 0, 0, 0x31, 9 };
static struct network network;
static struct netlink_link card; /* what it is before */
static struct config_address address;

/* One request about an interface; attribute 0: none. */
static void request(int ns, uint16_t type, struct ifinfomsg *header, uint16_t attribute,
	const void *data, size_t size)
{
	struct netlink nl = {};

	assert_int_equal(netlink_open(&nl, ns), 0);
	netlink_begin(&nl, type, type == RTM_NEWLINKPROP ? NLM_F_CREATE | NLM_F_EXCL : 0, header,
		sizeof(*header), "change");
	if (type == RTM_NEWLINKPROP) {
		struct nlattr *nest = netlink_nest(&nl, IFLA_PROP_LIST, NULL, 0);

		netlink_put(&nl, attribute, data, size);
		netlink_nest_end(&nl, nest);
	} else if (attribute) {
		netlink_put(&nl, attribute, data, size);
	}
	if (netlink_commit(&nl, NULL, NULL) < 0)
		fail_msg("%s", nl.why);
	netlink_close(&nl);
}

static struct ifinfomsg about(int ns, const char *name)
{
	struct netlink_link link;

	assert_int_equal(find_link(ns, name, &link), 0);
	return (struct ifinfomsg){ .ifi_index = link.index };
}

static void set_word(int ns, const char *name, uint16_t attribute, const char *text)
{
	struct ifinfomsg header = about(ns, name);

	request(ns, attribute == IFLA_ALT_IFNAME ? RTM_NEWLINKPROP : RTM_SETLINK, &header,
		attribute, text, strlen(text) + 1);
}

static void set_up_or_down(int ns, const char *name, bool up)
{
	struct ifinfomsg header = about(ns, name);

	header.ifi_flags = up ? IFF_UP : 0;
	header.ifi_change = IFF_UP;
	request(ns, RTM_SETLINK, &header, 0, NULL, 0);
}

static void put_address(int ns, const char *name)
{
	struct ifaddrmsg header = { .ifa_family = AF_INET, .ifa_prefixlen = 24 };
	struct netlink nl = {};

	assert_int_equal(netlink_open(&nl, ns), 0);
	header.ifa_index = (uint32_t)netlink_index(&nl, name);
	netlink_begin(&nl, RTM_NEWADDR, NLM_F_CREATE, &header, sizeof(header), "add");
	netlink_put(&nl, IFA_LOCAL, &address.v4, sizeof(address.v4));
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
}

static int setup_card(void **state)
{
	uint32_t mtu = 1400, master;
	struct ifinfomsg header;

	if (setup(state) < 0)
		return -1;
	(void)mkdir("/run/narthex", 0755);
	(void)mkdir("/run/narthex/foo", 0755);
	(void)mkdir(PRIVATE, 0700);
	set_address(&address, AF_INET, "10.231.9.1", 24);
	make_link(host_ns, "br0", "bridge");
	make_stranger("card", card_mac, NULL);
	header = about(host_ns, "card");
	master = (uint32_t)about(host_ns, "br0").ifi_index;
	request(host_ns, RTM_SETLINK, &header, IFLA_MTU, &mtu, sizeof(mtu));
	request(host_ns, RTM_SETLINK, &header, IFLA_MASTER, &master, sizeof(master));
	set_word(host_ns, "card", IFLA_IFALIAS, "the wire");
	set_word(host_ns, "card", IFLA_ALT_IFNAME, "a-name-of-its-own");
	set_up_or_down(host_ns, "card", true);
	put_address(host_ns, "card");
	assert_int_equal(find_link(host_ns, "card", &card), 0);
	network = (struct network){ .config = &config, .netns_fd = guest_ns };
	return network_open(&network);
}

static int teardown_card(void **state)
{
	network_close(&network);
	/* whatever the test was about: nothing is left of it */
	assert_int_equal(count_entries(PRIVATE), 0);
	assert_int_equal(count_mounts(PRIVATE), 0);
	return teardown(state);
}

static void assert_is_back(const char *name)
{
	struct record_link now;
	struct netlink_link link;
	struct netlink nl = {};

	assert_int_equal(find_link(host_ns, name, &link), 0);
	assert_int_equal(netlink_open(&nl, host_ns), 0);
	assert_int_equal(record_take_link(&nl, link.index, &now), 0);
	netlink_close(&nl);
	assert_string_equal(link.alias, card.alias);
	assert_memory_equal(link.mac, card_mac, MAC_SIZE);
	assert_int_equal(link.mtu, card.mtu);
	assert_int_equal(link.master, card.master);
	assert_true(link.flags & IFF_UP);
	assert_int_equal(now.n_altnames, 1);
	assert_string_equal(now.altnames[0], "a-name-of-its-own");
	assert_true(has_address(host_ns, &address));
}

static void there_and_back(void **state)
{
	struct config_link link = LINK("card", "lan");
	struct netlink_link inside;

	set_address(&link.local_address, AF_INET, "10.231.7.2", 24);
	assert_int_equal(moved_set_up(&network, &link), 0);
	assert_false(has_link(host_ns, "card"));
	assert_int_equal(find_link(guest_ns, "lan", &inside), 0);
	assert_true(inside.flags & IFF_UP);
	assert_true(has_address(guest_ns, &link.local_address));
	assert_int_equal(count_entries(PRIVATE), 2);
	assert_int_equal(moved_remove(&network, &link), 0);
	assert_false(has_link(guest_ns, "lan"));
	assert_is_back("card");
	assert_int_equal(about(host_ns, "card").ifi_index, card.index);
	assert_string_equal(logged(), "");
	/* there is nothing more to give back */
	assert_int_equal(moved_give_back("foo", NULL), 0);
	assert_int_equal(moved_give_back("nobody", NULL), 0);
}

/* The launcher is dead, and so are the guest's processes: the mount keeps the namespace. */
static void the_namespace_is_kept(void **state)
{
	struct config_link link = LINK("card", "lan");

	assert_int_equal(moved_set_up(&network, &link), 0);
	network_close(&network);
	close_fdp(&guest_ns);
	assert_int_equal(moved_give_back("foo", NULL), 0);
	assert_is_back("card");
}

static void what_the_guest_has_done_is_undone(void **state)
{
	static const uint8_t mac[MAC_SIZE] = { 2, 0, 0, 0, 0, 0x66 };
	struct config_link link = LINK("card", "lan");
	struct ifinfomsg header;
	uint32_t mtu = 1280, bridge;

	assert_int_equal(moved_set_up(&network, &link), 0);
	make_link(guest_ns, "trap", "bridge");
	bridge = (uint32_t)about(guest_ns, "trap").ifi_index;
	header = about(guest_ns, "lan");
	set_up_or_down(guest_ns, "lan", false);
	request(guest_ns, RTM_SETLINK, &header, IFLA_ADDRESS, mac, sizeof(mac));
	request(guest_ns, RTM_SETLINK, &header, IFLA_MTU, &mtu, sizeof(mtu));
	request(guest_ns, RTM_SETLINK, &header, IFLA_MASTER, &bridge, sizeof(bridge));
	set_word(guest_ns, "lan", IFLA_IFALIAS, "narthex:other");
	/* one that would keep it in there: the host has it */
	set_word(guest_ns, "lan", IFLA_ALT_IFNAME, "br0");
	set_word(guest_ns, "lan", IFLA_IFNAME, "mine");
	/* and something else of its name */
	make_link(guest_ns, "lan", "bridge");
	assert_int_equal(moved_remove(&network, &link), 0);
	assert_is_back("card");
	assert_false(has_link(guest_ns, "mine"));
	assert_true(has_link(guest_ns, "lan"));
	assert_string_equal(logged(), "");
}

static void its_name_is_taken_meanwhile(void **state)
{
	struct config_link link = LINK("card", "lan");
	struct netlink_link inside;
	char name[IFNAMSIZ];

	assert_int_equal(moved_set_up(&network, &link), 0);
	assert_int_equal(find_link(guest_ns, "lan", &inside), 0);
	make_link(host_ns, "card", "bridge");
	assert_int_equal(moved_remove(&network, &link), 0);
	(void)snprintf(name, sizeof(name), "dev%d", inside.index);
	assert_is_back(name);
	assert_logged("interface card comes back as dev");
}

static void one_that_the_guest_has_deleted(void **state)
{
	struct config_link link = LINK("card", "lan");
	struct ifinfomsg header;
	struct netlink nl = {};
	struct nlattr *nest;

	assert_int_equal(moved_set_up(&network, &link), 0);
	header = about(guest_ns, "lan");
	assert_int_equal(netlink_open(&nl, guest_ns), 0);
	assert_int_equal(netlink_delete_link(&nl, 0, "lan"), 0);
	netlink_close(&nl);
	/* another with its name and its number, but of another kind, is not it */
	assert_int_equal(netlink_open(&nl, guest_ns), 0);
	netlink_begin(&nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), "make");
	netlink_put_string(&nl, IFLA_IFNAME, "lan");
	nest = netlink_nest(&nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(&nl, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(&nl, nest);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
	assert_int_equal(moved_remove(&network, &link), 0);
	assert_logged("interface card can't be given back: the container has deleted it");
	assert_false(has_link(host_ns, "card"));
	assert_true(has_link(guest_ns, "lan"));
}

/* Each has its record, and the namespace is kept until the last is back. */
static void one_of_two(void **state)
{
	struct config_link link = LINK("card", "lan"), other = LINK("second", "wan");

	make_stranger("second", NULL, NULL);
	assert_int_equal(moved_set_up(&network, &link), 0);
	assert_int_equal(moved_set_up(&network, &other), 0);
	assert_int_equal(count_entries(PRIVATE), 3);
	assert_int_equal(moved_give_back("foo", "wan"), 0);
	assert_true(has_link(host_ns, "second"));
	assert_true(has_link(guest_ns, "lan"));
	assert_int_equal(count_mounts(PRIVATE), 1);
	assert_int_equal(moved_give_back("foo", NULL), 0);
	assert_is_back("card");
}

/* One record that can't be read doesn't keep the others here, and is not thrown away. */
static void a_record_that_is_garbage(void **state)
{
	struct config_link link = LINK("card", "lan");

	assert_int_equal(moved_set_up(&network, &link), 0);
	put_file(PRIVATE "/link-x", "garbage");
	assert_int_equal(moved_give_back("foo", NULL), -EBADMSG);
	assert_logged("cannot read the record 'link-x'");
	assert_is_back("card");
	assert_true(exists(PRIVATE "/link-x"));
	assert_int_equal(unlink(PRIVATE "/link-x"), 0);
	assert_int_equal(moved_give_back("foo", NULL), 0);
}

static void what_fails_halfway_is_given_back(void **state)
{
	struct config_link link = LINK("card", "lan");

	set_address(&link.local_address, AF_INET, "10.231.7.2", 33);
	assert_true(moved_set_up(&network, &link) < 0);
	assert_logged("10.231.7.2/33");
	assert_is_back("card");
	/* a name that is taken inside */
	link.local_address.family = 0;
	make_link(guest_ns, "lan", "bridge");
	assert_true(moved_set_up(&network, &link) < 0);
	assert_logged("move interface card into the container as lan");
	assert_is_back("card");
}

static void what_can_not_be_had(void **state)
{
	struct config_link link = LINK("nocard", "lan");

	assert_int_equal(moved_set_up(&network, &link), -ENODEV);
	assert_logged("Interface=nocard: there is no interface 'nocard' on the host");
	link = LINK("lo", "lan");
	assert_int_equal(moved_set_up(&network, &link), -EBUSY);
	assert_logged("Interface=lo: every namespace has its own");
	make_stranger("c-web", NULL, "narthex:web");
	link = LINK("c-web", "lan");
	assert_int_equal(moved_set_up(&network, &link), -EBUSY);
	assert_logged("Interface=c-web: the link of container 'web'");
	/* a container has it already */
	link = LINK("card", "lan");
	assert_int_equal(moved_set_up(&network, &link), 0);
	link = LINK("card", "wan");
	assert_int_equal(moved_set_up(&network, &link), -ENODEV);
	assert_logged("Interface=card: container 'foo' has this interface");
	assert_int_equal(moved_give_back("foo", NULL), 0);
	assert_is_back("card");
}

#define CARD(f) cmocka_unit_test_setup_teardown(f, setup_card, teardown_card)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CARD(there_and_back),
		CARD(the_namespace_is_kept),
		CARD(what_the_guest_has_done_is_undone),
		CARD(its_name_is_taken_meanwhile),
		CARD(one_that_the_guest_has_deleted),
		CARD(one_of_two),
		CARD(a_record_that_is_garbage),
		CARD(what_fails_halfway_is_given_back),
		CARD(what_can_not_be_had),
	};

	log_init("test-network-moved");
	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
