/* SPDX-License-Identifier: MIT */

/* Sockets, and power over the network. */

#include "probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct kind {
	const char *name;
	int family, type, protocol;
};

/* The families that some kernel or other has, and the kinds of them that are worth a line. */
static const struct kind kinds[] = {
	{ "AF_UNIX", AF_UNIX, SOCK_STREAM, 0 },
	{ "AF_INET", AF_INET, SOCK_STREAM, 0 },
	{ "AF_INET, raw", AF_INET, SOCK_RAW, IPPROTO_ICMP },
	{ "AF_INET6", AF_INET6, SOCK_STREAM, 0 },
	{ "AF_INET6, raw", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
	{ "AF_NETLINK, route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
	{ "AF_NETLINK, netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER },
	{ "AF_NETLINK, uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT },
	{ "AF_NETLINK, generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC },
	{ "AF_NETLINK, audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT },
	{ "AF_PACKET", AF_PACKET, SOCK_RAW, 0 },
	{ "AF_VSOCK", AF_VSOCK, SOCK_STREAM, 0 },
	{ "AF_ALG", AF_ALG, SOCK_SEQPACKET, 0 },
	{ "AF_BLUETOOTH", AF_BLUETOOTH, SOCK_RAW, 1 },
	{ "AF_CAN", AF_CAN, SOCK_RAW, 1 },
	{ "AF_IB", AF_IB, SOCK_RAW, 0 },
	{ "AF_IEEE802154", AF_IEEE802154, SOCK_DGRAM, 0 },
	{ "AF_KCM", AF_KCM, SOCK_DGRAM, 0 },
	{ "AF_KEY", AF_KEY, SOCK_RAW, 2 },
	{ "AF_LLC", AF_LLC, SOCK_DGRAM, 0 },
	{ "AF_MCTP", AF_MCTP, SOCK_DGRAM, 0 },
	{ "AF_NFC", AF_NFC, SOCK_RAW, 0 },
	{ "AF_PHONET", AF_PHONET, SOCK_DGRAM, 0 },
	{ "AF_PPPOX", AF_PPPOX, SOCK_DGRAM, 0 },
	{ "AF_QIPCRTR", AF_QIPCRTR, SOCK_DGRAM, 0 },
	{ "AF_RDS", AF_RDS, SOCK_SEQPACKET, 0 },
	{ "AF_RXRPC", AF_RXRPC, SOCK_DGRAM, AF_INET },
	{ "AF_SMC", AF_SMC, SOCK_STREAM, 0 },
	{ "AF_TIPC", AF_TIPC, SOCK_SEQPACKET, 0 },
	{ "AF_X25", AF_X25, SOCK_SEQPACKET, 0 },
	{ "AF_XDP", AF_XDP, SOCK_RAW, 0 },
	{ "AF_APPLETALK", AF_APPLETALK, SOCK_DGRAM, 0 },
	{ "AF_ATMPVC", AF_ATMPVC, SOCK_DGRAM, 0 },
	{ "AF_AX25", AF_AX25, SOCK_SEQPACKET, 0 },
	{ "AF_IPX", AF_IPX, SOCK_DGRAM, 0 },
	{ "AF_NETROM", AF_NETROM, SOCK_SEQPACKET, 0 },
	{ "AF_ROSE", AF_ROSE, SOCK_SEQPACKET, 0 },
};

static long make_socket(const void *arg)
{
	const struct kind *kind = arg;

	return result(socket(kind->family, kind->type | SOCK_CLOEXEC, kind->protocol));
}

static void report_sockets(void)
{
	char name[64];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		(void)snprintf(name, sizeof(name), "socket %s", kinds[i].name);
		probe(name, make_socket, &kinds[i], 0);
	}
}

/* --- the network ------------------------------------------------------------------------------ */

static int any_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long low_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(1009),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int s = any_socket();

	return result(bind(s, (const struct sockaddr *)&address, sizeof(address)));
}

/* Asks for what is so already: the question is whether one may. */
static long configure_interface(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int s = any_socket();

	if (s < 0 || ioctl(s, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	return result(ioctl(s, SIOCSIFFLAGS, &request));
}

static long mark_packets(void)
{
	int s = any_socket(), mark = 1;

	return result(setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
}

static long make_tun(void)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : result(ioctl(fd, TUNSETIFF, &request));
}

static long forward_packets(void)
{
	return result(open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC));
}

/* nfnetlink(7) answers who may not with EPERM, and an empty batch with nothing. */
static long change_filter(void)
{
	struct {
		struct nlmsghdr header;
		unsigned char family, version;
		unsigned short resource;
	} message = {
		/* NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN: nftables asks for power for its questions,
		   too */
		.header = { .nlmsg_len = sizeof(message),
			.nlmsg_type = 10 << 8 | 16,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (s < 0 || send(s, &message, sizeof(message), 0) < 0 ||
		recv(s, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : 0;
}

static const struct attempt attempts[] = {
	{ "bind a port below 1024", low_port, EADDRINUSE },
	{ "configure an interface", configure_interface, 0 },
	{ "mark packets", mark_packets, 0 },
	{ "make a tun device", make_tun, 0 },
	{ "switch forwarding", forward_packets, 0 },
	{ "use nftables", change_filter, 0 },
};

const struct chapter chapter_sockets = { "sockets", NULL, 0, report_sockets };
const struct chapter chapter_network = { "network", attempts, COUNT(attempts), NULL };
