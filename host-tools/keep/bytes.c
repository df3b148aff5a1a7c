/* SPDX-License-Identifier: MIT */
#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct bytes *bytes, size_t len)
{
	size_t size = bytes->size > 0 ? bytes->size : 4096;
	char *data;

	if (bytes->start > 0) {
		memmove(bytes->data, bytes->data + bytes->start, bytes->n);
		bytes->start = 0;
	}
	while (size - bytes->n < len)
		size *= 2;
	if (size == bytes->size)
		return true;
	data = realloc(bytes->data, size);
	if (!data)
		return false;
	bytes->data = data;
	bytes->size = size;
	return true;
}

void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (bytes->size - bytes->start - bytes->n < len && !make_room(bytes, len)) {
		bytes->failed = true;
		return;
	}
	if (len > 0)
		memcpy(bytes->data + bytes->start + bytes->n, data, len);
	bytes->n += len;
}

void bytes_print(struct bytes *bytes, const char *format, ...)
{
	char text[64]; /* sequences of a terminal are short */
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	bytes_add(bytes, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void bytes_take(struct bytes *bytes, size_t len)
{
	bytes->start += len;
	bytes->n -= len;
	if (bytes->n == 0)
		bytes_done(bytes);
}

void bytes_done(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){};
}
