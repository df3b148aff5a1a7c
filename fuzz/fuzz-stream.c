/* SPDX-License-Identifier: MIT */

/* The guest's console on its way to the journal: whole lines without control characters, and all of
 * them. */

#include "escape.h"
#include "fuzz.h"
#include "host-tools/launch/stream.h"

#include <fcntl.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct stream stream = { .lines = true };
	int from = open(fuzz_file(0, data, size), O_RDONLY | O_CLOEXEC);
	int to = open(fuzz_file(1, "", 0), O_RDWR | O_CLOEXEC), look = dup(to);
	size_t lines = size > 0 && data[size - 1] != '\n', written;
	char *text;

	if (!base)
		base = event_base_new();
	MUST(base && from >= 0 && to >= 0 && look >= 0);
	MUST(stream_start(&stream, base, from, to) == 0);
	stream_finish(&stream, -1);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	written = (size_t)lseek(look, 0, SEEK_END);
	MUST(written >= lines && written <= 4 * size + 1);
	text = malloc(written + 1);
	MUST(text && pread(look, text, written, 0) == (ssize_t)written);
	for (size_t i = 0; i < written; i++)
		if (text[i] == '\n') {
			text[i] = ' ';
			lines--;
		}
	MUST(lines == 0 && text_is_plain(text, written));
	free(text);
	(void)close(look);
	return 0;
}
