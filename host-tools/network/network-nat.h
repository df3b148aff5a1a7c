/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What stands between a container's network and the world: forwarded ports (Port=), masquerading
 * (Masquerade=), and the host's settings that both need. The rules are one nftables table of the
 * container's own, "inet narthex-NAME". docs/network.md has the rules and why.
 */

#include "../config/config.h"

#include <stdio.h>

/* Whether there is anything to do. */
bool nat_is_needed(const struct container_config *config);

/*
 * Puts the table into effect, in one transaction: what was there before of the same container is
 * replaced, and stays on failure. What the host was changed for and nothing needs now is given
 * back before, so nothing passes unguarded. Nothing of it depends on the container's interfaces, so
 * it can run before they are there; nat_open() completes it. Without ports and masquerading the
 * table goes. Loads libnftables. Logs. 0 or -errno.
 */
int nat_apply(const struct container_config *config);

/* Lets the host route to the container's interfaces, which exist. Logs. 0 or -errno. */
int nat_open(const struct container_config *config);

/* Removes the table and gives back what was changed on the host. Quiet when there is nothing. Logs.
 * 0 or -errno. */
int nat_remove(const char *name);

/* --- inside ------------------------------------------------------------------------------------
 */

#define NAT_TABLE_PREFIX "narthex-"
#define NAT_INTERFACES_MAX 64

/* What the rules depend on besides the configuration: the host. */
struct nat_host {
	/* its addresses towards the container; family 0: none */
	struct config_address source4, source6;
	/* its interfaces on which forwarding is on for our sake only */
	struct {
		char name[IFNAMSIZ];
		int family;
	} interfaces[NAT_INTERFACES_MAX];
	size_t n;
	bool own4, own6; /* and the container's own */
};

/* The interface of the host behind which the container is: c-NAME, a zone or a bridge. */
void nat_interface(const struct container_config *config, char ret[IFNAMSIZ]);

/* Whether that is c-NAME: whatever is done to it ends with the container. */
bool nat_has_own_interface(const struct container_config *config);

/* The container's address of a family, AF_INET or AF_INET6; family 0 in it: none. */
const struct config_address *nat_local(const struct container_config *config, int family);

bool nat_is_loopback(const struct config_address *address);

/* Whether a port is forwarded for a family. */
bool nat_is_for_family(const struct config_port *port, int family);

/* Writes the table in nft's language (network-rules.c). */
void nat_write_rules(FILE *f, const struct container_config *config, const struct nat_host *host);

/* --- nftables (network-nft.c) ------------------------------------------------------------------
 */

/* Loads libnftables, which takes a few milliseconds, ahead of nft_run(). */
void nft_load(void);

/* Runs commands as one transaction. Logs. 0 or -errno. */
int nft_run(const char *commands);

/* Deletes a table of the family inet without the library. 0, -ENOENT, -errno. */
int nft_delete_table(const char *table);

/* --- the host's settings (network-knob.c) ------------------------------------------------------
 */

enum knob { KNOB_FORWARD4, KNOB_FORWARD6 };

bool knob_is_on(enum knob knob, const char *interface);

/* Whether knob_borrow() would return 1; -ENOENT, -errno. */
int knob_is_to_be_borrowed(enum knob knob, const char *interface);

/*
 * Turns a setting of an interface on. 1: it is on for the sake of containers, and is noted to be
 * turned off after the last that needs it; 0: the host itself has it on; -ENOENT where the kernel
 * has no such thing, -errno.
 */
int knob_borrow(enum knob knob, const char *interface, const char *name);

/* Gives back what the container name has borrowed, but for what is_needed (NULL: nothing) says it
 * still needs. Logs. 0 or -errno. */
int knob_return(const char *name,
	bool (*is_needed)(enum knob knob, const char *interface, const void *userdata),
	const void *userdata);
