/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/*
 * After a call that has failed with r (-errno). True: the kernel was short of memory, a millisecond
 * has been waited, and it is to be made again. False: it is something else, or has lasted for
 * twenty of them. *tries: 0 before the first.
 */
bool shortage_passes(int r, unsigned int *tries);
