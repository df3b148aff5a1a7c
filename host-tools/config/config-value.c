/* SPDX-License-Identifier: MIT */
#include "config-value.h"

#include "cleanup.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t\n\r";

int config_refuse(struct config_value *value, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(value->why, sizeof(value->why), format, ap);
	va_end(ap);
	return -EINVAL;
}

int config_list_append(char ***list, char *item)
{
	size_t n = 0;
	char **bigger;

	if (!item)
		return -ENOMEM;
	while (*list && (*list)[n])
		n++;
	if (n >= CONFIG_LIST_MAX) {
		free(item);
		return -E2BIG;
	}
	bigger = reallocarray(*list, n + 2, sizeof(char *));
	if (!bigger) {
		free(item);
		return -ENOMEM;
	}
	bigger[n] = item;
	bigger[n + 1] = NULL;
	*list = bigger;
	return 0;
}

void config_list_free(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

/* Takes the next word off *p. 1, 0 when there is none, -EINVAL for an open quote, -ENOMEM. */
static int next_word(const char **p, char **ret)
{
	const char *in = *p + strspn(*p, blanks);
	char *word, *out;
	char quote = '\0';

	if (*in == '\0')
		return 0;
	word = out = malloc(strlen(in) + 1);
	if (!word)
		return -ENOMEM;
	for (; *in; in++) {
		if (quote && *in == quote)
			quote = '\0';
		else if (!quote && (*in == '"' || *in == '\''))
			quote = *in;
		else if (!quote && strchr(blanks, *in))
			break;
		else
			*out++ = *in;
	}
	*out = '\0';
	if (quote) {
		free(word);
		return -EINVAL;
	}
	*p = in;
	*ret = word;
	return 1;
}

int config_split(struct config_value *value, char ***ret)
{
	const char *p = value->text;
	char **list = NULL;
	int r;

	for (;;) {
		char *word = NULL;

		r = next_word(&p, &word);
		if (r <= 0)
			break;
		r = config_list_append(&list, word);
		if (r < 0)
			break;
	}
	if (r < 0) {
		config_list_free(list);
		return r == -EINVAL ? config_refuse(value, "a quote is not closed") : r;
	}
	*ret = list;
	return 0;
}

int config_clean_path(struct config_value *value, const char *text, char **ret)
{
	_cleanup_free_ char *clean = NULL;
	char *out;

	if (text[0] != '/')
		return config_refuse(value, "must be an absolute path, beginning with '/'");
	if (strlen(text) >= PATH_MAX)
		return config_refuse(value, "longer than a path can be (%d bytes)", PATH_MAX - 1);
	clean = out = malloc(strlen(text) + 2);
	if (!clean)
		return -ENOMEM;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return config_refuse(
				value, "must not hold '..': write the path without it");
		if (n > 0 && !(n == 1 && *p == '.')) {
			*out++ = '/';
			memcpy(out, p, n);
			out += n;
		}
		p += n + (p[n] == '/');
	}
	if (out == clean)
		*out++ = '/';
	*out = '\0';
	*ret = TAKE_PTR(clean);
	return 0;
}

int config_boolean(const char *text)
{
	static const char *const words[2][6] = {
		{ "no", "false", "off", "0", "n", "f" },
		{ "yes", "true", "on", "1", "y", "t" },
	};

	for (int truth = 0; truth < 2; truth++)
		for (size_t i = 0; i < ARRAY_SIZE(words[truth]); i++)
			if (strcasecmp(text, words[truth][i]) == 0)
				return truth;
	return -EINVAL;
}

int config_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)*text - '0';

		if (*text < '0' || *text > '9' || number > (max - digit) / 10 || digit > max)
			return -EINVAL;
		number = number * 10 + digit;
	}
	*ret = number;
	return 0;
}

int config_parse_bool(struct config_value *value)
{
	bool *field = value->field;
	int r = config_boolean(value->text);

	if (r < 0)
		return config_refuse(value, "must be yes or no");
	*field = r;
	return 0;
}

int config_parse_tristate(struct config_value *value)
{
	enum tristate *field = value->field;
	int r = config_boolean(value->text);

	if (r < 0 && *value->text && strcasecmp(value->text, "auto") != 0)
		return config_refuse(value, "must be yes, no or auto");
	*field = r < 0 ? AUTO : r ? YES : NO;
	return 0;
}

int config_parse_path(struct config_value *value)
{
	char **field = value->field;
	char *path = NULL;
	int r;

	if (*value->text) {
		r = config_clean_path(value, value->text, &path);
		if (r < 0)
			return r;
	}
	free(*field);
	*field = path;
	return 0;
}
