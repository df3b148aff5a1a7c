/* SPDX-License-Identifier: MIT */
#include "host-tools/remote.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* What a shell makes of the quoted words, one a line in brackets. */
static void assert_shell_reads(char *const *argv, const char *wanted)
{
	_cleanup_free_ char *quoted = remote_quote(argv), *command = NULL;
	char have[4096];
	size_t n;
	FILE *f;

	assert_non_null(quoted);
	assert_true(asprintf(&command, "printf '[%%s]\\n' %s", quoted) > 0);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(have, 1, sizeof(have) - 1, f);
	have[n] = '\0';
	assert_int_equal(pclose(f), 0);
	assert_string_equal(have, wanted);
}

static void words_survive_a_shell(void **state)
{
	assert_shell_reads((char *[]){ "exec", "a-b_c/d.e", NULL }, "[exec]\n[a-b_c/d.e]\n");
	assert_shell_reads((char *[]){ "", " ", "\n", NULL }, "[]\n[ ]\n[\n]\n");
	assert_shell_reads((char *[]){ "'", "''", "it's", "\\", "\\'", "'\\''", NULL },
		"[']\n['']\n[it's]\n[\\]\n[\\']\n['\\'']\n");
	assert_shell_reads(
		(char *[]){ "$HOME", "`id`", "*", "~", "#", "a;b", "\"", "!", "=x", NULL },
		"[$HOME]\n[`id`]\n[*]\n[~]\n[#]\n[a;b]\n[\"]\n[!]\n[=x]\n");
}

static void every_byte_survives_a_shell(void **state)
{
	for (int c = 1; c < 256; c++) {
		char word[] = { 'a', (char)c, 'b', '\0' };
		char wanted[] = { '[', 'a', (char)c, 'b', ']', '\n', '\0' };

		assert_shell_reads((char *[]){ word, NULL }, wanted);
	}
}

/* A fish takes a backslash for more in single quotes: there may be none. */
static void no_backslash_is_quoted(void **state)
{
	_cleanup_free_ char *quoted = remote_quote((char *[]){ "a\\'b", NULL });

	assert_string_equal(quoted, "'a'\\\\''\\''b'");
}

/* Takes -H out of a command line as verb_parse() would. Compares what is left. */
static void assert_takes(const char *const *given, const char *wanted)
{
	static const struct option options[] = { { "host", required_argument, NULL, 'H' }, {} };
	_cleanup_free_ char *left = NULL;
	char words[8][16], *argv[9] = {};
	int argc, c;

	for (argc = 0; given[argc]; argc++) {
		(void)snprintf(words[argc], sizeof(words[argc]), "%s", given[argc]);
		argv[argc] = words[argc];
	}
	optind = opterr = 0;
	while ((c = getopt_long(argc, argv, "+tH:", options, NULL)) >= 0)
		if (c == 'H')
			remote_take(argv);
	assert_true(remote_is_asked());
	left = remote_quote(argv);
	assert_string_equal(left, wanted);
}

static void the_option_is_taken_out(void **state)
{
	assert_false(remote_is_asked());
	assert_takes((const char *[]){ "exec", "-H", "h", "foo", NULL }, "exec foo");
	assert_takes((const char *[]){ "exec", "-Hh", "foo", NULL }, "exec foo");
	assert_takes((const char *[]){ "exec", "-tH", "h", "foo", NULL }, "exec -t foo");
	assert_takes((const char *[]){ "exec", "-tHh", "foo", NULL }, "exec -t foo");
	assert_takes((const char *[]){ "exec", "--host", "h", "foo", NULL }, "exec foo");
	assert_takes((const char *[]){ "exec", "--host=h", "foo", NULL }, "exec foo");
	assert_takes((const char *[]){ "exec", "--ho", "h", "foo", NULL }, "exec foo");
	assert_takes((const char *[]){ "exec", "-Ha", "-t", "-H", "b", "-H", NULL }, "exec -t -H");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_survive_a_shell),
		cmocka_unit_test(every_byte_survives_a_shell),
		cmocka_unit_test(no_backslash_is_quoted),
		cmocka_unit_test(the_option_is_taken_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
