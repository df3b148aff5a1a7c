/* SPDX-License-Identifier: MIT */

/* Against the kernel, in network namespaces of the test's own. Needs root. */

#include "host-tools/network/netlink.h"

#include "cleanup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct netlink nl;

static int setup(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return netlink_open(&nl, -1);
}

static int teardown(void **state)
{
	netlink_close(&nl);
	return 0;
}

static void add_address(const char *address, uint8_t prefix)
{
	struct ifaddrmsg header = {
		.ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_index = 1
	};
	struct in_addr binary;

	assert_int_equal(inet_pton(AF_INET, address, &binary), 1);
	netlink_begin(&nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"add address %s/%u to lo", address, prefix);
	netlink_put(&nl, IFA_LOCAL, &binary, sizeof(binary));
	netlink_put(&nl, IFA_ADDRESS, &binary, sizeof(binary));
}

static void create_veth(const char *name, const char *peer_name)
{
	struct ifinfomsg header = {};
	struct nlattr *info, *data, *peer;

	netlink_begin(&nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"create %s", name);
	netlink_put_string(&nl, IFLA_IFNAME, name);
	netlink_put(&nl, IFLA_ADDRESS, "\x02\x01\x02\x03\x04\x05", 6);
	info = netlink_nest(&nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(&nl, IFLA_INFO_KIND, "veth");
	data = netlink_nest(&nl, IFLA_INFO_DATA, NULL, 0);
	peer = netlink_nest(&nl, VETH_INFO_PEER, &header, sizeof(header));
	netlink_put_string(&nl, IFLA_IFNAME, peer_name);
	netlink_nest_end(&nl, peer);
	netlink_nest_end(&nl, data);
	netlink_nest_end(&nl, info);
}

static int commit(void)
{
	return netlink_commit(&nl, NULL, NULL);
}

/* Whether an address is there is asked by adding it once more. */
static void assert_has_address(const char *address, bool there)
{
	add_address(address, 32);
	assert_int_equal(commit(), there ? -EEXIST : 0);
}

static void batch_is_carried_out(void **state)
{
	add_address("10.0.0.1", 32);
	add_address("10.0.0.2", 32);
	create_veth("left", "right");
	assert_int_equal(commit(), 0);
	assert_has_address("10.0.0.1", true);
	assert_has_address("10.0.0.2", true);
	assert_true(netlink_index(&nl, "left") > 0);
	assert_true(netlink_index(&nl, "right") > 0);
}

static void empty_batch_is_fine(void **state)
{
	assert_int_equal(commit(), 0);
}

static void failure_tells_request_and_kernel_text(void **state)
{
	add_address("10.0.0.1", 32);
	add_address("10.0.0.2", 33);
	add_address("10.0.0.3", 32);
	add_address("10.0.0.4", 34);
	assert_int_equal(commit(), -EINVAL);
	assert_non_null(
		strstr(nl.why, "cannot add address 10.0.0.2/33 to lo: Invalid argument (kernel: "));
	assert_non_null(strstr(nl.why, "nvalid prefix length"));
	/* the others were carried out, and no answer is left over for the next batch */
	assert_has_address("10.0.0.1", true);
	assert_has_address("10.0.0.3", true);
	assert_has_address("10.0.0.2", false);
}

static void failure_of_the_last_request(void **state)
{
	add_address("10.0.0.1", 32);
	add_address("10.0.0.1", 32);
	assert_int_equal(commit(), -EEXIST);
	assert_non_null(strstr(nl.why, "cannot add address 10.0.0.1/32 to lo: File exists"));
	add_address("10.0.0.2", 32);
	assert_int_equal(commit(), 0);
}

static void failure_names_the_attribute(void **state)
{
	struct ifinfomsg header = { .ifi_index = 1 };

	netlink_begin(&nl, RTM_SETLINK, 0, &header, sizeof(header), "set mtu of lo");
	netlink_put(&nl, IFLA_MTU, "x", 1);
	assert_true(commit() < 0);
	assert_non_null(strstr(nl.why, "cannot set mtu of lo: "));
	assert_non_null(strstr(nl.why, "attribute 4)")); /* IFLA_MTU */
}

static void too_many_requests_send_nothing(void **state)
{
	for (int i = 0; i <= NETLINK_REQUESTS_MAX; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "10.0.1.%d", i);
		add_address(text, 32);
	}
	assert_int_equal(commit(), -ENOBUFS);
	assert_non_null(strstr(nl.why, "cannot add address 10.0.1.0/32 to lo: "));
	assert_has_address("10.0.1.0", false);
}

static void too_long_request_sends_nothing(void **state)
{
	static const char big[NETLINK_BUFFER_SIZE];
	struct ifinfomsg header = { .ifi_index = 1 };
	struct nlattr *nest;

	add_address("10.0.0.1", 32);
	netlink_begin(&nl, RTM_SETLINK, 0, &header, sizeof(header), "do much to lo");
	nest = netlink_nest(&nl, IFLA_LINKINFO, NULL, 0);
	netlink_put(&nl, IFLA_IFALIAS, big, sizeof(big) - 16);
	netlink_put_u32(&nl, IFLA_MTU, 1500);
	netlink_nest_end(&nl, nest);
	assert_int_equal(commit(), -ENOBUFS);
	assert_has_address("10.0.0.1", false);
}

static void link_is_described(void **state)
{
	struct netlink_link link = {};
	struct ifinfomsg header = {};
	struct nlattr *list;

	create_veth("left", "right");
	assert_int_equal(commit(), 0);
	header.ifi_index = netlink_index(&nl, "left");
	netlink_begin(&nl, RTM_SETLINK, 0, &header, sizeof(header), "set alias");
	netlink_put_string(&nl, IFLA_IFALIAS, "some text");
	netlink_begin(&nl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"set altname");
	list = netlink_nest(&nl, IFLA_PROP_LIST, NULL, 0);
	netlink_put_string(&nl, IFLA_ALT_IFNAME, "other");
	netlink_nest_end(&nl, list);
	assert_int_equal(commit(), 0);

	assert_int_equal(netlink_get_link(&nl, "left", &link), 0);
	assert_int_equal(link.index, header.ifi_index);
	assert_string_equal(link.name, "left");
	assert_string_equal(link.kind, "veth");
	assert_string_equal(link.alias, "some text");
	assert_memory_equal(link.mac, "\x02\x01\x02\x03\x04\x05", 6);

	memset(&link, 0, sizeof(link));
	assert_int_equal(netlink_get_link(&nl, "other", &link), 0);
	assert_string_equal(link.name, "left");

	assert_int_equal(netlink_get_link(&nl, "lo", &link), 0);
	assert_int_equal(link.index, 1);
	assert_string_equal(link.kind, "");
	assert_string_equal(link.alias, "");
}

static void missing_link(void **state)
{
	struct netlink_link link = { .index = 77 };

	assert_int_equal(netlink_get_link(&nl, "nothere", &link), -ENODEV);
	assert_int_equal(link.index, 77);
	assert_non_null(strstr(nl.why, "cannot look up interface nothere: No such device"));
	assert_int_equal(netlink_index(&nl, "nothere"), -ENODEV);
}

static void link_is_deleted(void **state)
{
	create_veth("left", "right");
	create_veth("up", "down");
	assert_int_equal(commit(), 0);
	assert_int_equal(netlink_delete_link(&nl, netlink_index(&nl, "left"), "left"), 0);
	assert_int_equal(netlink_index(&nl, "right"), -ENODEV);
	assert_int_equal(netlink_delete_link(&nl, 0, "down"), 0);
	assert_int_equal(netlink_index(&nl, "up"), -ENODEV);
	assert_int_equal(netlink_delete_link(&nl, 0, "down"), -ENODEV);
}

static ino_t own_namespace(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static void socket_in_another_namespace(void **state)
{
	_cleanup_close_ int there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct netlink other = {};
	ino_t here;

	assert_true(there >= 0);
	create_veth("left", "right");
	assert_int_equal(commit(), 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	here = own_namespace();
	assert_int_equal(netlink_open(&other, there), 0);
	assert_true(own_namespace() == here);
	assert_true(netlink_index(&other, "left") > 0);
	netlink_close(&other);
	assert_int_equal(netlink_open(&other, -1), 0);
	assert_int_equal(netlink_index(&other, "left"), -ENODEV);
	netlink_close(&other);
	netlink_close(&other);
}

static void bad_namespace(void **state)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ino_t here = own_namespace();
	struct netlink other = {};

	assert_int_equal(netlink_open(&other, null), -EINVAL);
	assert_null(other.socket);
	assert_true(own_namespace() == here);
	netlink_close(&other);
}

/* Who is root in a network namespace may send to our socket in it, and guess the sequence. */
static void stranger_is_not_heard(void **state)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} ack = {
		.header = { .nlmsg_len = sizeof(ack), .nlmsg_type = NLMSG_ERROR },
		.error = { .error = -EBUSY },
	};
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct mnl_socket *stranger = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	assert_non_null(stranger);
	to.nl_pid = mnl_socket_get_portid(nl.socket);
	if (to.nl_pid == 0) {
		/* given with the first message */
		assert_int_equal(mnl_socket_bind(nl.socket, 0, MNL_SOCKET_AUTOPID), 0);
		to.nl_pid = mnl_socket_get_portid(nl.socket);
	}
	ack.header.nlmsg_seq = nl.sequence;
	assert_int_equal(sendto(mnl_socket_get_fd(stranger), &ack, sizeof(ack), 0,
				 (struct sockaddr *)&to, sizeof(to)),
		sizeof(ack));
	create_veth("left", "right");
	assert_int_equal(commit(), 0);
	(void)mnl_socket_close(stranger);
}

/* Nor does a message end behind what came. */
static void huge_message_is_not_whole(void **state)
{
	const struct nlmsghdr message = { .nlmsg_len = 0x80000000, .nlmsg_type = RTM_NEWLINK };
	bool changed = false;
	int error = 0;

	assert_int_equal(
		netlink_take_answers(&nl, &message, sizeof(message), NULL, NULL, &error), 0);
	assert_int_equal(netlink_take_list(&message, sizeof(message), 0, NULL, NULL, &changed), 0);
}

/* What no kernel says is a failure all the same. */
static void strange_acknowledgement(void **state)
{
	static const int strange[] = { 5, INT_MIN, -4096 };
	struct ifinfomsg header = {};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} ack = {
		.header = { .nlmsg_len = sizeof(ack), .nlmsg_type = NLMSG_ERROR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		bool changed = false;
		int error = 0;

		ack.header.nlmsg_seq = nl.sequence;
		ack.error.error = strange[i];
		netlink_begin(&nl, RTM_NEWLINK, 0, &header, sizeof(header), "do it");
		assert_int_equal(
			netlink_take_answers(&nl, &ack, sizeof(ack), NULL, NULL, &error), 1);
		assert_int_equal(error, -EPROTO);
		assert_string_equal(nl.why, "cannot do it: Protocol error");
		assert_int_equal(netlink_take_list(&ack, sizeof(ack), ack.header.nlmsg_seq, NULL,
					 NULL, &changed),
			-EPROTO);
		nl.used = nl.count = 0;
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batch_is_carried_out),
		TEST(empty_batch_is_fine),
		TEST(failure_tells_request_and_kernel_text),
		TEST(failure_of_the_last_request),
		TEST(failure_names_the_attribute),
		TEST(too_many_requests_send_nothing),
		TEST(too_long_request_sends_nothing),
		TEST(link_is_described),
		TEST(missing_link),
		TEST(link_is_deleted),
		TEST(socket_in_another_namespace),
		TEST(bad_namespace),
		TEST(strange_acknowledgement),
		TEST(stranger_is_not_heard),
		TEST(huge_message_is_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
