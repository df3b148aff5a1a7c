/* SPDX-License-Identifier: MIT */

/* The values of [Install], which systemd itself ignores in a generated unit. */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"

#include <string.h>

#define UNIT_NAME_MAX 255

/* systemd.unit(5): the characters and the types. Without '/', a name is no way out of a directory.
 */
static bool unit_name_is_valid(const char *name)
{
	static const char *const types[] = { ".service", ".socket", ".target", ".timer", ".path",
		".slice", ".mount", ".device", ".swap", ".automount", ".scope" };
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name || strlen(name) > UNIT_NAME_MAX || name[strspn(name, allowed)])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(dot, types[i]) == 0)
			return true;
	return false;
}

int config_check_install(struct config_value *value, const char *key)
{
	static const char *const keys[] = { "WantedBy", "RequiredBy", "Alias" };
	struct nearest nearest = { .given = key };
	char **words = NULL;
	bool known = false;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		known |= strcmp(key, keys[i]) == 0;
		nearest_offer(&nearest, keys[i]);
	}
	if (!known && nearest.best)
		return config_refuse(value, "unknown key; did you mean %s=?", nearest.best);
	if (!known)
		return config_refuse(value,
			"a container's [Install] knows WantedBy=, RequiredBy= and "
			"Alias= only");
	r = config_split(value, &words);
	for (char **p = words; r == 0 && p && *p; p++)
		if (!unit_name_is_valid(*p))
			r = config_refuse(value, "'%s' is not the name of a unit", *p);
		else if (strcmp(key, "Alias") == 0 && !strstr(*p, ".service"))
			r = config_refuse(value, "'%s' is not the name of a service", *p);
	config_list_free(words);
	return r;
}
