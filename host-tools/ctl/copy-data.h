/* SPDX-License-Identifier: MIT */
#pragma once

#include "tree-copy.h"

/*
 * Copies the first size bytes of in to out, which is empty; holes stay holes, and a file that
 * shrinks meanwhile is copied as far as it goes. Counts copy->bytes and calls copy->progress. 0,
 * -errno, or -ECANCELED when progress said so. Both: borrowed.
 */
int copy_data(int in, int out, off_t size, struct tree_copy *copy);
