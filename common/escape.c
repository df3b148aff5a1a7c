/* SPDX-License-Identifier: MIT */
#include "escape.h"

#include <stdint.h>
#include <string.h>

/*
 * Length of the well-formed UTF-8 sequence at p, 0 when there is none (Unicode 15, table 3-7: no
 * overlong forms, no surrogates, nothing above U+10FFFF).
 */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	size_t want;
	uint32_t c;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		want = 2;
		c = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		want = 3;
		c = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		want = 4;
		c = p[0] & 0x07;
	} else {
		return 0;
	}
	if (len < want)
		return 0;
	for (size_t i = 1; i < want; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c >= 0x80 && c < 0xa0)
		return 0; /* C1: some terminals obey these in UTF-8 too */
	if ((want == 3 && c < 0x800) || (want == 4 && (c < 0x10000 || c > 0x10ffff)) ||
		(c >= 0xd800 && c <= 0xdfff))
		return 0;
	return want;
}

static size_t escape(char *out, size_t size, const char *text, size_t len, bool backslashes)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (len > 0) {
		size_t n = utf8_length(p, len);
		char piece[4];
		size_t piece_len;

		if (*p == '\\' && backslashes) {
			memcpy(piece, "\\\\", 2);
			piece_len = 2;
			n = 1;
		} else if (n == 0 || (*p < 0x20 && *p != '\t') || *p == 0x7f) {
			piece[0] = '\\';
			piece[1] = 'x';
			piece[2] = hex[*p >> 4];
			piece[3] = hex[*p & 15];
			piece_len = 4;
			n = 1;
		} else {
			memcpy(piece, p, n);
			piece_len = n;
		}
		if (used + piece_len >= size)
			break;
		memcpy(out + used, piece, piece_len);
		used += piece_len;
		p += n;
		len -= n;
	}
	out[used] = '\0';
	return used;
}

size_t escape_text(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, true);
}

size_t escape_controls(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, false);
}

bool text_is_plain(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	while (len > 0) {
		size_t n = utf8_length(p, len);

		if (n == 0 || (*p < 0x20 && *p != '\t') || *p == 0x7f)
			return false;
		p += n;
		len -= n;
	}
	return true;
}
