/* SPDX-License-Identifier: MIT */
#pragma once

#include "launch.h"

/* Descriptors for a payload that gets no console: the ends of the launcher's own pipes. -EBADF: the
 * console. */
struct payload_stdio {
	int fds[3];
};

/*
 * Forks the builder. It reports over *ret_socket (enum build_tag) and ends with status 0 once the
 * leader is on its way; on failure it has logged why. *ret_error: a pipe on which the leader says
 * why it could not become the init; end of file without a byte means that it did. stdio: borrowed.
 * 0 or -errno, logged.
 */
int builder_start(const struct launch *launch, const struct payload_stdio *stdio, int *ret_pidfd,
	int *ret_socket, int *ret_error);

/*
 * From here on what the caller makes belongs to the guest's root: on an idmapped mount the host's
 * root has no id at all. The capabilities, which setfsuid(2) takes away, are taken back; the tie to
 * a parent is gone (prctl(2), PR_SET_PDEATHSIG). Logs. 0 or -errno.
 */
int act_as_guest_root(const struct launch *launch);
