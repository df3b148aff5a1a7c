/* SPDX-License-Identifier: MIT */

/* Guest text in JSON: one string of plain characters, whatever the text is. */

#include "escape.h"
#include "fuzz.h"
#include "host-tools/ctl/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *out;
	size_t n, quotes = 0;
	struct json json = { .f = open_memstream(&out, &n) };

	MUST(json.f);
	json_string(&json, NULL, text);
	MUST(fclose(json.f) == 0);
	MUST(text_is_plain(out, n) && !memchr(out, '\t', n));
	for (size_t i = 0; i < n; i++) {
		if (out[i] == '\\')
			i++;
		else
			quotes += out[i] == '"';
	}
	MUST(quotes == 2 && out[0] == '"' && out[n - 1] == '"');
	free(out);
	free(text);
	return 0;
}
