/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Installs the payload's system call filter on the caller, for good. The filter was compiled at
 * build time by host-tools/seccomp/ (libseccomp), so that a start pays for loading it only.
 * caps: the payload's bounding set; some groups come with a capability. Needs CAP_SYS_ADMIN in the
 * caller's user namespace (no_new_privs is not set: it would break sudo). 0 or -errno.
 */
int seccomp_apply(uint64_t caps);
