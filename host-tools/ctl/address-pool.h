/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which IPv4 addresses are taken, and a free pair from 10.231.0.0/16. A pair is the .1 and .2, .5
 * and .6, … of its four addresses; where the search starts depends on the container's name, so that
 * a name mostly gets the same pair again. Nothing here logs.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_NETWORK "10.231.0.0/16"

/* What is taken: ranges, both ends included, in host byte order. {} is empty. */
struct address_pool {
	struct address_range {
		uint32_t first, last;
	} * taken;
	size_t n;
};

void pool_done(struct address_pool *pool);

/* Takes the network of address/prefix. 0 or -ENOMEM. */
int pool_take(struct address_pool *pool, struct in_addr address, unsigned prefix);

/*
 * Takes each HostAddress= and LocalAddress= of all configurations in a directory and of their
 * drop-ins, right or wrong as these may be otherwise. What can't be read is -errno; no directory is
 * fine.
 */
int pool_take_configurations(struct address_pool *pool, const char *directory);

/*
 * Takes what this host has: the addresses of its interfaces, the destinations of its routes but the
 * default one. routes: a file like /proc/net/route.
 */
int pool_take_host(struct address_pool *pool, const char *routes);

/* Whether it is taken, be it only as one of a network; whether it is somebody's very address. */
bool pool_is_taken(const struct address_pool *pool, struct in_addr address);
bool pool_is_assigned(const struct address_pool *pool, struct in_addr address);

/* A pair that is free for the container name. 0, or -EADDRNOTAVAIL when all are taken. */
int pool_pick(const struct address_pool *pool, const char *name, struct in_addr *ret_host,
	struct in_addr *ret_local);
