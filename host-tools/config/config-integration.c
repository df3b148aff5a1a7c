/* SPDX-License-Identifier: MIT */

/* The keys that show something of the host's to the container, or of it to the host: time zone,
 * journal, users. */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"

#include <string.h>

struct word {
	const char *text;
	int number;
};

/* One of the words, ended by a NULL text. Sets *ret, or refuses with all of them. */
static int parse_word(struct config_value *value, const struct word *words, int *ret)
{
	char all[128] = "";

	for (const struct word *w = words; w->text; w++) {
		size_t n = strlen(all);

		if (strcmp(value->text, w->text) == 0) {
			*ret = w->number;
			return 0;
		}
		(void)snprintf(all + n, sizeof(all) - n, "%s%s", n > 0 ? ", " : "", w->text);
	}
	return config_refuse(value, "must be one of %s", all);
}

int config_parse_timezone(struct config_value *value)
{
	static const struct word words[] = {
		{ "off", TIMEZONE_OFF },
		{ "copy", TIMEZONE_COPY },
		{ "bind", TIMEZONE_BIND },
		{ "symlink", TIMEZONE_SYMLINK },
		{ "delete", TIMEZONE_DELETE },
		{ "auto", TIMEZONE_AUTO },
		{},
	};
	enum timezone_mode *field = value->field;
	int mode = TIMEZONE_OFF;
	int r = *value->text ? parse_word(value, words, &mode) : 0;

	if (r == 0)
		*field = (enum timezone_mode)mode;
	return r;
}

/* A word, or ACTION-SOURCE. */
int config_parse_resolv_conf(struct config_value *value)
{
	static const struct word words[] = { { "", RESOLV_AUTO }, { "auto", RESOLV_AUTO },
		{ "off", RESOLV_OFF }, { "delete", RESOLV_DELETE }, {} };
	static const struct word actions[] = { { "copy-", RESOLV_COPY },
		{ "replace-", RESOLV_REPLACE }, { "bind-", RESOLV_BIND }, {} };
	static const struct word sources[] = { { "host", RESOLV_HOST }, { "static", RESOLV_STATIC },
		{ "uplink", RESOLV_UPLINK }, { "stub", RESOLV_STUB }, {} };
	struct container_config *config = value->config;

	for (const struct word *w = words; w->text; w++)
		if (strcmp(value->text, w->text) == 0) {
			config->resolv_action = (enum resolv_action)w->number;
			config->resolv_source = RESOLV_HOST;
			return 0;
		}
	for (const struct word *a = actions; a->text; a++) {
		size_t n = strlen(a->text);

		for (const struct word *s = sources; s->text; s++)
			if (strncmp(value->text, a->text, n) == 0 &&
				strcmp(value->text + n, s->text) == 0) {
				config->resolv_action = (enum resolv_action)a->number;
				config->resolv_source = (enum resolv_source)s->number;
				return 0;
			}
	}
	return config_refuse(value,
		"must be auto, off, delete, or copy, replace or bind with -host, -static, -uplink "
		"or -stub, like copy-host");
}

int config_parse_link_journal(struct config_value *value)
{
	/* "try-guest" asks for a link only where there can be one, and there never can */
	static const struct word words[] = {
		{ "no", LINK_JOURNAL_NO },
		{ "host", LINK_JOURNAL_HOST },
		{ "try-host", LINK_JOURNAL_TRY_HOST },
		{ "try-guest", LINK_JOURNAL_NO },
		{ "auto", LINK_JOURNAL_AUTO },
		{},
	};
	enum link_journal *field = value->field;
	int mode = LINK_JOURNAL_NO, r;

	if (strcmp(value->text, "guest") == 0)
		return config_refuse(value,
			"a link on the host into the container's tree would have the host follow "
			"whatever the container puts there: use host, or journalctl -M, which "
			"needs "
			"no link");
	r = *value->text && config_boolean(value->text) != 0 ? parse_word(value, words, &mode) : 0;
	if (r == 0)
		*field = (enum link_journal)mode;
	return r;
}

int config_parse_bind_user(struct config_value *value)
{
	char ***field = value->field, **words = NULL;
	int r;

	if (*value->text == '\0') {
		config_list_free(TAKE_PTR(*field));
		return 0;
	}
	r = config_split(value, &words);
	for (char **p = words; r == 0 && p && *p; p++) {
		struct config_value word = { .config = value->config, .text = *p };
		char *name = NULL;

		word.field = &name;
		/* numbers have no account to show */
		if (strchr("0123456789", **p) || config_parse_user(&word) < 0)
			r = config_refuse(value, "'%s' is not the name of a user", *p);
		else
			r = config_list_append(field, name);
	}
	config_list_free(words);
	return r;
}
