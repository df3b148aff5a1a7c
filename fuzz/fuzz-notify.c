/* SPDX-License-Identifier: MIT */

/* What the guest's PID 1 sends to the launcher. */

#include "fuzz.h"
#include "host-tools/launch/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char ready[] = "READY=1";
	char *text = malloc(size + 1);
	bool there = false;

	MUST(text);
	if (size > 0)
		memcpy(text, data, size);
	for (size_t i = 0; i + strlen(ready) <= size; i++)
		there |= memcmp(text + i, ready, strlen(ready)) == 0 &&
			 (i == 0 || text[i - 1] == '\n') &&
			 (i + strlen(ready) == size || text[i + strlen(ready)] == '\n');
	text = realloc(text, size ?: 1);
	MUST(text && notify_says_ready(text, size) == there);
	free(text);
	return 0;
}
