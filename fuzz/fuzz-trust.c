/* SPDX-License-Identifier: MIT */

/* The file that says who answers behind a container's doors. */

#include "fuzz.h"
#include "host-tools/client/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct trust trust = { .leader = -1 };

	if (trust_parse(text, &trust) == 0)
		MUST(trust.leader >= 0 && text[strlen(text) - 1] == '\n');
	else
		MUST(trust.leader == -1);
	free(text);
	return 0;
}
