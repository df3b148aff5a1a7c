/* SPDX-License-Identifier: MIT */

/* JSON that any reader takes, whatever the text is. */

#include "host-tools/ctl/json.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *text;
static size_t size;
static struct json json;

static int setup(void **state)
{
	json = (struct json){ .f = open_memstream(&text, &size) };
	return json.f ? 0 : -1;
}

static int teardown(void **state)
{
	free(text);
	text = NULL;
	return 0;
}

static void assert_json(const char *wanted)
{
	assert_int_equal(fclose(json.f), 0);
	assert_string_equal(text, wanted);
}

static void test_objects_and_arrays(void **state)
{
	json_open(&json, NULL, '[');
	json_open(&json, NULL, '{');
	json_string(&json, "a", "b");
	json_number(&json, "n", UINT64_MAX);
	json_bool(&json, "t", true);
	json_bool(&json, "f", false);
	json_null(&json, "z");
	json_string(&json, "none", NULL);
	json_open(&json, "list", '[');
	json_string(&json, NULL, "1");
	json_string(&json, NULL, "2");
	json_close(&json, ']');
	json_open(&json, "empty", '[');
	json_close(&json, ']');
	json_close(&json, '}');
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	assert_json("[{\"a\":\"b\",\"n\":18446744073709551615,\"t\":true,\"f\":false,\"z\":null,"
		    "\"none\":null,\"list\":[\"1\",\"2\"],\"empty\":[]},{}]");
}

static void test_escapes(void **state)
{
	json_string(&json, NULL, "q\" b\\ \n\t\033[31m \x7f");
	assert_json("\"q\\\" b\\\\ \\u000a\\u0009\\u001b[31m \\u007f\"");
}

/* CSI as one character: terminals obey it. */
static void test_c1(void **state)
{
	json_string(&json, NULL,
		"\xc2\x9b"
		"31m \xc2\xa0");
	assert_json("\"\\u009b31m \xc2\xa0\"");
}

static void test_utf8(void **state)
{
	json_string(&json, NULL, "ä € \xf0\x9f\x9a\xaa");
	assert_json("\"ä € \xf0\x9f\x9a\xaa\"");
}

/* cut, overlong, surrogate, beyond Unicode, a lone continuation */
static void test_not_utf8(void **state)
{
	json_string(&json, NULL, "\xe2\x82|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\x80|\xf0");
#define R "\xef\xbf\xbd"
	assert_json("\"" R R "|" R R "|" R R R "|" R R R R "|" R "|" R "\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_objects_and_arrays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_c1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_utf8, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
