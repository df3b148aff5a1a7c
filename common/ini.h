/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/* More text than this is no configuration; there is no other limit, neither on lines nor on keys.
 */
#define INI_MAX_SIZE (1024UL * 1024)

/* A negative return value of a callback ends the parsing and becomes ini_parse()'s. */
struct ini_callbacks {
	/* "[section]": called for every header, also for one without keys. May be NULL. */
	int (*section)(void *userdata, const char *section, unsigned line);
	/* "key=value": blanks around both are gone, continued lines are joined. line: its first. */
	int (*assignment)(void *userdata, const char *section, const char *key, const char *value,
		unsigned line);
	/* What breaks the syntax; what is static text. Parsing goes on with the next line. */
	int (*error)(void *userdata, unsigned line, const char *what);
};

/*
 * Parses the syntax of systemd.syntax(7): [Section], Key=Value, comment lines that begin with '#'
 * or ';', a backslash at the end of a line continues it (comment lines in between are skipped).
 * Values are not unquoted; '#' and ';' within a line are nothing special.
 * text: len bytes, need not end in NUL. The strings that callbacks get live until they return.
 * 0, -EFBIG, -ENOMEM, or what a callback returned. Syntax errors alone don't make it fail.
 */
int ini_parse(const char *text, size_t len, const struct ini_callbacks *callbacks, void *userdata);
