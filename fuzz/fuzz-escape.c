/* SPDX-License-Identifier: MIT */

/* Escaped text is plain, fits, and is the same when the memory is just as big as it needs. */

#include "escape.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char *big = malloc(4 * size + 1), *fitting;
	size_t len;

	if (!big)
		abort();
	len = escape_text(big, 4 * size + 1, text, size);
	if (len > 4 * size || strlen(big) != len || !text_is_plain(big, len))
		abort();
	fitting = malloc(len + 1);
	if (!fitting || escape_text(fitting, len + 1, text, size) != len ||
		memcmp(fitting, big, len) != 0)
		abort();
	for (size_t room = 1; room <= len && room < 64; room++)
		if (escape_text(fitting, room, text, size) >= room ||
			!text_is_plain(fitting, strlen(fitting)))
			abort();
	free(fitting);
	free(big);
	return 0;
}
