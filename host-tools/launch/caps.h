/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The default bounding set of a payload, as a bit mask of capabilities(7). private_network adds
 * CAP_NET_ADMIN and its kind, which then reach the guest's own namespace only.
 */
uint64_t caps_default(bool private_network);

/*
 * Cuts the caller's bounding set down to keep, which counts from its next execve(2) on. Needs
 * CAP_SETPCAP. 0 or -errno; after an error some may be dropped already: the caller can only exit.
 */
int caps_bound(uint64_t keep);

/*
 * Cuts the caller's permitted and effective sets down to keep (bits that it doesn't have are not
 * added) and empties the inheritable and ambient ones. 0 or -errno.
 */
int caps_apply(uint64_t keep);
