/* SPDX-License-Identifier: MIT */
#include "asciicast.h"

#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define REPLACEMENT "\xef\xbf\xbd"
/* An event of output has at most that much of it. */
#define PIECE 4096
/* A byte becomes \u00XX at worst. */
#define BYTE_MAX 6
#define LINE_MAX_SIZE (64 + (PIECE + sizeof(((struct asciicast *)0)->rest)) * BYTE_MAX)
#define TEXT_MAX 4096

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * Length of the character at p (Unicode 15, table 3-7); 0: this byte begins none; -1: there is more
 * to come.
 */
static int utf8_length(const unsigned char *p, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* nothing overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* no surrogates */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f; /* nothing above U+10FFFF */
	for (size_t i = 1; i < want && i < len; i++) {
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return len < want ? -1 : (int)want;
}

/* The byte or character of n bytes at p as in a JSON string; n 0: none. Returns the end. */
static char *add_character(char *out, const unsigned char *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	if (n == 0)
		return mempcpy(out, REPLACEMENT, strlen(REPLACEMENT));
	/* C1 is c2 80 to c2 9f: who reads a recording with cat is not to obey it, either */
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		n = 1, p++;
	if (n == 1 && (*p < 0x20 || (*p >= 0x7f && *p < 0xa0))) {
		out = mempcpy(out, "\\u00", 4);
		*out++ = hex[*p >> 4];
		*out++ = hex[*p & 15];
		return out;
	}
	if (*p == '"' || *p == '\\')
		*out++ = '\\';
	return mempcpy(out, p, n);
}

/* All of a text, whose end is known. Returns the end. */
static char *add_text(char *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	while (len > 0) {
		int n = utf8_length(p, len);
		size_t took = n > 0 ? (size_t)n : 1;

		out = add_character(out, p, n > 0 ? took : 0);
		p += took;
		len -= took;
	}
	return out;
}

/* --- lines --------------------------------------------------------------------------------- */

static void write_line(struct asciicast *cast, const char *line, size_t len)
{
	if (cast->fd < 0 || cast->error != 0)
		return;
	cast->error = fd_write_all(cast->fd, line, len);
	if (cast->error == 0)
		cast->end += (off_t)len;
	else
		(void)!ftruncate(cast->fd, cast->end);
}

/* `[TIME, "CODE", "`. Returns the end. */
static char *begin_event(const struct asciicast *cast, char *line, char code)
{
	int64_t us = now_us() - cast->start_us;

	return line + sprintf(line, "[%" PRId64 ".%06" PRId64 ", \"%c\", \"", us / 1000000,
			      us % 1000000, code);
}

static void end_event(struct asciicast *cast, char *line, char *out)
{
	out = mempcpy(out, "\"]\n", 3);
	write_line(cast, line, (size_t)(out - line));
}

/* before: what stands before the text; NULL text: nothing. Returns the end. */
static char *add_string(char *out, const char *before, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return out;
	out = mempcpy(out, before, strlen(before));
	*out++ = '"';
	out = add_text(out, text, len < TEXT_MAX ? len : TEXT_MAX);
	*out++ = '"';
	return out;
}

static int write_header(struct asciicast *cast, const struct asciicast_header *header)
{
	_cleanup_free_ char *line = malloc(3 * (size_t)TEXT_MAX * BYTE_MAX + 256);
	const char *term = getenv("TERM");
	char *out = line;

	if (!line)
		return -ENOMEM;
	out += sprintf(out,
		"{\"version\": 2, \"width\": %u, \"height\": %u, \"timestamp\": %" PRId64,
		header->columns, header->rows, (int64_t)time(NULL));
	out = add_string(out, ", \"command\": ", header->command);
	out = add_string(out, ", \"title\": ", header->title);
	out = add_string(out, ", \"env\": {\"TERM\": ", term);
	out = stpcpy(out, term ? "}}\n" : "}\n");
	write_line(cast, line, (size_t)(out - line));
	return cast->error;
}

/* --- the recording ------------------------------------------------------------------------- */

int asciicast_open(struct asciicast *cast, const char *path, const struct asciicast_header *header)
{
	struct asciicast new = ASCIICAST_NULL;
	int r;

	new.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (new.fd < 0)
		return -errno;
	new.start_us = now_us();
	r = write_header(&new, header);
	if (r < 0) {
		(void)close(new.fd);
		(void)unlink(path);
		return r;
	}
	*cast = new;
	return 0;
}

static void record_piece(struct asciicast *cast, const char *data, size_t len)
{
	unsigned char in[PIECE + sizeof(cast->rest)];
	char line[LINE_MAX_SIZE], *out;
	size_t n = cast->n_rest + len, at = 0;
	bool any = false;

	memcpy(in, cast->rest, cast->n_rest);
	memcpy(in + cast->n_rest, data, len);
	out = begin_event(cast, line, 'o');
	while (at < n) {
		int length = utf8_length(in + at, n - at);
		size_t took = length > 0 ? (size_t)length : 1;

		if (length < 0)
			break;
		out = add_character(out, in + at, length > 0 ? took : 0);
		at += took;
		any = true;
	}
	cast->n_rest = n - at;
	memcpy(cast->rest, in + at, cast->n_rest);
	if (any)
		end_event(cast, line, out);
}

void asciicast_output(struct asciicast *cast, const char *data, size_t len)
{
	while (cast->fd >= 0 && len > 0) {
		size_t n = len < PIECE ? len : PIECE;

		record_piece(cast, data, n);
		data += n;
		len -= n;
	}
}

void asciicast_resize(struct asciicast *cast, unsigned int columns, unsigned int rows)
{
	char line[128], *out;

	if (cast->fd < 0)
		return;
	out = begin_event(cast, line, 'r');
	out += sprintf(out, "%ux%u", columns, rows);
	end_event(cast, line, out);
}

int asciicast_close(struct asciicast *cast)
{
	char line[128], *out;

	if (cast->fd < 0)
		return 0;
	if (cast->n_rest > 0) { /* its end won't come any more */
		out = begin_event(cast, line, 'o');
		out = add_text(out, (const char *)cast->rest, cast->n_rest);
		end_event(cast, line, out);
		cast->n_rest = 0;
	}
	close_fdp(&cast->fd);
	return cast->error;
}
