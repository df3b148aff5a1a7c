/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A container's private network over rtnetlink (libmnl): the veth pair, its addresses and routes.
 * Every kernel error is logged with the text of the extended acknowledgement where there is one.
 */

#include "../config/config.h"

/*
 * Builds the network of one container. netns_fd: the guest's network namespace, borrowed; the
 * caller stays in its own (the calling thread is in the guest's for a moment). lo is brought up;
 * with config->veth the pair c-NAME / eth0 is made (the guest's end is born in the guest's
 * namespace), both ends up, addresses and routes set, IPv6 usable at once. A leftover c-NAME that
 * is ours (alias "narthex:NAME") is removed first, which takes 20 to 30 ms; one of a stranger is an
 * error that says whose. On failure nothing is left behind. Takes about 0.7 ms. Logs. 0 or -errno.
 */
int network_setup(const struct container_config *config, int netns_fd);

/* The link that [Network] itself describes: eth0, or host0. False: there is none. */
bool network_main_link(const struct container_config *config, struct config_link *ret);

/*
 * One link of a running container, made or taken away; network_setup() does the same for each. The
 * container's other links stay as they are. link: one of config->links, or network_main_link()'s;
 * netns_fd: the guest's network namespace, borrowed. A link that is gone already is no failure.
 * Logs. 0, or -errno: with nothing made, or with what could not be taken away still there.
 */
int network_add_link(
	const struct container_config *config, const struct config_link *link, int netns_fd);
int network_remove_link(
	const struct container_config *config, const struct config_link *link, int netns_fd);

/*
 * Makes the network of a running container what another configuration of it says: links that come,
 * go, and change. All of it or nothing: on failure what was done is undone; what can't be is
 * logged. Both have a private network in the same namespace. netns_fd: as above. Logs. 0 or -errno.
 */
int network_change(
	const struct container_config *old, const struct container_config *new, int netns_fd);

/*
 * Makes the host's ends of a running container's links ports again of bridges (Bridge=) that have
 * been deleted and made anew. What is in its place stays, and so does what has no bridge now. Logs.
 * 0 or -errno.
 */
int network_attach(const struct container_config *config);

/*
 * The addresses in a network namespace that others may use, IPv4 first, otherwise in the kernel's
 * order. netns_fd: the namespace, or a pidfd of a process in it; borrowed, as above. Addresses of a
 * guest are what its root has made them. Of ten thousand and more some may be missed. Logs. How
 * many, or -errno.
 */
ssize_t network_list_addresses(int netns_fd, struct config_address *ret, size_t max);

/*
 * Where ports lead without LocalAddress= (config_ports_follow()): to those given, family 0 for
 * none, if they are still there, else the first ones that the host reaches over the container's
 * link; family 0 where there are none. netns_fd: as above. Logs. 1; 0: there are addresses, but
 * none that the host reaches; -errno.
 */
int network_find_addresses(const struct container_config *config, int netns_fd,
	struct config_address *address, struct config_address *address6);

/*
 * Keeps these ports leading to the addresses that the container has (nat_apply(), nat_open()),
 * until end_fd (borrowed), a socket on which nothing comes, is at its end. netns_fd: as above.
 * Logs. 0, or -errno when it can't go on.
 */
int network_follow(const struct container_config *config, int netns_fd, int end_fd);

/*
 * Removes what network_setup() left on the host for name, if anything (after a crash; in the usual
 * case the pair dies with the namespace). Not needed before network_setup(). Quiet when there is
 * nothing, or a stranger's. 0 or -errno, logged.
 */
int network_cleanup(const char *name);
