/* SPDX-License-Identifier: MIT */

#include "ini.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What the parser said, one line a call: "SECTION|KEY|VALUE|LINE", "[SECTION]LINE", "!WHAT|LINE".
 */
struct said {
	char text[4096];
	FILE *f;
	int fail_at; /* the assignment that returns -ECANCELED, from 1 on; 0: none */
	int assignments;
};

static int on_section(void *userdata, const char *section, unsigned line)
{
	struct said *said = userdata;

	fprintf(said->f, "[%s]%u\n", section, line);
	return 0;
}

static int on_assignment(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	struct said *said = userdata;

	fprintf(said->f, "%s|%s|%s|%u\n", section, key, value, line);
	return ++said->assignments == said->fail_at ? -ECANCELED : 0;
}

static int on_error(void *userdata, unsigned line, const char *what)
{
	struct said *said = userdata;

	fprintf(said->f, "!%s|%u\n", what, line);
	return 0;
}

static const struct ini_callbacks callbacks = {
	.section = on_section,
	.assignment = on_assignment,
	.error = on_error,
};

static int parse(struct said *said, const char *text, size_t len)
{
	int r;

	said->f = fmemopen(said->text, sizeof(said->text), "w");
	assert_non_null(said->f);
	r = ini_parse(text, len, &callbacks, said);
	fclose(said->f);
	return r;
}

static const struct {
	const char *name, *text, *said;
} cases[] = {
	{ "nothing", "", "" },
	{ "blank lines", "\n  \n\t\n", "" },
	{ "an assignment", "[A]\nk=v\n", "[A]1\nA|k|v|2\n" },
	{ "no newline at the end", "[A]\nk=v", "[A]1\nA|k|v|2\n" },
	{ "blanks", "  [A]  \n \tk \t = v w \t\n", "[A]1\nA|k|v w|2\n" },
	{ "an empty value", "[A]\nk=\n", "[A]1\nA|k||2\n" },
	{ "a value with =", "[A]\nk=a=b=c\n", "[A]1\nA|k|a=b=c|2\n" },
	{ "comments", "# c\n;c\n[A]\n  # k=v\nk=v # no; comment\n",
		"[A]3\nA|k|v # no; comment|5\n" },
	{ "repeated keys and sections", "[A]\nk=1\nk=2\n[B]\nk=3\n[A]\nk=4\n",
		"[A]1\nA|k|1|2\nA|k|2|3\n[B]4\nB|k|3|5\n[A]6\nA|k|4|7\n" },
	{ "continuation", "[A]\nk=a\\\n  b \\\nc\nl=1\n", "[A]1\nA|k|a b  c|2\nA|l|1|5\n" },
	{ "a comment in a continuation", "[A]\nk=a\\\n# no\n;no\\\nb\nl=1\n",
		"[A]1\nA|k|a b|2\nA|l|1|6\n" },
	{ "an empty line ends a continuation", "[A]\nk=a\\\n\nl=1\n", "[A]1\nA|k|a|2\nA|l|1|4\n" },
	{ "an escaped backslash continues nothing", "[A]\nk=a\\\\\nl=1\n",
		"[A]1\nA|k|a\\\\|2\nA|l|1|3\n" },
	{ "a continuation at the end", "[A]\nk=a\\", "[A]1\nA|k|a|2\n" },
	{ "carriage returns", "[A]\r\nk=v\r\nl=a\\\r\nb\r\n", "[A]1\nA|k|v|2\nA|l|a b|3\n" },
	{ "a byte order mark", "\xef\xbb\xbf[A]\nk=v\n", "[A]1\nA|k|v|2\n" },
	{ "UTF-8", "[A]\nk=\xc3\xa4\n", "[A]1\nA|k|\xc3\xa4|2\n" },
	{ "not UTF-8", "[A]\nk=\xe4\nl=1\n",
		"[A]1\n!control characters, or not UTF-8|2\nA|l|1|3\n" },
	{ "a carriage return inside", "[A]\nk=a\rb\n",
		"[A]1\n!control characters, or not UTF-8|2\n" },
	{ "an escape", "[A]\nk=\x1b[0m\n", "[A]1\n!control characters, or not UTF-8|2\n" },
	{ "before a section", "k=v\n[A]\n", "!a key before the first [Section]|1\n[A]2\n" },
	{ "no =", "[A]\nkey\n", "[A]1\n!neither Key=Value nor [Section]|2\n" },
	{ "no key", "[A]\n =v\n", "[A]1\n!no key before '='|2\n" },
	{ "a bad header is one error", "[A\nk=v\n[B]\nk=v\n",
		"!a section header must look like [Section]|1\n[B]3\nB|k|v|4\n" },
	{ "an empty header", "[]\n", "!a section header must look like [Section]|1\n" },
	{ "brackets in a header", "[a]b]\n", "!a section header must look like [Section]|1\n" },
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct said said = {};
		/* without room after it: a step too far is found by the sanitizers */
		size_t len = strlen(cases[i].text);
		_cleanup_free_ char *exact = malloc(len ?: 1);

		memcpy(exact, cases[i].text, len);
		if (parse(&said, exact, len) != 0 || strcmp(said.text, cases[i].said) != 0)
			fail_msg("%s: '%s'", cases[i].name, said.text);
	}
}

static void test_nul_is_an_error(void **state)
{
	static const char text[] = "[A]\nk=a\0b\nl=1\n";
	struct said said = {};

	assert_int_equal(parse(&said, text, sizeof(text) - 1), 0);
	assert_string_equal(said.text, "[A]1\n!a NUL byte|2\nA|l|1|3\n");
}

static int count_length(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	*(size_t *)userdata = strlen(value);
	return 0;
}

static void test_long_lines(void **state)
{
	static const struct ini_callbacks counting = { .assignment = count_length };
	size_t len = INI_MAX_SIZE, got = 0;
	_cleanup_free_ char *text = malloc(len + 1);

	memset(text, 'x', len + 1);
	memcpy(text, "[A]\nk=", 6);
	assert_int_equal(ini_parse(text, len, &counting, &got), 0);
	assert_int_equal(got, len - 6);
	assert_int_equal(ini_parse(text, len + 1, &counting, &got), -EFBIG);
}

static void test_callback_ends_it(void **state)
{
	struct said said = { .fail_at = 2 };
	static const char text[] = "[A]\na=1\nb=2\nc=3\n";

	assert_int_equal(parse(&said, text, strlen(text)), -ECANCELED);
	assert_string_equal(said.text, "[A]1\nA|a|1|2\nA|b|2|3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_nul_is_an_error),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_callback_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
