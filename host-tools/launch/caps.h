/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Cuts the caller's bounding set down to keep, which counts from its next execve(2) on. Needs
 * CAP_SETPCAP. 0 or -errno; after an error some may be dropped already: the caller can only exit.
 */
int caps_bound(uint64_t keep);

/*
 * Cuts the caller's permitted set down to keep (bits that it doesn't have are not added), makes all
 * of that effective, and makes the inheritable and ambient sets what ambient says. 0 or -errno:
 * -EPERM for an ambient one that isn't permitted.
 */
int caps_apply(uint64_t keep, uint64_t ambient);
