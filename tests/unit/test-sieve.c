/* SPDX-License-Identifier: MIT */
#include "host-tools/keep/sieve.h"

#include "scratch.h"

#include <string.h>

static char passed[8192];
static size_t n_passed;

/* Each piece ends with a bar. */
static void on_piece(void *arg, const char *data, size_t len)
{
	(void)arg;
	assert_true(len > 0 && n_passed + len + 2 < sizeof(passed));
	memcpy(passed + n_passed, data, len);
	n_passed += len;
	passed[n_passed++] = '|';
	passed[n_passed] = '\0';
}

/* In one read, and in as many as there are bytes: runs of ASCII aside they are the same. */
static void assert_passes(const char *program, const char *pieces)
{
	struct sieve s = { .pass = on_piece };

	n_passed = 0;
	passed[0] = '\0';
	sieve_feed(&s, program, strlen(program));
	assert_string_equal(passed, pieces);
	assert_true(sieve_is_between(&s));
	s = (struct sieve){ .pass = on_piece };
	n_passed = 0;
	passed[0] = '\0';
	for (const char *c = program; *c; c++)
		sieve_feed(&s, c, 1);
	assert_string_equal(passed, pieces);
}

static void test_what_a_screen_is_made_of(void **state)
{
	assert_passes("a\r\n\tb\b", "a|\r|\n|\t|b|\b|");
	assert_passes(
		"\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x98\x80", "\xc3\xa4|\xe6\xbc\xa2|\xf0\x9f\x98\x80|");
	assert_passes("\x1b[1;31mr\x1b[m\x1b[?25l\x1b[4 q\x1b[?1$p\x1b[>c\x1b[;5H",
		"\x1b[1;31m|r|\x1b[m|\x1b[?25l|\x1b[4 q|\x1b[?1$p|\x1b[>c|\x1b[;5H|");
	assert_passes("\x1b[38:2::1:2:3m", "\x1b[38:2::1:2:3m|");
	assert_passes("\x1b(0q\x1b(B\x1bM\x1b=\x1b"
		      "c",
		"\x1b(0|q|\x1b(B|\x1bM|\x1b=|\x1b"
		"c|");
	assert_passes("\x1bP$q q\x1b\\\x1bP$qr\a", "\x1bP$q q\x1b\\|\x1bP$qr\x1b\\|");
	/* a control within a sequence counts, as on a terminal */
	assert_passes("\x1b[3\n1m", "\n|\x1b[31m|");
}

static void test_numbers_are_few_and_small(void **state)
{
	char program[600] = "\x1b[";
	size_t len = 2;

	for (size_t i = 0; i < 250; i++, len += 2)
		memcpy(program + len, "1;", 2);
	/* longer than anything that is meant */
	memcpy(program + len, "mx", 3);
	assert_passes(program, "x|");
	assert_passes("\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18m",
		"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16m|");
	assert_passes("\x1b[;;;;;;;;;;;;;;;;;;;m", "\x1b[;;;;;;;;;;;;;;;m|");
	assert_passes("\x1b[99999999999999999999;4294967296B", "\x1b[9999;9999B|");
}

static void test_what_is_no_character(void **state)
{
	static const char unknown[] = "\xef\xbf\xbd|";

	assert_passes("\xff", unknown);
	assert_passes("\xc0\xaf", "\xef\xbf\xbd|\xef\xbf\xbd|");
	assert_passes("\xe0\x80\xaf", unknown);
	assert_passes("\xed\xa0\x80", unknown);
	assert_passes("\xf4\x90\x80\x80", unknown);
	assert_passes("\xe6\xbcx", "\xef\xbf\xbd|x|");
	assert_passes("\xe6\x1b[m", "\xef\xbf\xbd|\x1b[m|");
	/* C1 in UTF-8 */
	assert_passes("\xc2\x80\xc2\x9bx", "x|");
}

static void test_what_libvterm_dies_of(void **state)
{
	assert_passes("\x1b#6\x1b#8\x1b[1#6\x1b]2;t\x1b#6\x1b\n#6", "\n|");
	assert_passes("\x1b"
		      "7\x1b"
		      "8",
		"\x1b[?1048h|\x1b[?1048l|");
	assert_passes("\x1b[9b", "");
	assert_passes("x\x1b[3b", "x|x|x|x|");
	assert_passes("\xe6\xbc\xa2\x1b[b", "\xe6\xbc\xa2|\xe6\xbc\xa2|");
	assert_passes("\x1b]2;title\ax\x1bP+q544e\x1b\\\x1b_apc\x1b\\\x1bP$qxx\x1b\\", "x|");
	assert_passes("\x1b F\x1b G\x05\a\x7f", "");
	assert_passes("\x1b[1\x18x\x1b]2;\x1ay", "x|y|");
}

static void test_repeating_ends(void **state)
{
	struct sieve s = { .pass = on_piece };

	n_passed = 0;
	sieve_feed(&s, "-\x1b[9999b", 8);
	assert_int_equal(n_passed, 2 * (1 + SIEVE_REPEAT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_screen_is_made_of),
		cmocka_unit_test(test_numbers_are_few_and_small),
		cmocka_unit_test(test_what_is_no_character),
		cmocka_unit_test(test_what_libvterm_dies_of),
		cmocka_unit_test(test_repeating_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
