/* SPDX-License-Identifier: MIT */
#include "host-tools/client/asciicast.h"

#include "scratch.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FILE_NAME "/run/cast"

static char have[1 << 20];
static struct asciicast cast = ASCIICAST_NULL;

static void begin(void)
{
	const struct asciicast_header header = { .columns = 80, .rows = 24 };

	(void)unlink(FILE_NAME);
	assert_int_equal(unsetenv("TERM"), 0);
	assert_int_equal(asciicast_open(&cast, FILE_NAME, &header), 0);
}

/* The file, without the header. */
static const char *events(void)
{
	int fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, have, sizeof(have) - 1);

	(void)close(fd);
	assert_true(n > 0);
	have[n] = '\0';
	assert_true(strchr(have, '\n'));
	return strchr(have, '\n') + 1;
}

/* What all events of output say, one behind the other, as it is written there. */
static const char *output(void)
{
	static char text[1 << 20];
	char *out = text;
	const char *p = events();

	for (const char *end; *p; p = end + 1) {
		const char *data = strstr(p, ", \"o\", \"");

		end = strchr(p, '\n');
		assert_true(data && end && data < end);
		if (!data) /* the analyzer doesn't know that it has left */
			break;
		data += strlen(", \"o\", \"");
		assert_memory_equal(end - 2, "\"]", 2);
		out = mempcpy(out, data, (size_t)(end - 2 - data));
	}
	*out = '\0';
	return text;
}

static void assert_writes(const char *bytes, size_t len, const char *wanted)
{
	/* cut everywhere, and not at all */
	for (size_t cut = 0; cut <= len; cut++) {
		begin();
		asciicast_output(&cast, bytes, cut);
		asciicast_output(&cast, bytes + cut, len - cut);
		assert_int_equal(asciicast_close(&cast), 0);
		assert_string_equal(output(), wanted);
	}
	/* byte by byte */
	begin();
	for (size_t i = 0; i < len; i++)
		asciicast_output(&cast, bytes + i, 1);
	assert_int_equal(asciicast_close(&cast), 0);
	assert_string_equal(output(), wanted);
}

static void characters_come_in_pieces(void **state)
{
	static const struct {
		const char *bytes, *wanted;
	} rows[] = {
		{ "plain", "plain" },
		{ "a\"b\\c\r\n\033[0m\177", "a\\\"b\\\\c\\u000d\\u000a\\u001b[0m\\u007f" },
		{ "\xc2\x9b"
		  "31m\xc2\xa0",
			"\\u009b31m\xc2\xa0" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		/* no UTF-8: overlong, a surrogate, beyond the end, bare, cut */
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "a\x80z", "a\xef\xbf\xbdz" },
		{ "\xe2\x82z", "\xef\xbf\xbd\xef\xbf\xbdz" },
		{ "\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc3", "\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_writes(rows[i].bytes, strlen(rows[i].bytes), rows[i].wanted);
	assert_writes("\0x", 2, "\\u0000x");
}

static void much_is_several_events(void **state)
{
	static char bytes[65536], *wanted = NULL;
	char *out;

	wanted = out = malloc(sizeof(bytes) * 6 + 1);
	assert_non_null(wanted);
	memset(bytes, 1, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		out = stpcpy(out, "\\u0001");
	begin();
	asciicast_output(&cast, bytes, sizeof(bytes));
	assert_int_equal(asciicast_close(&cast), 0);
	assert_string_equal(output(), wanted);
	free(wanted);
}

static void the_header_says_what_it_is(void **state)
{
	const struct asciicast_header header = { 101, 33, "na\"me", "printf '\\n' '\xff'" };
	struct stat st;

	(void)unlink(FILE_NAME);
	assert_int_equal(setenv("TERM", "vt220", 1), 0);
	assert_int_equal(asciicast_open(&cast, FILE_NAME, &header), 0);
	asciicast_resize(&cast, 111, 41);
	/* at once, not at the end */
	assert_non_null(strstr(events(), ", \"r\", \"111x41\"]\n"));
	assert_memory_equal(
		have, "{\"version\": 2, \"width\": 101, \"height\": 33, \"timestamp\": ", 54);
	assert_non_null(strstr(have, ", \"command\": \"printf '\\\\n' '\xef\xbf\xbd'\", \"title\": "
				     "\"na\\\"me\", \"env\": {\"TERM\": \"vt220\"}}\n["));
	assert_int_equal(asciicast_close(&cast), 0);
	assert_int_equal(stat(FILE_NAME, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
}

static void what_is_there_stays(void **state)
{
	const struct asciicast_header header = { .columns = 80, .rows = 24 };

	begin();
	assert_int_equal(asciicast_close(&cast), 0);
	assert_int_equal(asciicast_open(&cast, FILE_NAME, &header), -EEXIST);
	assert_int_equal(unlink(FILE_NAME), 0);
	assert_int_equal(symlink("/run/other", FILE_NAME), 0);
	assert_int_equal(asciicast_open(&cast, FILE_NAME, &header), -EEXIST);
	assert_int_equal(access("/run/other", F_OK), -1);
	assert_int_equal(asciicast_open(&cast, "/none/cast", &header), -ENOENT);
	/* and nothing is recorded */
	asciicast_output(&cast, "x", 1);
	asciicast_resize(&cast, 1, 1);
	assert_int_equal(asciicast_close(&cast), 0);
}

/* A full disk: a limit on the file's size gives the same. */
static void an_error_leaves_whole_events(void **state)
{
	const struct rlimit small = { 200, RLIM_INFINITY };
	struct rlimit before;

	begin();
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 20; i++)
		asciicast_output(&cast, "0123456789", 10);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	asciicast_output(&cast, "too late", 8);
	assert_int_equal(asciicast_close(&cast), -EFBIG);
	assert_non_null(strstr(output(), "01234567890123456789"));
	assert_null(strstr(output(), "late"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_come_in_pieces),
		cmocka_unit_test(much_is_several_events),
		cmocka_unit_test(the_header_says_what_it_is),
		cmocka_unit_test(what_is_there_stays),
		cmocka_unit_test(an_error_leaves_whole_events),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
