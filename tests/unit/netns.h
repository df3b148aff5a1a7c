/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * For tests against the kernel: each has a network namespace of its own for the host and another
 * for the guest, a configuration with a pair of both families, and what is logged. Needs root.
 */

#include "cleanup.h"
#include "host-tools/name.h"
#include "host-tools/network/netlink.h"
#include "host-tools/network/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define UNUSED_OK __attribute__((unused))

static int host_ns = -EBADF, guest_ns = -EBADF;
static int log_fd = -EBADF, stderr_fd = -EBADF;
static struct container_config config;

UNUSED_OK static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

UNUSED_OK static int make_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

UNUSED_OK static void renew_guest(void)
{
	close_fdp(&guest_ns);
	guest_ns = make_namespace();
	assert_true(guest_ns >= 0);
	enter(host_ns);
}

UNUSED_OK static void set_address(
	struct config_address *address, int family, const char *text, int prefix)
{
	address->family = family;
	address->prefix = (uint8_t)prefix;
	assert_int_equal(inet_pton(family, text, &address->v6), 1);
}

UNUSED_OK static int setup(void **state)
{
	host_ns = make_namespace();
	guest_ns = make_namespace();
	if (host_ns < 0 || guest_ns < 0 || setns(host_ns, CLONE_NEWNET) < 0)
		return -1;
	log_fd = memfd_create("log", MFD_CLOEXEC);
	stderr_fd = dup(STDERR_FILENO);
	if (log_fd < 0 || stderr_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0)
		return -1;

	config = (struct container_config){
		.name = (char *)"foo",
		.private_network = true,
		.veth = true,
	};
	set_address(&config.host_address, AF_INET, "10.231.0.1", 32);
	set_address(&config.local_address, AF_INET, "10.231.0.2", 32);
	set_address(&config.host_address6, AF_INET6, "fd12:3456::1", 128);
	set_address(&config.local_address6, AF_INET6, "fd12:3456::2", 128);
	return 0;
}

UNUSED_OK static int teardown(void **state)
{
	(void)dup2(stderr_fd, STDERR_FILENO);
	close_fdp(&stderr_fd);
	close_fdp(&log_fd);
	close_fdp(&guest_ns);
	close_fdp(&host_ns);
	return 0;
}

/* What was logged since the last call. */
UNUSED_OK static const char *logged(void)
{
	static char text[4096];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(log_fd, 0), 0);
	assert_true(lseek(log_fd, 0, SEEK_SET) == 0);
	return text;
}

UNUSED_OK static void assert_logged(const char *part)
{
	const char *text = logged();

	if (!strstr(text, part))
		fail_msg("logged '%s' instead of '%s'", text, part);
}

UNUSED_OK static int find_link(int ns, const char *name, struct netlink_link *ret)
{
	struct netlink nl = {};
	int r;

	assert_int_equal(netlink_open(&nl, ns), 0);
	r = netlink_get_link(&nl, name, ret);
	netlink_close(&nl);
	return r;
}

UNUSED_OK static bool has_link(int ns, const char *name)
{
	struct netlink_link link;

	return find_link(ns, name, &link) == 0;
}

UNUSED_OK static const char *interface_of(const char *name)
{
	static char interface[IFNAMSIZ];
	char altname[ALTNAME_SIZE];

	(void)name_interface(NAME_PREFIX, name, interface, altname);
	return interface;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* An interface of a kind that needs no more words, like "bridge" or "dummy". */
UNUSED_OK static void make_link(int ns, const char *name, const char *kind)
{
	struct netlink nl = {};
	struct ifinfomsg header = {};
	struct nlattr *info;

	assert_int_equal(netlink_open(&nl, ns), 0);
	netlink_begin(&nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header),
		"make %s", name);
	netlink_put_string(&nl, IFLA_IFNAME, name);
	info = netlink_nest(&nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(&nl, IFLA_INFO_KIND, kind);
	netlink_nest_end(&nl, info);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	netlink_close(&nl);
}

/* A veth pair in the host's namespace; mac and alias may be NULL. */
UNUSED_OK static void make_stranger(const char *name, const uint8_t *mac, const char *alias)
{
	struct netlink nl = {};
	struct ifinfomsg header = {};
	struct nlattr *info;

	assert_int_equal(netlink_open(&nl, -1), 0);
	netlink_begin(
		&nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), "create");
	netlink_put_string(&nl, IFLA_IFNAME, name);
	if (mac)
		netlink_put(&nl, IFLA_ADDRESS, mac, 6);
	info = netlink_nest(&nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(&nl, IFLA_INFO_KIND, "veth");
	netlink_nest_end(&nl, info);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	if (alias) {
		header.ifi_index = netlink_index(&nl, name);
		netlink_begin(&nl, RTM_SETLINK, 0, &header, sizeof(header), "set alias");
		netlink_put_string(&nl, IFLA_IFALIAS, alias);
		assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	}
	netlink_close(&nl);
}

/* Whether an address is on an interface: whoever binds to it is told. */
UNUSED_OK static bool has_address(int ns, const struct config_address *address)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = {};
	_cleanup_close_ int s = -EBADF;

	at.any.sa_family = (sa_family_t)address->family;
	if (address->family == AF_INET)
		at.v4.sin_addr = address->v4;
	else
		at.v6.sin6_addr = address->v6;
	enter(ns);
	s = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enter(host_ns);
	assert_true(s >= 0);
	return bind(s, &at.any, sizeof(at)) == 0;
}
