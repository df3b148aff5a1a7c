/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <inttypes.h>
#include <string.h>

static void begin(struct json *json, const char *key)
{
	if (json->comma)
		putc(',', json->f);
	json->comma = true;
	if (key)
		fprintf(json->f, "\"%s\":", key);
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	putc(bracket, json->f);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	putc(bracket, json->f);
	json->comma = true;
}

/* How many bytes the UTF-8 character at p has (Unicode, table 3-7); 0: it is none. */
static size_t utf8_length(const unsigned char *p)
{
	unsigned low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f; /* no surrogates */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

void json_string(struct json *json, const char *key, const char *text)
{
	if (!text) {
		json_null(json, key);
		return;
	}
	begin(json, key);
	putc('"', json->f);
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		size_t n = utf8_length(p);

		if (n == 0)
			fputs("\xef\xbf\xbd", json->f);
		else if (*p == '"' || *p == '\\')
			fprintf(json->f, "\\%c", *p);
		/* C0 must be escaped; DEL and C1 (two bytes, c2 80 to c2 9f) mean something to
		 * terminals */
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(json->f, "\\u%04x", *p);
		else if (*p == 0xc2 && p[1] < 0xa0)
			fprintf(json->f, "\\u%04x", p[1]);
		else
			(void)fwrite(p, 1, n, json->f);
		p += n ?: 1;
	}
	putc('"', json->f);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
	begin(json, key);
	fprintf(json->f, "%" PRIu64, number);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->f);
}

void json_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->f);
}
