/* SPDX-License-Identifier: MIT */
#include "name.h"

#include "cleanup.h"

#include <stdio.h>
#include <string.h>

/* The locale has no say in what a name may hold. */
static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *name_fault(const char *name)
{
	if (name[0] == '\0')
		return "a name is empty";
	if (!is_alphanumeric(name[0]))
		return "a name must begin with a letter or a digit";
	for (const char *p = name; *p; p++)
		if (!is_alphanumeric(*p) && !strchr("._-", *p))
			return "a name may hold only letters, digits, '.', '_' and '-'";
	if (strlen(name) > NAME_MAX_LEN)
		return "a name may have at most " STRINGIFY(NAME_MAX_LEN) " characters";
	return NULL;
}

bool name_is_valid(const char *name, const char **ret_why)
{
	const char *fault = name_fault(name);

	if (ret_why)
		*ret_why = fault;
	return !fault;
}

uint64_t name_hash(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		hash ^= *p;
		hash *= 0x100000001b3;
	}
	return hash;
}

bool name_interface(const char *prefix, const char *name, char ret_interface[IFNAMSIZ],
	char ret_altname[ALTNAME_SIZE])
{
	char hash[17];

	(void)snprintf(ret_altname, ALTNAME_SIZE, "%s%s", prefix, name);
	if (strlen(ret_altname) < IFNAMSIZ) {
		memcpy(ret_interface, ret_altname, strlen(ret_altname) + 1);
		return false;
	}
	/* the low bits of FNV-1a are the well-mixed ones */
	(void)snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)name_hash(name));
	(void)snprintf(ret_interface, IFNAMSIZ, "%s%s", prefix, hash + 1 + strlen(prefix));
	return true;
}
