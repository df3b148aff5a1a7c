/* SPDX-License-Identifier: MIT */
#pragma once

/* Traffic between the two namespaces of netns.h. */

#include "netns.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

/* Ample for a busy machine: whether something came at the first try is not told by the time. */
#define DEADLINE_MS 60000

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

UNUSED_OK static socklen_t make_sockaddr(const struct config_address *address, union address *ret)
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

UNUSED_OK static int make_socket(int ns, int family, int type)
{
	int s = -EBADF;

	enter(ns);
	s = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enter(host_ns);
	assert_true(s >= 0);
	return s;
}

/* A socket bound to an address and a free port; *ret is where it is. */
UNUSED_OK static int make_server(
	int ns, const struct config_address *at, int type, union address *ret)
{
	int s = make_socket(ns, at->family, type);
	socklen_t size = make_sockaddr(at, ret);

	assert_int_equal(bind(s, &ret->any, size), 0);
	assert_int_equal(getsockname(s, &ret->any, &size), 0);
	return s;
}

UNUSED_OK static void wait_for(int fd, short events, const char *what)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, DEADLINE_MS) != 1)
		fail_msg("no %s", what);
}

/* A connection that came about at the first try. */
UNUSED_OK static void assert_nothing_sent_again(int s)
{
	struct tcp_info info = {};
	socklen_t size = sizeof(info);

	assert_int_equal(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	assert_int_equal(info.tcpi_total_retrans, 0);
}

UNUSED_OK static void assert_same_host(const union address *a, const struct config_address *b)
{
	assert_int_equal(a->any.sa_family, b->family);
	if (b->family == AF_INET)
		assert_memory_equal(&a->v4.sin_addr, &b->v4, sizeof(b->v4));
	else
		assert_memory_equal(&a->v6.sin6_addr, &b->v6, sizeof(b->v6));
}

/* One datagram there; it must come from `from`. */
UNUSED_OK static void assert_datagram(
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

UNUSED_OK static void assert_stream(int from_ns, int to_ns, const struct config_address *to)
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
	/* before the data, which is sent again after 0.2 s already: a machine stands still for
	 * longer */
	assert_nothing_sent_again(c);
	assert_nothing_sent_again(accepted);
	assert_int_equal(write(accepted, "hello", 5), 5);
	wait_for(c, POLLIN, "data");
	assert_int_equal(read(c, text, sizeof(text)), 5);
}

/* Both directions, both protocols; first in `first` direction, as that may settle the link. */
UNUSED_OK static void assert_reachable(
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
