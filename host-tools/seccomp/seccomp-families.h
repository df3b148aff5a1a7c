/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The address families that a container can make sockets of: AF_UNIX, the internet, rtnetlink and
 * nftables, and AF_PACKET, which DHCP and tcpdump take. Others are either not namespaced (AF_VSOCK
 * is answered by the hypervisor's host) or kernel code that nearly nobody else runs (AF_ALG,
 * AF_TIPC, AF_RDS …) and that is loaded on demand.
 */

#include <sys/socket.h>

#define SECCOMP_FAMILIES AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET
