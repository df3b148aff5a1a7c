/* SPDX-License-Identifier: MIT */

/*
 * What a program writes on a kept terminal, up to what is drawn of it on another: characters and
 * sequences of ours. Byte 0xff is a new size, of the two bytes behind it, 0xfe a drawing; no
 * program's text has those.
 *
 * libvterm has no sanitizers. So each piece of memory that it gets ends where a page ends, with
 * none behind it (fuzz.mk has it call this vterm_new()).
 */

#include "fuzz.h"
#include "host-tools/keep/screen.h"

#include <stdio.h>
#include <sys/mman.h>
#include <vterm.h>

VTerm *__wrap_vterm_new(int rows, int columns);

#define PAGE 4096UL
#define HEADER 16UL
#define DRAWINGS 8

static size_t pages_of(size_t size)
{
	return (size + HEADER + PAGE - 1) / PAGE;
}

/* A page that has the size, what is asked for up to the end of its last page, and a gap. */
static void *guarded_malloc(size_t size, void *arg)
{
	size_t rounded = (size + HEADER - 1) & ~(HEADER - 1), n = pages_of(rounded);
	char *all = mmap(
		NULL, (n + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *data;

	(void)arg;
	MUST(all != MAP_FAILED && mprotect(all + n * PAGE, PAGE, PROT_NONE) == 0);
	data = all + n * PAGE - rounded;
	memcpy(data - HEADER, &rounded, sizeof(rounded));
	return data;
}

static void guarded_free(void *data, void *arg)
{
	size_t rounded, n;

	(void)arg;
	if (!data)
		return;
	memcpy(&rounded, (char *)data - HEADER, sizeof(rounded));
	n = pages_of(rounded);
	MUST(munmap((char *)data + rounded - n * PAGE, (n + 1) * PAGE) == 0);
}

VTerm *__wrap_vterm_new(int rows, int columns)
{
	static VTermAllocatorFunctions guarded = { .malloc = guarded_malloc, .free = guarded_free };

	return vterm_new_with_allocator(rows, columns, &guarded, NULL);
}

/* What a terminal answers to a program: nothing that the program could have chosen as a whole. */
static void on_answer(void *arg, const char *data, size_t len)
{
	(void)arg;
	MUST(len < 64 && data[0] == '\x1b');
}

/* Characters, lines, and ESC with [ ( = > behind it. */
static void look_at(const struct bytes *out)
{
	const char *text = out->data ? bytes_front(out) : "";

	MUST(!out->failed);
	for (size_t i = 0; i < out->n; i++) {
		MUST((unsigned char)text[i] >= 0x20 || strchr("\x1b\r\n\x18", text[i]));
		MUST(text[i] != '\x7f');
		MUST(text[i] != '\x1b' || (i + 1 < out->n && strchr("[(=>", text[i + 1])));
	}
}

static void draw(struct screen *s, bool history)
{
	struct bytes out = {};

	if (!screen_is_between(s))
		screen_cancel(s);
	MUST(screen_is_between(s));
	screen_draw(s, history, &out);
	look_at(&out);
	bytes_done(&out);
	screen_leave(s, &out);
	look_at(&out);
	bytes_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct screen *s;
	size_t at = 2, drawings = 0;

	if (size < 2)
		return 0;
	s = screen_new(data[0], data[1], on_answer, NULL);
	MUST(s);
	while (at < size) {
		size_t n = 0;

		while (at + n < size && data[at + n] < 0xfd)
			n++;
		if (n > 0) {
			char *text = fuzz_text(data + at, n);

			screen_feed(s, text, n);
			free(text);
		}
		at += n;
		if (at + 2 < size && data[at] == 0xff)
			screen_resize(s, data[at + 1], data[at + 2]);
		else if (at < size && data[at] == 0xfe && drawings++ < DRAWINGS)
			draw(s, true);
		at += at < size && data[at] == 0xff ? 3 : 1;
	}
	draw(s, true);
	screen_free(s);
	return 0;
}
