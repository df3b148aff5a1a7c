/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <string.h>

static void drop_line(struct history *history)
{
	char c;

	do {
		c = history->ring[history->start];
		history->start = (history->start + 1) % HISTORY_SIZE;
		history->n--;
	} while (c != '\n' && history->n > 0);
}

static void append(struct history *history, const char *data, size_t len)
{
	size_t at = (history->start + history->n) % HISTORY_SIZE;
	size_t first = len < HISTORY_SIZE - at ? len : HISTORY_SIZE - at;

	memcpy(history->ring + at, data, first);
	memcpy(history->ring, data + first, len - first);
	history->n += len;
}

void history_add(struct history *history, const char *line, size_t len)
{
	if (len >= HISTORY_SIZE / 2)
		return;
	while (HISTORY_SIZE - history->n < len + 1)
		drop_line(history);
	append(history, line, len);
	append(history, "\n", 1);
}

void history_write(const struct history *history, struct bytes *out)
{
	for (size_t i = 0; i < history->n; i++) {
		const char *c = &history->ring[(history->start + i) % HISTORY_SIZE];

		if (*c == '\n')
			bytes_add(out, "\r", 1);
		bytes_add(out, c, 1);
	}
}
