/* SPDX-License-Identifier: MIT */

/* The recording of a terminal: lines of plain characters, however the bytes come. The first byte
 * says how many come at once. */

#include "escape.h"
#include "fuzz.h"
#include "host-tools/client/asciicast.h"

#include <fcntl.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(0, "", 0);
	struct asciicast cast = { .fd = open(path, O_WRONLY | O_CLOEXEC) };
	int look = open(path, O_RDONLY | O_CLOEXEC);
	size_t piece = size > 0 && data[0] > 0 ? data[0] : 5000, n, events = 0;
	char *text;

	MUST(cast.fd >= 0 && look >= 0);
	for (size_t at = 1; at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		char *bytes = fuzz_text(data + at, len);

		asciicast_output(&cast, bytes, len);
		free(bytes);
	}
	asciicast_resize(&cast, 80, 24);
	MUST(asciicast_close(&cast) == 0);
	n = (size_t)lseek(look, 0, SEEK_END);
	text = malloc(n + 1);
	MUST(text && n > 0 && pread(look, text, n, 0) == (ssize_t)n && text[n - 1] == '\n');
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n') {
			text[i] = ' ';
			events++;
			MUST(i >= 2 && text[i - 1] == ']' && text[i - 2] == '"');
		}
	MUST(events > 0 && text_is_plain(text, n) && !memchr(text, '\t', n));
	free(text);
	(void)close(look);
	return 0;
}
