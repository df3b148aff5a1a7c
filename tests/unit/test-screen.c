/* SPDX-License-Identifier: MIT */
#include "host-tools/keep/screen.h"

#include "scratch.h"

#include <stdlib.h>
#include <string.h>

static char answers[256];

static void on_answer(void *arg, const char *data, size_t len)
{
	(void)arg;
	assert_true(strlen(answers) + len < sizeof(answers));
	memcpy(answers + strlen(answers), data, len);
}

static struct screen *new_screen(void)
{
	struct screen *s = screen_new(10, 40, on_answer, NULL);

	assert_non_null(s);
	memset(answers, 0, sizeof(answers));
	return s;
}

static void feed(struct screen *s, const char *text)
{
	screen_feed(s, text, strlen(text));
}

/* What is drawn; freed by the caller. */
static char *drawing(struct screen *s, bool history)
{
	struct bytes out = {};

	screen_draw(s, history, &out);
	assert_false(out.failed);
	bytes_add(&out, "", 1);
	return out.data;
}

/* On another terminal a drawing makes the same screen, modes and cursor: that one's own is the
 * same.
 */
static void assert_same_when_drawn(const char *program)
{
	struct screen *s = new_screen(), *other = new_screen();
	char *first, *second;

	feed(s, program);
	assert_true(screen_is_between(s));
	first = drawing(s, true);
	feed(other, first);
	free(first);
	first = drawing(s, false);
	second = drawing(other, false);
	assert_string_equal(first, second);
	free(first);
	free(second);
	screen_free(s);
	screen_free(other);
}

static void test_a_drawing_makes_the_same_screen(void **state)
{
	assert_same_when_drawn("");
	assert_same_when_drawn("one\r\ntwo\r\n# ");
	assert_same_when_drawn(
		"\x1b[1;31mred\x1b[0m \x1b[4;38;5;200mpink\x1b[48;2;1;2;3m  \x1b[7mx");
	assert_same_when_drawn("\x1b[3mslant\x1b[9mout\x1b[21mtwo\x1b[5mblink\x1b[41m\x1b[K");
	assert_same_when_drawn("w\xc3\xa4rme \xe6\xbc\xa2\xe5\xad\x97 e\xcc\x81 \xf0\x9f\x98\x80!");
	assert_same_when_drawn("\x1b(0lqqk\x1b(B \x1b[10;40Hx");
	assert_same_when_drawn("\x1b[?1049h\x1b[2J\x1b[3;8r\x1b[5;5Hmiddle\x1b[?25l");
	assert_same_when_drawn("\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1004h\x1b[4 q");
	assert_same_when_drawn("\x1b[2;9r\x1b[?6h\x1b[3;3Hx\x1b[?7l\x1b[1;32m");
	assert_same_when_drawn("\x1b[?5hinverse");
	assert_same_when_drawn("\x1b#6double\x1b#\x1b[1mbold\x1b#8");
}

/* What both drawings left out would be the same, too. */
static void test_nothing_is_left_out_of_a_drawing(void **state)
{
	static const struct {
		const char *program, *part;
	} all[] = {
		{ "some text", "some text" },
		{ "\x1b[10;40H", "\x1b[10;40H" },
		{ "\x1b[?1h", "\x1b[?1h" },
		{ "\x1b[?2004h", "\x1b[?2004h" },
		{ "\x1b[?1002h", "\x1b[?1002h" },
		{ "\x1b[?25h", "\x1b[?25h" },
		{ "\x1b[4m", "\x1b[0;4m" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct screen *s = new_screen();
		char *text;

		feed(s, all[i].program);
		text = drawing(s, false);
		assert_non_null(strstr(text, all[i].part));
		free(text);
		screen_free(s);
	}
}

static void test_every_line_that_was_fits_the_bound(void **state)
{
	struct screen *s = new_screen();
	struct bytes out = {};
	char line[64];

	for (int i = 0; i < 100000; i++) {
		(void)snprintf(line, sizeof(line), "line number %d\r\n", i);
		feed(s, line);
	}
	screen_draw(s, true, &out);
	assert_in_range(out.n, 200 * 1024, 300 * 1024);
	bytes_add(&out, "", 1);
	assert_null(strstr(out.data, "line number 50000\r"));
	/* the oldest is whole, the newest is on the screen */
	assert_memory_equal(out.data, "\x1b[?7hline number ", 17);
	assert_non_null(strstr(out.data, "line number 99990\r\n"));
	assert_non_null(strstr(out.data, "line number 99999\x1b["));
	bytes_done(&out);
	screen_free(s);
}

static void test_between_sequences(void **state)
{
	static const char *const begun[] = { "\x1b", "\x1b[", "\x1b[3", "\x1b[?25", "\x1b]2;title",
		"\x1bPx", "\x1b(", "\xe6\xbc", "\xf0", "\x1b]8;;x\x1b", "\x1b[3\x1b[" };
	static const char *const done[] = { "x", "\x1b[3m", "\x1b]2;t\a", "\x1bPx\x1b\\", "\x1b(B",
		"\xe6\xbc\xa2",
		"\x1b"
		"7",
		"\x1b]8;;x\x1b\\", "\x1b[3\x18", "\xff", "\xe6x" };
	struct screen *s = new_screen();

	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		feed(s, begun[i]);
		assert_false(screen_is_between(s));
		screen_cancel(s);
		assert_true(screen_is_between(s));
	}
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++) {
		feed(s, done[i]);
		assert_true(screen_is_between(s));
	}
	screen_free(s);
}

static void test_the_first_screen_is_due_when_the_other_ends(void **state)
{
	struct screen *s = new_screen();
	char *text;

	feed(s, "shell\x1b[?1049hless");
	assert_false(screen_has_returned(s));
	text = drawing(s, true);
	assert_non_null(strstr(text, "\x1b[?1049h"));
	assert_null(strstr(text, "shell"));
	free(text);
	feed(s, "\x1b[?1049l");
	assert_true(screen_has_returned(s));
	text = drawing(s, false);
	assert_non_null(strstr(text, "shell"));
	assert_null(strstr(text, "less"));
	assert_false(screen_has_returned(s));
	free(text);
	screen_free(s);
}

static void test_questions_are_answered_and_ours_are_not(void **state)
{
	struct screen *s = new_screen();

	feed(s, "ab\x1b[6n");
	assert_string_equal(answers, "\x1b[1;3R");
	free(drawing(s, true));
	assert_string_equal(answers, "\x1b[1;3R");
	screen_free(s);
}

/* Nothing but what we know is in a drawing: no title, no question, no control character. */
static void test_a_drawing_asks_and_does_nothing(void **state)
{
	struct screen *s = new_screen();
	char *text;

	feed(s, "\x1b]2;evil\a\x1b]52;c;ZXZpbA==\a\x1b[5n\x1b[c\x1b[6n\xc2\x9b"
		"6n\x1bP$qm\x1b\\\x05x");
	text = drawing(s, true);
	assert_null(strstr(text, "evil"));
	assert_null(strchr(text, ']'));
	assert_null(strchr(text, '\a'));
	assert_null(strchr(text, '\x05'));
	assert_null(strchr(text, '\xc2'));
	assert_null(strstr(text, "\x1b[6n"));
	assert_null(strstr(text, "\x1b[c"));
	free(text);
	screen_free(s);
}

static void test_sizes(void **state)
{
	struct screen *s = new_screen();

	feed(s, "0123456789\r\nsecond");
	feed(s, "\x1b[9r\x1b[9;3Hx");
	screen_resize(s, 5, 8);
	feed(s, "\x1b[S\x1b[T\x1b[J\r\n\n\n\n\n\n");
	screen_resize(s, 0, 0);
	feed(s, "\xe6\xbc\xa2\r\n\xf0\x9f\x98\x80");
	screen_resize(s, 65535, 65535);
	screen_resize(s, 24, 80);
	feed(s, "\x1b[24;80Hx\x1b[999;999Hy");
	free(drawing(s, true));
	screen_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_drawing_makes_the_same_screen),
		cmocka_unit_test(test_nothing_is_left_out_of_a_drawing),
		cmocka_unit_test(test_every_line_that_was_fits_the_bound),
		cmocka_unit_test(test_between_sequences),
		cmocka_unit_test(test_the_first_screen_is_due_when_the_other_ends),
		cmocka_unit_test(test_questions_are_answered_and_ours_are_not),
		cmocka_unit_test(test_a_drawing_asks_and_does_nothing),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
