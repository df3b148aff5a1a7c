/* SPDX-License-Identifier: MIT */
#pragma once

#include "../config/config.h"

#include <stdint.h>

struct sock_filter;

/* A filter that a configuration has changed; len 0: none. */
struct seccomp_program {
	struct sock_filter *code;
	unsigned short len;
};

/*
 * Installs the payload's system call filter on the caller, for good. The filter was compiled at
 * build time by host-tools/seccomp/ (libseccomp), so that a start pays for loading it only.
 * caps: the payload's bounding set; some groups come with a capability. Needs CAP_SYS_ADMIN in the
 * caller's user namespace (no_new_privs is not set: it would break sudo). 0 or -errno.
 */
int seccomp_apply(uint64_t caps);

/* Installs one that seccomp_change() made. Needs the same. */
int seccomp_apply_program(const struct seccomp_program *program);

/*
 * SuppressSync=: fsync(2) and its kind succeed without doing anything, and files can't be opened
 * with O_SYNC or O_DSYNC. A second filter; needs the same.
 */
int seccomp_suppress_sync(void);

/*
 * RestrictAddressFamilies=: socket(2) fails with EAFNOSUPPORT for all families but these, a mask of
 * 1 << AF_…; what socketpair(2) makes stays free, as in systemd. A filter more; needs the same.
 */
int seccomp_restrict_families(uint64_t allowed);

/*
 * Lets narthex-seccomp compile the filter with the changes of SystemCallFilter=. Without the key
 * *ret is empty. The caller frees ret->code. Logs. 0 or -errno.
 */
int seccomp_change(const struct container_config *config, struct seccomp_program *ret);
