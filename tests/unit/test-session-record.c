/* SPDX-License-Identifier: MIT */

/* What the agent writes is what the host reads, and of anything else nothing is believed. */

#include "session-record.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char text[SESSION_RECORD_SIZE];
static struct session_record record;

static int parse(const char *line)
{
	memset(text, ' ', sizeof(text));
	memcpy(text, line, strlen(line));
	text[sizeof(text) - 1] = '\n';
	return session_record_parse(text, &record);
}

static void round_trip(const char *door, const char *user, uint64_t since, const char *wanted)
{
	struct session_record in = { .since_usec = since };

	(void)snprintf(in.door, sizeof(in.door), "%s", door);
	(void)snprintf(in.user, sizeof(in.user), "%s", user);
	session_record_write(text, &in);
	assert_int_equal(text[sizeof(text) - 1], '\n');
	assert_int_equal(session_record_parse(text, &record), 1);
	assert_string_equal(record.door, door);
	assert_string_equal(record.user, wanted);
	assert_int_equal(record.since_usec, since);
}

static void test_round_trip(void **state)
{
	const char *const doors[] = { "login", "root-login", "root-shell", "exec" };
	char longest[SESSION_USER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		round_trip(doors[i], "root", 1764000000000000 + i, "root");
	round_trip("login", "", 0, "");
	round_trip("exec", "1234", 9999999999999999999u, "1234");
	memset(longest, 'u', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	round_trip("root-shell", longest, 9999999999999999999u, longest);
	/* an odd name would make a line that means something else */
	round_trip("exec", "a b", 1, "");
	round_trip("exec", "a\033[31m", 1, "");
	round_trip("exec", "\xc3\xa4", 1, "");
	round_trip("exec", "-", 1, "");
}

static void test_free_record(void **state)
{
	session_record_clear(text);
	assert_int_equal(session_record_parse(text, &record), 0);
}

static void test_anything_else(void **state)
{
	const char *const wrong[] = {
		"exec",
		"exec 1",
		"exec 1 ",
		"exec  1 root",
		" exec 1 root",
		"exec x root",
		"exec -1 root",
		"exec 1x root",
		"exec 12345678901234567890 root",
		"kitchen 1 root",
		"exec-exec-exec-exec 1 root",
		"exec 1 root more",
		"exec 1 ro\tot",
		"exec 1 ro\033ot",
		"exec 1 ro\xff",
		"exec 1 ro\x7fot",
		"exec 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};

	assert_int_equal(parse("exec 1 root"), 1);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(parse(wrong[i]), -EBADMSG);
	assert_int_equal(parse("exec 1 root"), 1);
	text[sizeof(text) - 1] = ' ';
	assert_int_equal(session_record_parse(text, &record), -EBADMSG);
	memset(text, 0, sizeof(text));
	assert_int_equal(session_record_parse(text, &record), -EBADMSG);
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(session_record_parse(text, &record), -EBADMSG);
	/* no byte to spare for anybody */
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(session_record_parse(text, &record), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_free_record),
		cmocka_unit_test(test_anything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
