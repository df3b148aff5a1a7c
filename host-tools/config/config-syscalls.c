/* SPDX-License-Identifier: MIT */

/* SystemCallFilter=. What its words come to is for narthex-seccomp; here they are known or not. */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"

#include <stdio.h>
#include <string.h>

#include "seccomp-names.h" /* made by seccomp-compile */

static int check_name(struct config_value *value, const char *word)
{
	struct nearest nearest = { .given = word };

	for (const char *name = seccomp_names; *name; name += strlen(name) + 1) {
		if (strcmp(name, word) == 0)
			return 0;
		nearest_offer(&nearest, name);
	}
	return config_refuse(value, "there is no system call%s '%s'%s%s%s",
		*word == '@' ? " group" : "", word, nearest.best ? "; did you mean " : "",
		nearest.best ?: "", nearest.best ? "?" : "");
}

static int add_words(struct config_value *value, char **words, char sign)
{
	char ***field = value->field;
	int r = 0;

	for (char **p = words; r == 0 && *p; p++)
		r = check_name(value, *p);
	for (char **p = words; r == 0 && *p; p++) {
		char *change;

		if (asprintf(&change, "%c%s", sign, *p) < 0)
			change = NULL;
		r = config_list_append(field, change);
	}
	return r;
}

int config_parse_system_calls(struct config_value *value)
{
	struct config_value list = *value;
	bool deny = *value->text == '~';
	char ***field = value->field, **words = NULL;
	int r;

	if (*value->text == '\0') {
		config_list_free(TAKE_PTR(*field));
		return 0;
	}
	list.text += deny;
	r = config_split(&list, &words);
	if (r == 0 && !words)
		r = config_refuse(&list, "no system call");
	if (r == 0 && words)
		r = add_words(&list, words, deny ? '~' : '+');
	config_list_free(words);
	memcpy(value->why, list.why, sizeof(value->why));
	return r;
}
