/* SPDX-License-Identifier: MIT */

/* The values of [Exec]. */

#include "cleanup.h"
#include "config-value.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Below this a range would hold the host's own users; the guest's root would be one of them. */
#define UID_BASE_MIN 65536
#define UID_COUNT_DEFAULT 65536

int config_parse_boot(struct config_value *value)
{
	int r = config_boolean(value->text);

	if (r < 0)
		return config_refuse(value, "must be yes or no");
	value->config->boot_written = r ? YES : NO;
	return 0;
}

int config_parse_parameters(struct config_value *value)
{
	char ***field = value->field;
	char **words = NULL;
	int r = config_split(value, &words);

	if (r < 0)
		return r;
	if (!words) {
		config_list_free(TAKE_PTR(*field));
		return 0;
	}
	for (char **p = words; *p; p++) {
		if (r == 0)
			r = config_list_append(field, *p);
		else
			free(*p);
	}
	free(words);
	return r;
}

int config_parse_command(struct config_value *value)
{
	char ***field = value->field;
	char **words = NULL;
	int r = config_split(value, &words);

	if (r == 0 && words && words[0][0] != '/') {
		r = config_refuse(value, "'%s' is not an absolute path in the container", words[0]);
		config_list_free(words);
	}
	if (r < 0)
		return r;
	config_list_free(*field);
	*field = words;
	return 0;
}

/* The length of a variable's name at the start of K=V, 0 when it is none. */
static size_t variable_length(const char *assignment)
{
	size_t n = strspn(assignment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_");

	if (assignment[n] != '=' || strchr("0123456789", assignment[0]))
		return 0;
	return n;
}

/* A later value of a variable takes the place of the earlier one. assignment: consumed. */
static int set_variable(char ***list, char *assignment)
{
	size_t n = variable_length(assignment) + 1;

	for (char **p = *list; p && *p; p++)
		if (strncmp(*p, assignment, n) == 0) {
			free(*p);
			*p = assignment;
			return 0;
		}
	return config_list_append(list, assignment);
}

int config_parse_environment(struct config_value *value)
{
	char ***field = value->field;
	char **words = NULL;
	int r = config_split(value, &words);

	if (r < 0)
		return r;
	if (!words) {
		config_list_free(TAKE_PTR(*field));
		return 0;
	}
	for (char **p = words; *p && r == 0; p++)
		if (variable_length(*p) == 0)
			r = config_refuse(value, "'%s' is not VARIABLE=VALUE", *p);
	if (r < 0) {
		config_list_free(words);
		return r;
	}
	for (char **p = words; *p; p++) {
		if (r == 0)
			r = set_variable(field, *p);
		else
			free(*p);
	}
	free(words);
	return r;
}

static bool hostname_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";

	for (const char *p = name;; p++) {
		size_t n = strspn(p, allowed);

		if (n == 0 || *p == '-' || p[n - 1] == '-')
			return false;
		p += n;
		if (*p == '\0')
			return p - name <= HOST_NAME_MAX;
		if (*p != '.')
			return false;
	}
}

static int replace_string(char **field, const char *text)
{
	char *copy = NULL;

	if (*text) {
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

int config_parse_hostname(struct config_value *value)
{
	if (*value->text && !hostname_is_valid(value->text))
		return config_refuse(value,
			"not a host name: labels of letters, digits, '-' and '_', "
			"separated by '.', %d characters at most",
			HOST_NAME_MAX);
	return replace_string(value->field, value->text);
}

int config_parse_machine_id(struct config_value *value)
{
	char id[33];
	size_t n = 0;

	if (*value->text == '\0')
		return replace_string(value->field, "");
	for (const char *p = value->text; *p; p++) {
		size_t at = (size_t)(p - value->text);

		/* the other way to write it: 8-4-4-4-12 */
		if (*p == '-' && (at == 8 || at == 13 || at == 18 || at == 23) &&
			strlen(value->text) == 36)
			continue;
		if (n == 32 || !strchr("0123456789abcdefABCDEF", *p))
			n = sizeof(id);
		if (n == sizeof(id))
			break;
		id[n++] = (char)(*p >= 'A' && *p <= 'F' ? *p + 'a' - 'A' : *p);
	}
	if (n != 32)
		return config_refuse(value, "must be 32 hexadecimal digits, or a UUID");
	id[n] = '\0';
	if (strspn(id, "0") == 32)
		return config_refuse(value, "must not be all zero");
	return replace_string(value->field, id);
}

static int parse_uid_range(struct config_value *value)
{
	const char *colon = strchr(value->text, ':');
	uint64_t base, count = UID_COUNT_DEFAULT;
	char base_text[24];

	(void)snprintf(base_text, sizeof(base_text), "%.*s",
		colon ? (int)(colon - value->text) : (int)strlen(value->text), value->text);
	if (config_number(base_text, UINT32_MAX, &base) < 0 ||
		(colon && config_number(colon + 1, UINT32_MAX, &count) < 0))
		return config_refuse(value, "must be yes, pick, no, BASE or BASE:COUNT");
	if (base < UID_BASE_MIN)
		return config_refuse(value,
			"the range would hold the host's own users%s: BASE must be "
			"%d or more",
			base == 0 ? ", root among them" : "", UID_BASE_MIN);
	/* the last id means "none" in system calls */
	if (count == 0 || base + count > UINT32_MAX)
		return config_refuse(
			value, "COUNT must be 1 or more, and BASE+COUNT at most %u", UINT32_MAX);
	value->config->private_users = PRIVATE_USERS_FIXED;
	value->config->uid_base = (uint32_t)base;
	value->config->uid_count = (uint32_t)count;
	return 0;
}

int config_parse_private_users(struct config_value *value)
{
	/* before booleans: "0" and "1" are a BASE here, as in systemd-nspawn, and a bad one */
	if (*value->text >= '0' && *value->text <= '9')
		return parse_uid_range(value);
	if (strcasecmp(value->text, "identity") == 0)
		return config_refuse(value,
			"'identity' would make the guest's root the host's root: "
			"use pick, or say 'no' for no user namespace at all");
	if (strcasecmp(value->text, "managed") == 0)
		return config_refuse(value, "'managed' is not supported by this version: use pick");
	if (strcasecmp(value->text, "pick") == 0 || *value->text == '\0' ||
		config_boolean(value->text) == 1)
		value->config->private_users = PRIVATE_USERS_PICK;
	else if (config_boolean(value->text) == 0)
		value->config->private_users = PRIVATE_USERS_NO;
	else
		return config_refuse(value, "must be yes, pick, no, BASE or BASE:COUNT");
	value->config->uid_base = value->config->uid_count = 0;
	return 0;
}

/* "RTMIN+3", "RTMAX-1", "RTMIN": 0 when it is none of them. */
static int realtime_signal(const char *name)
{
	bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
	uint64_t number = 0;

	if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
		return 0;
	name += 5;
	if (*name && (*name != (from_max ? '-' : '+') || config_number(name + 1, 64, &number) < 0))
		return 0;
	number = from_max ? (uint64_t)SIGRTMAX - number : (uint64_t)SIGRTMIN + number;
	if (number < (uint64_t)SIGRTMIN || number > (uint64_t)SIGRTMAX)
		return 0;
	return (int)number;
}

int config_parse_signal(struct config_value *value)
{
	int *field = value->field;
	const char *name = value->text;
	uint64_t number;
	int found = 0;

	if (*name == '\0') {
		*field = 0;
		return 0;
	}
	if (config_number(name, (uint64_t)SIGRTMAX, &number) == 0) {
		found = (int)number;
	} else {
		if (strncasecmp(name, "SIG", 3) == 0)
			name += 3;
		found = realtime_signal(name);
		for (int i = 1; i < SIGRTMIN && found == 0; i++)
			if (sigabbrev_np(i) && strcasecmp(name, sigabbrev_np(i)) == 0)
				found = i;
	}
	if (found == 0)
		return config_refuse(value,
			"not a signal: write SIGTERM, SIGRTMIN+3 or a number of "
			"1 to %d",
			SIGRTMAX);
	*field = found;
	return 0;
}
