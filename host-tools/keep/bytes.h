/* SPDX-License-Identifier: MIT */
#pragma once

/* A queue of bytes that grows: what is added at its end is taken from its front. */

#include <stdbool.h>
#include <stddef.h>

struct bytes {
	char *data;
	size_t start, n, size;
	bool failed; /* no memory: something is missing */
};

void bytes_add(struct bytes *bytes, const void *data, size_t len);
void bytes_print(struct bytes *bytes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first ones: bytes->n of them, at this place until the next call. */
static inline const char *bytes_front(const struct bytes *bytes)
{
	return bytes->data + bytes->start;
}

void bytes_take(struct bytes *bytes, size_t len);

/* Empties it and gives its memory back. */
void bytes_done(struct bytes *bytes);
