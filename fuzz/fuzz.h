/* SPDX-License-Identifier: MIT */
#pragma once

/* What the fuzz targets share. A target aborts where the parser doesn't keep its promise. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

/* The input in memory of its own, exactly as big as it is, with a NUL behind it; free() it. Reading
 * past that is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Cuts the input at its next NUL and returns what is before it; free() it. */
static inline char *fuzz_field(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size > 0 ? memchr(*data, '\0', *size) : NULL;
	size_t n = end ? (size_t)(end - *data) : *size;
	char *field = fuzz_text(*data, n);

	n += end != NULL;
	*data += n;
	*size -= n;
	return field;
}

/* A file in memory, of one of a few places, with this text: for parsers that take a path. The name
 * is valid as long as the place isn't used again. */
#define FUZZ_FILES 2
const char *fuzz_file(unsigned place, const void *data, size_t size);
