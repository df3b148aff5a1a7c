/* SPDX-License-Identifier: MIT */

/*
 * Against the kernel: each test has a network namespace of its own for the host and another for
 * the guest. Needs root.
 */

#include "host-tools/launch/network.h"

#include "cleanup.h"
#include "host-tools/launch/netlink.h"
#include "host-tools/name.h"
#include "log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define NAME_15 "fifteen-letters"
#define NAME_16 "sixteen-letters-"
#define NAME_63 "a-name-of-63-letters-which-is-the-longest-that-a-container-hasx"
static_assert(sizeof(NAME_15) == 16 && sizeof(NAME_16) == 17 && sizeof(NAME_63) == 64,
	"lengths of the names");

/* Less than the second in which a lost SYN is sent again or an address is probed. */
#define AT_ONCE_MS 500

static int host_ns = -EBADF, guest_ns = -EBADF;
static int log_fd = -EBADF, stderr_fd = -EBADF;
static struct container_config config;

/* --- namespaces --------------------------------------------------------------------------------
 */

static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static int make_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void renew_guest(void)
{
	close_fdp(&guest_ns);
	guest_ns = make_namespace();
	assert_true(guest_ns >= 0);
	enter(host_ns);
}

static void set_address(struct config_address *address, int family, const char *text, int prefix)
{
	address->family = family;
	address->prefix = (uint8_t)prefix;
	assert_int_equal(inet_pton(family, text, &address->v6), 1);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)dup2(stderr_fd, STDERR_FILENO);
	close_fdp(&stderr_fd);
	close_fdp(&log_fd);
	close_fdp(&guest_ns);
	close_fdp(&host_ns);
	return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
	static char text[4096];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(log_fd, 0), 0);
	assert_true(lseek(log_fd, 0, SEEK_SET) == 0);
	return text;
}

static void assert_logged(const char *part)
{
	const char *text = logged();

	if (!strstr(text, part))
		fail_msg("logged '%s' instead of '%s'", text, part);
}

static int find_link(int ns, const char *name, struct netlink_link *ret)
{
	struct netlink nl = {};
	int r;

	assert_int_equal(netlink_open(&nl, ns), 0);
	r = netlink_get_link(&nl, name, ret);
	netlink_close(&nl);
	return r;
}

static bool has_link(int ns, const char *name)
{
	struct netlink_link link;

	return find_link(ns, name, &link) == 0;
}

static const char *interface_of(const char *name)
{
	static char interface[IFNAMSIZ];
	char altname[ALTNAME_SIZE];

	(void)name_interface(NAME_PREFIX, name, interface, altname);
	return interface;
}

/* --- traffic -----------------------------------------------------------------------------------
 */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

static socklen_t make_sockaddr(const struct config_address *address, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = (sa_family_t)address->family;
	if (address->family == AF_INET) {
		ret->v4.sin_addr = address->v4;
		return sizeof(ret->v4);
	}
	ret->v6.sin6_addr = address->v6;
	return sizeof(ret->v6);
}

static int make_socket(int ns, int family, int type)
{
	int s = -EBADF;

	enter(ns);
	s = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enter(host_ns);
	assert_true(s >= 0);
	return s;
}

/* A socket bound to an address and a free port; *ret is where it is. */
static int make_server(int ns, const struct config_address *at, int type, union address *ret)
{
	int s = make_socket(ns, at->family, type);
	socklen_t size = make_sockaddr(at, ret);

	assert_int_equal(bind(s, &ret->any, size), 0);
	assert_int_equal(getsockname(s, &ret->any, &size), 0);
	return s;
}

static void wait_for(int fd, short events, const char *what)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, AT_ONCE_MS) != 1)
		fail_msg("no %s within %d ms", what, AT_ONCE_MS);
}

static void assert_same_host(const union address *a, const struct config_address *b)
{
	assert_int_equal(a->any.sa_family, b->family);
	if (b->family == AF_INET)
		assert_memory_equal(&a->v4.sin_addr, &b->v4, sizeof(b->v4));
	else
		assert_memory_equal(&a->v6.sin6_addr, &b->v6, sizeof(b->v6));
}

/* One datagram there; it must come from `from`. */
static void assert_datagram(
	int from_ns, const struct config_address *from, int to_ns, const struct config_address *to)
{
	union address server = {}, peer = {};
	socklen_t size = sizeof(peer);
	_cleanup_close_ int s = make_server(to_ns, to, SOCK_DGRAM, &server);
	_cleanup_close_ int c = make_socket(from_ns, to->family, SOCK_DGRAM);
	char text[8];

	assert_int_equal(sendto(c, "hello", 5, 0, &server.any, sizeof(server)), 5);
	wait_for(s, POLLIN, "datagram");
	assert_int_equal(recvfrom(s, text, sizeof(text), 0, &peer.any, &size), 5);
	assert_memory_equal(text, "hello", 5);
	assert_same_host(&peer, from);
}

static void assert_stream(int from_ns, int to_ns, const struct config_address *to)
{
	union address server = {};
	_cleanup_close_ int s = make_server(to_ns, to, SOCK_STREAM, &server);
	_cleanup_close_ int c = make_socket(from_ns, to->family, SOCK_STREAM);
	_cleanup_close_ int accepted = -EBADF;
	char text[8];

	assert_int_equal(listen(s, 1), 0);
	if (connect(c, &server.any, sizeof(server)) < 0)
		assert_int_equal(errno, EINPROGRESS);
	wait_for(s, POLLIN, "connection");
	accepted = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_int_equal(write(accepted, "hello", 5), 5);
	wait_for(c, POLLIN, "data");
	assert_int_equal(read(c, text, sizeof(text)), 5);
}

/* Both directions, both protocols; first in `first` direction, as that may settle the link. */
static void assert_reachable(
	const struct config_address *host, const struct config_address *local, bool guest_first)
{
	for (int i = 0; i < 2; i++) {
		if ((i == 0) == guest_first) {
			assert_datagram(guest_ns, local, host_ns, host);
			assert_stream(guest_ns, host_ns, host);
		} else {
			assert_datagram(host_ns, host, guest_ns, local);
			assert_stream(host_ns, guest_ns, local);
		}
	}
}

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

/* --- tests: what is built ----------------------------------------------------------------------
 */

static void reachable_at_once(bool v6, bool guest_first)
{
	assert_int_equal(network_setup(&config, guest_ns), 0);
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
	netlink_put(&nl, NDA_DST, &address->v6, sizeof(address->v6));
	r = netlink_commit(&nl, NULL, NULL);
	netlink_close(&nl);
	return r;
}

static void v6_ends_know_each_other(void **state)
{
	assert_int_equal(network_setup(&config, guest_ns), 0);
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

static void without_veth_only_lo(void **state)
{
	struct config_address localhost = {};

	config.veth = false;
	assert_int_equal(network_setup(&config, guest_ns), 0);
	set_address(&localhost, AF_INET, "127.0.0.1", 8);
	assert_datagram(guest_ns, &localhost, guest_ns, &localhost);
	set_address(&localhost, AF_INET6, "::1", 128);
	assert_datagram(guest_ns, &localhost, guest_ns, &localhost);
	assert_false(has_link(guest_ns, "eth0"));
	assert_false(has_link(host_ns, "c-foo"));
}

static void lo_is_up_beside_eth0(void **state)
{
	struct config_address localhost = {};

	assert_int_equal(network_setup(&config, guest_ns), 0);
	set_address(&localhost, AF_INET, "127.0.0.1", 8);
	assert_datagram(guest_ns, &localhost, guest_ns, &localhost);
}

static void host_ignores_router_advertisements(void **state)
{
	int fd;
	char text[4] = "";

	assert_int_equal(network_setup(&config, guest_ns), 0);
	fd = open("/proc/sys/net/ipv6/conf/c-foo/accept_ra", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 2);
	assert_string_equal(text, "0\n");
	(void)close(fd);
}

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

static void namespace_of_a_user_namespace(void **state)
{
	char path[64];
	int status;
	_cleanup_close_ int pipe_read = -EBADF, pipe_write = -EBADF;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pipe_read = fds[0];
	pipe_write = fds[1];
	pid = (pid_t)syscall(
		SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, 0);
	assert_true(pid >= 0);
	if (pid == 0) {
		char byte;

		(void)close(pipe_write);
		_exit(read(pipe_read, &byte, 1) == 0 ? 0 : 1);
	}
	close_fdp(&guest_ns);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	guest_ns = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(guest_ns >= 0);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_reachable(&config.host_address, &config.local_address, true);
	assert_reachable(&config.host_address6, &config.local_address6, true);
	close_fdp(&pipe_write);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- tests: leftovers, strangers, failures ------------------------------------------------------
 */

/* A veth pair in the host's namespace; mac and alias may be NULL. */
static void make_stranger(const char *name, const uint8_t *mac, const char *alias)
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

static void eth0_is_taken(void **state)
{
	enter(guest_ns);
	make_stranger("eth0", NULL, NULL);
	enter(host_ns);
	assert_int_equal(network_setup(&config, guest_ns), -EEXIST);
	assert_logged("cannot create veth pair c-foo: File exists");
	assert_false(has_link(host_ns, "c-foo"));
}

static void assert_nothing_left(const char *part)
{
	assert_int_equal(network_setup(&config, guest_ns), -EINVAL);
	assert_logged(part);
	assert_false(has_link(host_ns, "c-foo"));
	assert_false(has_link(guest_ns, "eth0"));
}

static void bad_local_address_leaves_nothing(void **state)
{
	config.local_address.prefix = 33;
	assert_nothing_left("cannot add address 10.231.0.2/33 to eth0 in the container: "
			    "Invalid argument (kernel: ");
	config.local_address.prefix = 32;
	assert_int_equal(network_setup(&config, guest_ns), 0);
}

static void bad_host_address_leaves_nothing(void **state)
{
	config.host_address6.prefix = 129;
	assert_nothing_left("cannot add address fd12:3456::1/129 to c-foo: "
			    "Invalid argument (kernel: ");
	config.host_address6.prefix = 128;
	assert_int_equal(network_setup(&config, guest_ns), 0);
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

static void bad_namespace(void **state)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(network_setup(&config, null), -EINVAL);
	assert_logged("cannot open a netlink socket in the container's namespace: ");
	assert_false(has_link(host_ns, "c-foo"));
}

static void cleanup_removes_ours_and_is_quiet_without(void **state)
{
	assert_int_equal(network_cleanup("foo"), 0);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(network_cleanup("fo"), 0);
	assert_true(has_link(host_ns, "c-foo"));
	assert_int_equal(network_cleanup("foo"), 0);
	assert_false(has_link(host_ns, "c-foo"));
	assert_int_equal(network_cleanup("foo"), 0);
	assert_string_equal(logged(), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v4_from_host),
		TEST(v4_from_guest),
		TEST(v6_from_host),
		TEST(v6_from_guest),
		TEST(v6_again_and_again),
		TEST(v6_ends_know_each_other),
		TEST(written_prefixes_are_kept),
		TEST(without_a_prefix_there_is_no_subnet),
		TEST(default_route_is_through_the_host),
		TEST(only_local_address),
		TEST(only_host_address),
		TEST(one_family),
		TEST(without_veth_only_lo),
		TEST(lo_is_up_beside_eth0),
		TEST(host_ignores_router_advertisements),
		TEST(hardware_addresses_are_stable),
		TEST(configured_hardware_address),
		TEST(names_of_all_lengths),
		TEST(long_names_with_a_common_prefix),
		TEST(namespace_of_a_user_namespace),
		TEST(leftover_is_replaced),
		TEST(leftover_from_before_the_alias_is_replaced),
		TEST(dying_namespace_is_no_hindrance),
		TEST(stranger_is_left_alone),
		TEST(stranger_with_an_alias_is_left_alone),
		TEST(alias_counts_more_than_the_hardware_address),
		TEST(altname_of_a_stranger),
		TEST(eth0_is_taken),
		TEST(bad_local_address_leaves_nothing),
		TEST(bad_host_address_leaves_nothing),
		TEST(altname_that_is_taken_leaves_nothing),
		TEST(bad_namespace),
		TEST(cleanup_removes_ours_and_is_quiet_without),
	};

	log_init("test-network");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
