/* SPDX-License-Identifier: MIT */
#include "escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sample {
	const char *in;
	size_t len;
	const char *out;
};

#define SAMPLE(in, out)                                                                            \
	{                                                                                          \
		in, sizeof(in) - 1, out                                                            \
	}

/* clang-format off */
static const struct sample samples[] = {
	SAMPLE("", ""),
	SAMPLE("plain text, tab\there", "plain text, tab\there"),
	SAMPLE("back\\slash", "back\\\\slash"),
	SAMPLE("bell \a escape \033[2J", "bell \\x07 escape \\x1b[2J"),
	SAMPLE("line\r\nfeed", "line\\x0d\\x0afeed"),
	SAMPLE("nul \0 del \177", "nul \\x00 del \\x7f"),
	/* UTF-8 of 2, 3 and 4 bytes, the last code point */
	SAMPLE("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xaa \xf4\x8f\xbf\xbf",
		"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xaa \xf4\x8f\xbf\xbf"),
	/* C1: CSI as a byte and as UTF-8, and its neighbours */
	SAMPLE("\x9b""2J", "\\x9b2J"),
	SAMPLE("\xc2\x9b""2J", "\\xc2\\x9b2J"),
	SAMPLE("\xc2\x80 \xc2\x9f \xc2\xa0", "\\xc2\\x80 \\xc2\\x9f \xc2\xa0"),
	/* overlong forms of "/", ESC and U+07FF, surrogate, above U+10FFFF, bytes that never occur */
	SAMPLE("\xc0\xaf \xc0\x9b", "\\xc0\\xaf \\xc0\\x9b"),
	SAMPLE("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"),
	SAMPLE("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"),
	SAMPLE("\xed\xa0\x80", "\\xed\\xa0\\x80"),
	SAMPLE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"),
	SAMPLE("\xf5\x80\x80\x80 \xff\xfe", "\\xf5\\x80\\x80\\x80 \\xff\\xfe"),
	/* cut short: at the end, and by another character */
	SAMPLE("\xe2\x82", "\\xe2\\x82"),
	SAMPLE("\xe2\x82""a", "\\xe2\\x82""a"),
	SAMPLE("\xc3\033", "\\xc3\\x1b"),
};
/* clang-format on */

/* A copy whose end is the end of its memory, so that a sanitizer sees a read past it. */
static char *exact_copy(const struct sample *s)
{
	char *p = malloc(s->len ? s->len : 1);

	assert_non_null(p);
	memcpy(p, s->in, s->len);
	return p;
}

static void samples_are_escaped(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		char out[128], *in = exact_copy(&samples[i]);

		assert_int_equal(
			escape_text(out, sizeof(out), in, samples[i].len), strlen(samples[i].out));
		assert_string_equal(out, samples[i].out);
		free(in);
	}
}

/* The rest of the character is there, but isn't part of the text. */
static void length_is_respected(void **state)
{
	char out[16];

	assert_int_equal(escape_text(out, sizeof(out), "\xe2\x82\xac", 2), 8);
	assert_string_equal(out, "\\xe2\\x82");
	assert_false(text_is_plain("\xe2\x82\xac", 2));
	assert_true(text_is_plain("a\033", 1));
}

static void plain_is_what_stays(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		bool stays = samples[i].len == strlen(samples[i].out) &&
			     memcmp(samples[i].in, samples[i].out, samples[i].len) == 0;

		if (samples[i].len > 0 && memchr(samples[i].in, '\\', samples[i].len))
			stays = true; /* by its contract */
		assert_int_equal(text_is_plain(samples[i].in, samples[i].len), stays);
	}
}

static void backslashes_of_ours_stay(void **state)
{
	static const char text[] = "a\\x1b \033\xff\\";
	char out[64];

	assert_int_equal(escape_controls(out, sizeof(out), text, sizeof(text) - 1), 15);
	assert_string_equal(out, "a\\x1b \\x1b\\xff\\");
}

static void cut_at_a_whole_escape(void **state)
{
	const char text[] = "a\033\xe2\x82\xac\\";
	const char *wants[] = { "", "a", "a", "a", "a", "a\\x1b", "a\\x1b", "a\\x1b",
		"a\\x1b\xe2\x82\xac", "a\\x1b\xe2\x82\xac", "a\\x1b\xe2\x82\xac\\\\" };

	for (size_t size = 1; size <= sizeof(wants) / sizeof(wants[0]); size++) {
		char *out = malloc(size);

		assert_non_null(out);
		assert_int_equal(
			escape_text(out, size, text, sizeof(text) - 1), strlen(wants[size - 1]));
		assert_string_equal(out, wants[size - 1]);
		free(out);
	}
}

/* Whatever comes in: no byte that a terminal obeys comes out, and it all fits. */
static void every_pair_of_bytes_is_harmless(void **state)
{
	for (unsigned int pair = 0; pair < 0x10000; pair++) {
		const char in[2] = { (char)(pair >> 8), (char)pair };
		char out[16];
		size_t len = escape_text(out, sizeof(out), in, 2);

		assert_int_equal(len, strlen(out));
		for (size_t i = 0; i < len; i++) {
			unsigned char c = (unsigned char)out[i];

			assert_true(c == '\t' || (c >= 0x20 && c != 0x7f));
			/* after UTF-8's C2 the C1 controls would follow */
			if (c == 0xc2)
				assert_true((unsigned char)out[i + 1] >= 0xa0);
			/* and none stands alone */
			if (c >= 0x80 && c < 0xc0)
				assert_true(i > 0 && (unsigned char)out[i - 1] >= 0xc2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_escaped),
		cmocka_unit_test(length_is_respected),
		cmocka_unit_test(plain_is_what_stays),
		cmocka_unit_test(backslashes_of_ours_stay),
		cmocka_unit_test(cut_at_a_whole_escape),
		cmocka_unit_test(every_pair_of_bytes_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
