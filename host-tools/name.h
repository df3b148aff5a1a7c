/* SPDX-License-Identifier: MIT */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_MAX_LEN 63
/* "ve-" and the longest name, with its NUL: an altname may have 127 bytes (ALTIFNAMSIZ - 1). */
#define ALTNAME_SIZE (3 + NAME_MAX_LEN + 1)

/* [a-zA-Z0-9][a-zA-Z0-9._-]{0,62}. *ret_why (static text, may be NULL) says what is wrong. */
bool name_is_valid(const char *name, const char **ret_why);

/* A stable 64-bit hash of a name (FNV-1a, 64 bit). The same on every host and in every version. */
uint64_t name_hash(const char *name);

/*
 * The host's end of the veth pair: "c-NAME" where that fits an interface name (15 bytes), else
 * "c-" and 13 hex digits of the hash. Returns true when it was hashed; altname is then the full
 * "c-NAME" to be set as an alternative name. prefix: "c-", or systemd-nspawn's "ve-" or "vb-", with
 * one digit less.
 */
#define NAME_PREFIX "c-"
bool name_interface(const char *prefix, const char *name, char ret_interface[IFNAMSIZ],
	char ret_altname[ALTNAME_SIZE]);
