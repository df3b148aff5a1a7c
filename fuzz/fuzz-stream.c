/* SPDX-License-Identifier: MIT */

/*
 * The guest's console on its way to the journal: lines without control characters, all of them,
 * none longer than the journal takes or with a priority in front.
 */

#include "escape.h"
#include "fuzz.h"
#include "host-tools/launch/stream.h"

#include <fcntl.h>
#include <unistd.h>

#define LINE_MAX_WRITTEN (48 * 1024) /* LineMax= of journald.conf(5) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct stream stream = { .lines = true };
	int from = open(fuzz_file(0, data, size), O_RDONLY | O_CLOEXEC);
	int to = open(fuzz_file(1, "", 0), O_RDWR | O_CLOEXEC), look = dup(to);
	size_t lines = 0, seen = 0, start = 0, written;
	char *text;

	if (!base)
		base = event_base_new();
	MUST(base && from >= 0 && to >= 0 && look >= 0);
	MUST(stream_start(&stream, base, from, to) == 0);
	stream_finish(&stream, -1);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	/* a carriage return at the end of a line is dropped */
	for (size_t i = size; i > 0 && data[i - 1] != '\n'; i--)
		if (data[i - 1] != '\r') {
			lines++;
			break;
		}
	written = (size_t)lseek(look, 0, SEEK_END);
	MUST(written >= lines && written <= 5 * size + 1);
	text = malloc(written + 1);
	MUST(text && pread(look, text, written, 0) == (ssize_t)written);
	for (size_t i = 0; i < written; i++) {
		if (text[i] != '\n')
			continue;
		MUST(i - start <= LINE_MAX_WRITTEN);
		MUST(text[start] != '<' || text[start + 1] < '0' || text[start + 1] > '9');
		text[i] = ' ';
		start = i + 1;
		seen++;
	}
	/* one that was too long has become several */
	MUST(seen >= lines && start == written && text_is_plain(text, written));
	free(text);
	(void)close(look);
	return 0;
}
