/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Who is measured after whom. What one leaves behind for the machine to do, sessions of logind's to
 * be closed for instance, falls on the next: so it is never the same one. The sequence is the same
 * in each run.
 */

#include <stddef.h>
#include <stdlib.h>

/* Puts the numbers below n into order, as chance wants it (Fisher and Yates' shuffle). */
static inline void turns(size_t *ret_order, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t j = (size_t)random() % (i + 1);

		ret_order[i] = ret_order[j];
		ret_order[j] = i;
	}
}
