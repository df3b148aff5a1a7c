/* SPDX-License-Identifier: MIT */

/* The values of [Network] and [Link NAME] that name interfaces. */

#include "cleanup.h"
#include "config-value.h"

#include <string.h>

#define ZONE_PREFIX "vz-" /* systemd-nspawn's: its networkd files match these bridges */

bool config_interface_name_is_valid(const char *name)
{
	if (*name == '\0' || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 ||
		strcmp(name, "..") == 0)
		return false;
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("/:%\"'\\", *p))
			return false;
	return true;
}

static int refuse_interface(struct config_value *value, const char *text)
{
	return config_refuse(value,
		"'%s' is not the name of an interface: %d characters at most, no blanks, no '/', "
		"':', '%%' or quotes",
		text, IFNAMSIZ - 1);
}

int config_parse_interface(struct config_value *value)
{
	char *field = value->field;

	if (*value->text && !config_interface_name_is_valid(value->text))
		return refuse_interface(value, value->text);
	memset(field, 0, IFNAMSIZ);
	memcpy(field, value->text, strlen(value->text));
	return 0;
}

int config_parse_zone(struct config_value *value)
{
	size_t max = IFNAMSIZ - 1 - strlen(ZONE_PREFIX);

	if (strlen(value->text) > max)
		return config_refuse(value,
			"a zone's name has at most %zu characters: its bridge is "
			"called " ZONE_PREFIX "NAME",
			max);
	return config_parse_interface(value);
}

int config_parse_mtu(struct config_value *value)
{
	uint32_t *field = value->field;
	uint64_t number = 0;

	/* Linux: IPv4 needs 68 bytes, an interface has at most 65535 */
	if (*value->text && (config_number(value->text, UINT16_MAX, &number) < 0 || number < 68))
		return config_refuse(value, "must be a number of bytes, 68 to 65535");
	*field = (uint32_t)number;
	return 0;
}

int config_parse_vlan(struct config_value *value)
{
	uint32_t *field = value->field;
	uint64_t number = 0;

	if (*value->text && (config_number(value->text, 4094, &number) < 0 || number == 0))
		return config_refuse(value, "must be a VLAN's number, 1 to 4094");
	*field = (uint32_t)number;
	return 0;
}

int config_link_get(struct container_config *config, const char *name, struct config_link **ret)
{
	struct config_link *bigger;

	for (size_t i = 0; i < config->n_links; i++)
		if (strcmp(config->links[i].guest, name) == 0) {
			*ret = &config->links[i];
			return 0;
		}
	if (config->n_links >= CONFIG_LIST_MAX)
		return -E2BIG;
	bigger = reallocarray(config->links, config->n_links + 1, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	config->links = bigger;
	*ret = &config->links[config->n_links++];
	**ret = (struct config_link){};
	memcpy((*ret)->guest, name, strlen(name));
	return 0;
}

/* HOST[:GUEST]; prefix: what a guest's name begins with that isn't given. */
static int parse_pair(struct config_value *value, const char *word, const char *prefix,
	char host[IFNAMSIZ], char guest[2 * IFNAMSIZ])
{
	const char *colon = strchr(word, ':');
	size_t len = colon ? (size_t)(colon - word) : strlen(word);

	memset(host, 0, IFNAMSIZ);
	if (len < IFNAMSIZ)
		memcpy(host, word, len);
	if (len >= IFNAMSIZ || !config_interface_name_is_valid(host))
		return refuse_interface(value, word);
	if (colon && !config_interface_name_is_valid(colon + 1))
		return refuse_interface(value, colon + 1);
	if (colon)
		(void)snprintf(guest, 2 * IFNAMSIZ, "%s", colon + 1);
	else
		(void)snprintf(guest, 2 * IFNAMSIZ, "%s%s", prefix, host);
	if (!config_interface_name_is_valid(guest))
		return config_refuse(value,
			"'%s' is too long for the interface inside: name it, %s:NAME", guest, host);
	return 0;
}

static int declare(struct config_value *value, const char *word, enum config_link_kind kind,
	const char *prefix)
{
	char host[IFNAMSIZ], guest[2 * IFNAMSIZ];
	struct config_link *link;
	int r = parse_pair(value, word, prefix, host, guest);

	if (r < 0)
		return r;
	r = config_link_get(value->config, guest, &link);
	if (r < 0)
		return r;
	if (link->kind != LINK_UNDECLARED)
		return config_refuse(
			value, "the container has an interface '%s' already", link->guest);
	link->kind = kind;
	memcpy(link->host, host, IFNAMSIZ);
	return 0;
}

/* Takes back what a key has declared; what a [Link NAME] says stays, undeclared. */
static void forget_links(struct container_config *config, enum config_link_kind kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_links; i++) {
		struct config_link link = config->links[i];

		if (link.kind == kind) {
			if (!link.has_section)
				continue;
			link.kind = LINK_UNDECLARED;
		}
		config->links[kept++] = link;
	}
	config->n_links = kept;
}

/* A list of words; an empty one takes back what was there. */
static int parse_links(struct config_value *value, enum config_link_kind kind, const char *prefix)
{
	char **words = NULL;
	int r = config_split(value, &words);

	if (r < 0)
		return r;
	if (!words)
		forget_links(value->config, kind);
	for (char **word = words; r == 0 && word && *word; word++)
		r = declare(value, *word, kind, prefix);
	config_list_free(words);
	return r;
}

int config_parse_veth_extra(struct config_value *value)
{
	return parse_links(value, LINK_VETH, "");
}

int config_parse_macvlan(struct config_value *value)
{
	return parse_links(value, LINK_MACVLAN, "mv-");
}

int config_parse_ipvlan(struct config_value *value)
{
	return parse_links(value, LINK_IPVLAN, "iv-");
}

int config_parse_moved(struct config_value *value)
{
	return parse_links(value, LINK_INTERFACE, "");
}

int config_parse_naming(struct config_value *value)
{
	bool *field = value->field;
	bool nspawn = strcmp(value->text, "nspawn") == 0;

	if (*value->text && !nspawn && strcmp(value->text, "narthex") != 0)
		return config_refuse(value, "must be narthex (eth0, c-NAME) or nspawn (host0, "
					    "ve-NAME or vb-NAME)");
	*field = nspawn;
	return 0;
}
