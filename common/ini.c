/* SPDX-License-Identifier: MIT */
#include "ini.h"

#include "cleanup.h"
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Theory of operation
 *
 * The text is cut into physical lines. A line goes, without its leading blanks, to the end of the
 * logical line that is being joined; unless it ends in an odd number of backslashes the logical
 * line is then complete and is taken apart. One buffer of the text's size serves for all logical
 * lines, so a file costs two allocations (buffer and section name) however many lines it has.
 */

static const char blanks[] = " \t\r";

struct parser {
	const struct ini_callbacks *callbacks;
	void *userdata;
	char *section; /* NULL before the first header, and after one that is wrong */
	bool any_section;
	char *logical;
	size_t used;
	unsigned line, first_line;
};

static int complain(struct parser *parser, const char *what)
{
	if (!parser->callbacks->error)
		return 0;
	return parser->callbacks->error(parser->userdata, parser->first_line, what);
}

/* Removes blanks at both ends, in place. */
static char *strip(char *text)
{
	size_t len;

	text += strspn(text, blanks);
	len = strlen(text);
	while (len > 0 && strchr(blanks, text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

static int parse_header(struct parser *parser, char *text)
{
	size_t len = strlen(text);
	char *name;

	free(TAKE_PTR(parser->section));
	parser->any_section = true;
	if (len < 3 || text[len - 1] != ']')
		return complain(parser, "a section header must look like [Section]");
	name = strndup(text + 1, len - 2);
	if (!name)
		return -ENOMEM;
	if (strpbrk(name, "[]")) {
		free(name);
		return complain(parser, "a section header must look like [Section]");
	}
	parser->section = name;
	if (!parser->callbacks->section)
		return 0;
	return parser->callbacks->section(parser->userdata, name, parser->first_line);
}

static int parse_assignment(struct parser *parser, char *text)
{
	char *equals = strchr(text, '=');
	char *key;

	if (!equals)
		return complain(parser, "neither Key=Value nor [Section]");
	*equals = '\0';
	key = strip(text);
	if (*key == '\0')
		return complain(parser, "no key before '='");
	if (!parser->section) {
		/* below a wrong header one message is enough */
		if (parser->any_section)
			return 0;
		return complain(parser, "a key before the first [Section]");
	}
	return parser->callbacks->assignment(
		parser->userdata, parser->section, key, strip(equals + 1), parser->first_line);
}

static int parse_logical(struct parser *parser)
{
	char *text;

	parser->logical[parser->used] = '\0';
	if (memchr(parser->logical, '\0', parser->used)) {
		parser->used = 0;
		return complain(parser, "a NUL byte");
	}
	text = strip(parser->logical);
	parser->used = 0;
	if (*text == '\0')
		return 0;
	if (!text_is_plain(text, strlen(text)))
		return complain(parser, "control characters, or not UTF-8");
	if (*text == '[')
		return parse_header(parser, text);
	return parse_assignment(parser, text);
}

/* Whether the line ends in a backslash that is not itself escaped. */
static bool is_continued(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && line[len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static int parse_line(struct parser *parser, const char *line, size_t len)
{
	bool continued;

	parser->line++;
	while (len > 0 && memchr(blanks, *line, sizeof(blanks) - 1)) {
		line++;
		len--;
	}
	if (len > 0 && (*line == '#' || *line == ';'))
		return 0;
	if (len > 0 && line[len - 1] == '\r') /* a file written elsewhere */
		len--;
	if (parser->used == 0)
		parser->first_line = parser->line;
	continued = is_continued(line, len);
	memcpy(parser->logical + parser->used, line, len);
	parser->used += len;
	if (continued) {
		parser->logical[parser->used - 1] = ' ';
		return 0;
	}
	return parse_logical(parser);
}

static int parse_lines(struct parser *parser, const char *text, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;
		int r = parse_line(parser, text, n);

		if (r < 0)
			return r;
		if (newline)
			n++;
		text += n;
		len -= n;
	}
	/* the last line asked for another one: take it as it is, like systemd */
	return parser->used > 0 ? parse_logical(parser) : 0;
}

int ini_parse(const char *text, size_t len, const struct ini_callbacks *callbacks, void *userdata)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct parser parser = { .callbacks = callbacks, .userdata = userdata };
	int r;

	if (len > INI_MAX_SIZE)
		return -EFBIG;
	if (len >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		len -= 3;
	}
	parser.logical = malloc(len + 1);
	if (!parser.logical)
		return -ENOMEM;
	r = parse_lines(&parser, text, len);
	free(parser.section);
	free(parser.logical);
	return r;
}
