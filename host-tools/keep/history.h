/* SPDX-License-Identifier: MIT */
#pragma once

/* The lines that have left a screen at its top: the last HISTORY_SIZE bytes of them. */

#include "bytes.h"

#include <stddef.h>

#define HISTORY_SIZE (256 * 1024)

struct history {
	size_t start, n;
	char ring[HISTORY_SIZE];
};

/* line has no '\n'; one that is longer than half of all is left out. */
void history_add(struct history *history, const char *line, size_t len);

/* All lines, the oldest first, each with "\r\n". */
void history_write(const struct history *history, struct bytes *out);
