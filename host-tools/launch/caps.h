/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The bounding set of a payload, as a bit mask of capabilities(7). private_network adds
 * CAP_NET_ADMIN and its kind, which then reach the guest's own namespace only. */
uint64_t caps_default(bool private_network);

/* Cuts bounding, inheritable, permitted, effective and ambient sets of the caller down to keep. 0 or -errno. */
int caps_apply(uint64_t keep);
