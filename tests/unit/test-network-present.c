/* SPDX-License-Identifier: MIT */

/* Which addresses of a network namespace are listed. */

#include "host-tools/network/network-link.h"
#include "host-tools/network/network.h"

#include "netns.h"

#include <linux/if_addr.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void request(struct netlink *nl, const char *text, int scope)
{
	struct config_address address;
	struct ifaddrmsg header = { .ifa_scope = (uint8_t)scope, .ifa_flags = IFA_F_NODAD };

	set_address(&address, strchr(text, ':') ? AF_INET6 : AF_INET, text, 0);
	header.ifa_family = (uint8_t)address.family;
	header.ifa_prefixlen = address.family == AF_INET6 ? 64 : 32;
	header.ifa_index = (uint32_t)netlink_index(nl, "lo");
	netlink_begin(nl, RTM_NEWADDR, NLM_F_CREATE, &header, sizeof(header), "add %s", text);
	netlink_put(nl, IFA_LOCAL, &address.v6, address_size(&address));
}

static void guest_has(const char *text, int scope)
{
	struct netlink nl = {};

	assert_int_equal(netlink_open(&nl, guest_ns), 0);
	request(&nl, text, scope);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
}

static void assert_listed(int ns, size_t max, const char *expected)
{
	struct config_address present[8];
	char text[INET6_ADDRSTRLEN], all[512] = "";
	size_t used = 0;
	ssize_t n = network_list_addresses(ns, present, max);

	assert_true(n >= 0 && (size_t)n <= max);
	for (ssize_t i = 0; i < n; i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i > 0 ? " " : "",
			address_text(&present[i], text));
	assert_string_equal(all, expected);
}

static void both_families_ipv4_first(void **state)
{
	guest_has("2001:db8::7", RT_SCOPE_UNIVERSE);
	guest_has("198.51.100.7", RT_SCOPE_UNIVERSE);
	assert_listed(guest_ns, 8, "198.51.100.7 2001:db8::7");
}

static void what_is_of_no_use_to_others_is_not_listed(void **state)
{
	assert_listed(guest_ns, 8, "");
	guest_has("127.0.0.9", RT_SCOPE_HOST);
	guest_has("169.254.3.4", RT_SCOPE_LINK);
	guest_has("fe80::7", RT_SCOPE_LINK);
	assert_listed(guest_ns, 8, "");
}

static void no_more_than_there_is_room_for(void **state)
{
	guest_has("198.51.100.1", RT_SCOPE_UNIVERSE);
	guest_has("198.51.100.2", RT_SCOPE_UNIVERSE);
	guest_has("2001:db8::7", RT_SCOPE_UNIVERSE);
	assert_listed(guest_ns, 2, "198.51.100.1 198.51.100.2");
	assert_listed(guest_ns, 0, "");
}

static void a_process_does_for_its_namespace(void **state)
{
	_cleanup_close_ int pidfd = -EBADF;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setns(guest_ns, CLONE_NEWNET);
		(void)raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
	guest_has("198.51.100.7", RT_SCOPE_UNIVERSE);
	pidfd = pidfd_open(child, 0);
	assert_true(pidfd >= 0);
	assert_listed(pidfd, 8, "198.51.100.7");
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The last one would be listed; it is too far behind. */
static void a_list_without_end_is_given_up(void **state)
{
	struct netlink nl = {};
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(netlink_open(&nl, guest_ns), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		(void)snprintf(text, sizeof(text), "10.9.%u.%u", i / 250, i % 250);
		request(&nl, text, RT_SCOPE_HOST);
		if (i % NETLINK_REQUESTS_MAX == NETLINK_REQUESTS_MAX - 1)
			assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	}
	request(&nl, "198.51.100.7", RT_SCOPE_UNIVERSE);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
	assert_listed(guest_ns, 8, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_families_ipv4_first),
		TEST(what_is_of_no_use_to_others_is_not_listed),
		TEST(no_more_than_there_is_room_for),
		TEST(a_process_does_for_its_namespace),
		TEST(a_list_without_end_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
