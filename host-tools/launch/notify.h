/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Both sides of sd_notify(3): telling the host's service manager, and hearing the guest's PID 1.
 * The protocol is a datagram of KEY=VALUE lines on a Unix socket; libsystemd would cost the
 * launcher more memory than all the rest of it (docs/architecture.md).
 */

#include <stdbool.h>
#include <sys/types.h>

/* Sends message to $NOTIFY_SOCKET. 0 when there is none. */
int notify_systemd(const char *message);

/*
 * Waits until the service manager has taken all that was sent to it before, as
 * sd_notify_barrier(3). 0, -ETIMEDOUT or -errno.
 */
int notify_barrier(int timeout_ms);

/*
 * A datagram socket bound to "notify" in dirfd, mode 0666 (its directory is not), that takes no
 * descriptors where the kernel can refuse them. Returns it, nonblocking, or -errno.
 */
int notify_listen(int dirfd);

/*
 * Takes one message. True: it came from leader and says READY=1. False: anything else; call again
 * at the next event.
 */
bool notify_is_ready(int fd, pid_t leader);

/* Whether a message has the line READY=1. Pure. */
bool notify_says_ready(const char *text, size_t len);
