/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The host's ports that are forwarded to a container (Port=). Each is held by a bound socket that
 * nobody listens on: so no other program can take it, one that has it already is found, and what
 * the packet filter doesn't forward is refused.
 *
 * A change of a running container's list is reserved, put into effect by network_helper_set_nat(),
 * and settled: with the new list, or with the old one when that failed.
 */

#include "../config/config.h"
#include "hand-over.h"

struct held_port;

/* The null state, all zero, holds nothing. */
struct ports {
	struct held_port *held;
	size_t n;
};

/*
 * Holds what isn't held yet; what is stays held. name: of the container, for messages. A port that
 * is another's is an error that says whose. Logs. 0, or -errno and nothing has changed.
 */
int ports_reserve(struct ports *ports, const char *name, const struct config_port *list, size_t n);

/* Lets go of all but list, and notes it in the container's directory for whoever asks whose a port
 * is. dir_fd: /run/narthex/NAME, borrowed. Logs. */
void ports_settle(struct ports *ports, int dir_fd, const struct config_port *list, size_t n);

/* The next launcher goes on holding them. list: the configuration's, the same there. */
void ports_hand_over(
	struct ports *ports, struct hand_over *h, const struct config_port *list, size_t n);

/* Lets go of all. Leaves the null state. */
void ports_release(struct ports *ports);

/* In a container's directory: a line for each of its ports. */
#define PORTS_FILE "ports"

/* Says who has a port that can't be bound (port-owner.c): a container or a process. Returns
 * -EADDRINUSE. */
int port_owner_log(const struct config_port *port, const char *name);
