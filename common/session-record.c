/* SPDX-License-Identifier: MIT */
#include "session-record.h"

#include "cleanup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define SINCE_DIGITS_MAX 19 /* fits 64 bits, whatever the digits are */

static const char *const doors[] = { "login", "root-login", "root-shell", "exec" };

static bool is_graphic(char c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_name(const char *text)
{
	const char *end = text;

	while (is_graphic(*end))
		end++;
	return end > text && *end == '\0' && end - text < SESSION_USER_SIZE;
}

void session_record_clear(char out[SESSION_RECORD_SIZE])
{
	memset(out, ' ', SESSION_RECORD_SIZE - 1);
	out[SESSION_RECORD_SIZE - 1] = '\n';
}

void session_record_write(char out[SESSION_RECORD_SIZE], const struct session_record *record)
{
	char text[SESSION_RECORD_SIZE];
	int n = snprintf(text, sizeof(text), "%s %" PRIu64 " %s", record->door, record->since_usec,
		is_name(record->user) ? record->user : "-");

	session_record_clear(out);
	memcpy(out, text, (size_t)n);
}

/* Takes a word of less than size bytes and the blank behind it. Returns what follows, or NULL. */
static const char *take_word(const char *p, const char *end, char *out, size_t size)
{
	size_t n = 0;

	while (p + n < end && is_graphic(p[n]))
		n++;
	if (n == 0 || n >= size || p + n == end || p[n] != ' ')
		return NULL;
	memcpy(out, p, n);
	out[n] = '\0';
	return p + n + 1;
}

static bool is_door(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		if (strcmp(doors[i], name) == 0)
			return true;
	return false;
}

int session_record_parse(const char in[SESSION_RECORD_SIZE], struct session_record *ret)
{
	const char *end = in + SESSION_RECORD_SIZE - 1, *p = in;
	char since[SINCE_DIGITS_MAX + 1];
	struct session_record record;

	if (*end != '\n')
		return -EBADMSG;
	while (p < end && *p == ' ')
		p++;
	if (p == end)
		return 0;
	p = take_word(in, end, record.door, sizeof(record.door));
	if (p)
		p = take_word(p, end, since, sizeof(since));
	if (p)
		p = take_word(p, end, record.user, sizeof(record.user));
	if (!p || !is_door(record.door) || strspn(since, "0123456789") != strlen(since))
		return -EBADMSG;
	while (p < end)
		if (*p++ != ' ')
			return -EBADMSG;
	record.since_usec = strtoull(since, NULL, 10);
	if (strcmp(record.user, "-") == 0)
		record.user[0] = '\0';
	*ret = record;
	return 1;
}
