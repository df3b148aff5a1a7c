/* SPDX-License-Identifier: MIT */
#pragma once

/* What comes from before this program ran: from systemd, or from an agent that executed this one.
 */

#include "listener.h"

/*
 * Takes what was passed (sd_listen_fds(3)): a door's socket, by its name, becomes a listener, and a
 * session that was kept goes on. A strange name, or a socket of the wrong kind, is an error, and
 * logged. Returns the number of sockets, or -errno.
 */
int inherit(struct listeners *listeners, struct sessions *sessions);

/*
 * Executes the agent's program anew, as it is on the disk now, with listeners and sessions. Returns
 * only when there is no such program: -errno, and all is as before. Fails later: exits.
 */
int inherit_by_exec(
	const struct listeners *listeners, const struct sessions *sessions, char **argv);
