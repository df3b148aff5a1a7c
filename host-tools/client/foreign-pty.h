/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A terminal for a container that is somebody else's: no launcher of ours has its devpts, so it is
 * found through the root directory of who answers behind a door.
 */

/*
 * sock: connected to a door below root (both borrowed), whose listener must have that root
 * directory (trust.h). ret_fds gets master (nonblocking) and slave, owned by the caller; the slave
 * belongs to the container's root. Nothing of the guest's is followed or waited for. 0 or -errno
 * with *ret_why (static text).
 */
int foreign_pty_open(int sock, int root, int ret_fds[2], const char **ret_why);
