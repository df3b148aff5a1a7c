/* SPDX-License-Identifier: MIT */
#pragma once

/* The addresses that a running container has given itself: by DHCP, by router advertisements, … */

#include "../launcher-status.h"

#include <arpa/inet.h>

/*
 * Fills those of addresses (IPv4, IPv6) that are "" with the first one that is in the network
 * namespace of the container's PID 1, as its kernel lists them; not where that is the caller's own
 * namespace. Needs root. status: what the container's launcher has just answered. Never fails: what
 * can't be found out stays ""; errors are logged.
 */
void guest_addresses(const char *name, const struct launcher_status *status,
	char addresses[2][INET6_ADDRSTRLEN]);
