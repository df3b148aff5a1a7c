/* SPDX-License-Identifier: MIT */
#include "exec-message.h"

#include "cleanup.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char buf[EXEC_MESSAGE_MAX];

/* In memory of its exact size, so that a sanitizer sees any step beyond. */
static int parse(const void *data, size_t len, struct exec_message *ret, const char **ret_why)
{
	_cleanup_free_ char *copy = malloc(len ?: 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return exec_message_parse(copy, len, ret, ret_why);
}

static void assert_refused(const void *data, size_t len, const char *wanted)
{
	struct exec_message m = { .type = EXEC_SIGNAL };
	const char *why = NULL;

	assert_int_equal(parse(data, len, &m, &why), -EBADMSG);
	assert_string_equal(why, wanted);
	assert_int_equal(m.type, EXEC_SIGNAL);
}

static void assert_string(struct exec_string s, const char *wanted)
{
	assert_int_equal(s.len, strlen(wanted));
	assert_memory_equal(s.data, wanted, s.len);
}

static ssize_t start(uint32_t flags, char *const *argv, char *const *env)
{
	return exec_message_start(buf, sizeof(buf), flags, "me", "/tmp", argv, env);
}

/* The bytes that docs/exec-protocol.md gives for this START. */
static void test_start_bytes(void **state)
{
	static const unsigned char wanted[] = {
		1, 1, 0, 0, 58, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0,
		0,						      /* header, flags, counts */
		2, 0, 0, 0, 'm', 'e', 4, 0, 0, 0, '/', 't', 'm', 'p', /* user, directory */
		2, 0, 0, 0, 'l', 's', 2, 0, 0, 0, '-', 'l',	      /* argv */
		8, 0, 0, 0, 'T', 'E', 'R', 'M', '=', 'x', 'y', 'z',   /* env */
	};

	assert_int_equal(
		start(EXEC_TTY, (char *[]){ "ls", "-l", NULL }, (char *[]){ "TERM=xyz", NULL }),
		sizeof(wanted));
	assert_memory_equal(buf, wanted, sizeof(wanted));
}

static void test_start_round_trip(void **state)
{
	ssize_t n = start(EXEC_LOGIN | EXEC_DETACH, (char *[]){ "a", "", "c d", NULL },
		(char *[]){ "K=", "L=v=w", NULL });
	struct exec_message m;
	const char *why, *cursor;

	assert_int_equal(exec_message_parse(buf, n, &m, &why), 0);
	assert_int_equal(m.type, EXEC_START);
	assert_int_equal(m.start.flags, EXEC_LOGIN | EXEC_DETACH);
	assert_int_equal(m.start.argc, 3);
	assert_int_equal(m.start.envc, 2);
	assert_string(m.start.user, "me");
	assert_string(m.start.directory, "/tmp");
	cursor = m.start.strings;
	assert_string(exec_string_next(&cursor), "a");
	assert_string(exec_string_next(&cursor), "");
	assert_string(exec_string_next(&cursor), "c d");
	assert_string(exec_string_next(&cursor), "K=");
	assert_string(exec_string_next(&cursor), "L=v=w");
	assert_ptr_equal(cursor, buf + n);
}

static void test_start_empty(void **state)
{
	ssize_t n = exec_message_start(
		buf, sizeof(buf), EXEC_SHELL, NULL, NULL, (char *[]){ NULL }, NULL);
	struct exec_message m;
	const char *why;

	assert_int_equal(n, 28);
	assert_int_equal(parse(buf, n, &m, &why), 0);
	assert_int_equal(m.start.argc, 0);
	assert_int_equal(m.start.user.len, 0);
}

static void test_start_limits(void **state)
{
	char *argv[EXEC_STRINGS_MAX + 2];
	static char big[EXEC_MESSAGE_MAX];
	struct exec_message m;
	const char *why;
	ssize_t n;

	for (size_t i = 0; i <= EXEC_STRINGS_MAX; i++)
		argv[i] = "x";
	argv[EXEC_STRINGS_MAX + 1] = NULL;
	assert_int_equal(start(0, argv, NULL), -E2BIG);
	assert_int_equal(start(EXEC_SHELL, NULL, argv), -E2BIG);
	argv[EXEC_STRINGS_MAX] = NULL;
	n = start(0, argv, NULL);
	assert_int_equal(parse(buf, n, &m, &why), 0);
	assert_int_equal(m.start.argc, EXEC_STRINGS_MAX);

	/* header 8, flags and counts 12, user 6, directory 8, one length 4: what is left is argv[0]
	 */
	memset(big, 'y', EXEC_MESSAGE_MAX - 38);
	n = start(0, (char *[]){ big, NULL }, NULL);
	assert_int_equal(n, EXEC_MESSAGE_MAX);
	assert_int_equal(parse(buf, n, &m, &why), 0);
	big[EXEC_MESSAGE_MAX - 38] = 'y';
	assert_int_equal(start(0, (char *[]){ big, NULL }, NULL), -E2BIG);
	assert_int_equal(
		exec_message_start(buf, 7, 0, NULL, NULL, (char *[]){ "x", NULL }, NULL), -E2BIG);
}

static void test_start_refusals(void **state)
{
	char *argv[] = { "true", NULL };
	ssize_t n;

	n = start(32, argv, NULL);
	assert_refused(buf, n, "an unknown flag");
	n = start(EXEC_LOGIN | EXEC_SHELL, argv, NULL);
	assert_refused(buf, n, "LOGIN and SHELL");
	n = start(EXEC_TTY | EXEC_DETACH, argv, NULL);
	assert_refused(buf, n, "TTY and DETACH");
	n = start(EXEC_TTY, NULL, NULL);
	assert_refused(buf, n, "no program");
	n = start(0, (char *[]){ "", NULL }, NULL);
	assert_refused(buf, n, "an empty program name");
	for (size_t i = 0; i < 3; i++) {
		char *const bad[] = { "", "=x", "NAME" };

		n = start(0, argv, (char *[]){ "A=b", bad[i], NULL });
		assert_refused(buf, n, "a variable that is not NAME=VALUE");
	}
	n = exec_message_start(buf, sizeof(buf), 0, NULL, "tmp", argv, NULL);
	assert_refused(buf, n, "a directory that is not absolute");
	n = start(0, argv, NULL);
	buf[n - 1] = '\0';
	assert_refused(buf, n, "a NUL in a string");
	n = start(0, argv, NULL);
	buf[13] = 0x10; /* argc 4097 */
	assert_refused(buf, n, "too many arguments");
	n = start(0, argv, NULL);
	buf[17] = 0x11;
	assert_refused(buf, n, "too many variables");
	n = start(0, argv, NULL);
	memset(buf + 20, 0xff, 4); /* a user of 4 GiB */
	assert_refused(buf, n, "cut short");
}

static void test_descriptors(void **state)
{
	assert_int_equal(exec_start_fds(EXEC_LOGIN), 3);
	assert_int_equal(exec_start_fds(EXEC_TTY | EXEC_PAM), 1);
	assert_int_equal(exec_start_fds(EXEC_DETACH | EXEC_SHELL), 0);
}

static void test_every_cut_is_refused(void **state)
{
	ssize_t n = start(0, (char *[]){ "true", "x", NULL }, (char *[]){ "A=b", NULL });
	char whole[256];

	memcpy(whole, buf, n);
	for (ssize_t cut = 0; cut < n; cut++) {
		struct exec_message m;
		const char *why;
		uint32_t length = htole32((uint32_t)cut);

		assert_int_equal(parse(whole, cut, &m, &why), -EBADMSG);
		/* and one that tells the length which it has */
		memcpy(buf, whole, n);
		memcpy(buf + 4, &length, 4);
		assert_int_equal(parse(buf, cut, &m, &why), -EBADMSG);
		assert_string_equal(why, "cut short");
	}
}

static size_t write_message(struct exec_message m)
{
	return exec_message_write(buf, &m);
}

static void test_headers(void **state)
{
	size_t n = write_message((struct exec_message){ .type = EXEC_SIGNAL, .signal = 15 });

	assert_int_equal(n, 12);
	buf[0] = 2;
	assert_refused(buf, n, "another version");
	buf[0] = 1;
	buf[1] = 3;
	assert_refused(buf, n, "an unknown type");
	buf[1] = EXEC_SIGNAL;
	buf[3] = 1;
	assert_refused(buf, n, "a reserved byte that is set");
	buf[3] = 0;
	buf[4] = 13;
	assert_refused(buf, n, "a wrong length");
	assert_refused(buf, n + 1, "bytes behind the end");
	assert_refused(buf, 0, "cut short");
}

static void test_small_messages(void **state)
{
	struct exec_message m;
	const char *why;
	size_t n;

	for (uint32_t s = 0; s < 70; s++) {
		n = write_message((struct exec_message){ .type = EXEC_SIGNAL, .signal = s });
		if (s < 1 || s > 64) {
			assert_refused(buf, n, "a signal that is none");
			continue;
		}
		assert_int_equal(parse(buf, n, &m, &why), 0);
		assert_int_equal(m.signal, s);
	}
	n = write_message((struct exec_message){ .type = EXEC_STARTED, .pid = 4711 });
	assert_int_equal(parse(buf, n, &m, &why), 0);
	assert_int_equal(m.type, EXEC_STARTED);
	assert_int_equal(m.pid, 4711);
}

static void test_failed(void **state)
{
	static char text[EXEC_TEXT_MAX + 100];
	struct exec_message m = { .type = EXEC_FAILED,
		.failed = { EXEC_STEP_PROGRAM, ENOENT, { "no such program", 15 } } };
	const char *why;
	size_t n = write_message(m);

	memset(&m, 0, sizeof(m));
	assert_int_equal(exec_message_parse(buf, n, &m, &why), 0);
	assert_int_equal(m.failed.step, EXEC_STEP_PROGRAM);
	assert_int_equal(m.failed.error, ENOENT);
	assert_string(m.failed.text, "no such program");

	/* longer text is cut, a NUL ends it */
	memset(text, 'z', sizeof(text));
	m.failed.text = (struct exec_string){ text, sizeof(text) };
	n = write_message(m);
	assert_int_equal(exec_message_parse(buf, n, &m, &why), 0);
	assert_int_equal(m.failed.text.len, EXEC_TEXT_MAX);
	m.type = EXEC_ERROR;
	m.error = (struct exec_string){ "a\0b", 3 };
	n = write_message(m);
	assert_int_equal(exec_message_parse(buf, n, &m, &why), 0);
	assert_string(m.error, "a");

	for (uint32_t step = 0; step <= 8; step += 8) {
		n = write_message(
			(struct exec_message){ .type = EXEC_FAILED, .failed.step = step });
		assert_refused(buf, n, "an unknown step");
	}
	n = write_message((struct exec_message){
		.type = EXEC_FAILED, .failed = { .step = 1, .error = 4096 } });
	assert_refused(buf, n, "an errno that is none");
}

static void test_text_too_long(void **state)
{
	const size_t n = 12 + EXEC_TEXT_MAX + 1;
	const uint32_t length = htole32(n), text = htole32(EXEC_TEXT_MAX + 1);

	memset(buf, 'x', n);
	memcpy(buf, "\1\204\0\0", 4);
	memcpy(buf + 4, &length, 4);
	memcpy(buf + 8, &text, 4);
	assert_refused(buf, n, "a text that is too long");
}

static void test_exited(void **state)
{
	struct exec_message m = { .type = EXEC_EXITED,
		.exited = { EXEC_HOW_KILLED, 9, 1, UINT64_MAX, (uint64_t)1 << 40 } };
	const char *why;
	size_t n = write_message(m);

	memset(&m, 0, sizeof(m));
	assert_int_equal(n, 40);
	assert_int_equal(parse(buf, n, &m, &why), 0);
	assert_int_equal(m.exited.how, EXEC_HOW_KILLED);
	assert_int_equal(m.exited.value, 9);
	assert_int_equal(m.exited.user_usec, 1);
	assert_true(m.exited.system_usec == UINT64_MAX);
	assert_true(m.exited.maxrss == (uint64_t)1 << 40);
	m.exited.value = 65;
	assert_refused(buf, write_message(m), "a signal that is none");
	m.exited.value = 0;
	assert_refused(buf, write_message(m), "a signal that is none");
	m.exited.how = EXEC_HOW_EXITED;
	m.exited.value = 256;
	assert_refused(buf, write_message(m), "an exit status above 255");
	m.exited.how = 4;
	assert_refused(buf, write_message(m), "an unknown kind of end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_bytes),
		cmocka_unit_test(test_start_round_trip),
		cmocka_unit_test(test_start_empty),
		cmocka_unit_test(test_start_limits),
		cmocka_unit_test(test_start_refusals),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_text_too_long),
		cmocka_unit_test(test_exited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
