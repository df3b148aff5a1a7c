/* SPDX-License-Identifier: MIT */

/*
 * Whose interface is it? The alias "narthex:NAME" says so. It can't be set at birth, the hardware
 * address can, and that is derived from the name: a veth with our address and no alias is ours from
 * a launcher that died in between. Anything else is a stranger's and is left alone.
 */

#include "cleanup.h"
#include "escape.h"
#include "fd.h"
#include "log.h"
#include "network-link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/*
 * A stable hardware address, locally administered, for one end of a link. The machine-id is in it
 * so that two hosts on one wire don't make the same address for the same name.
 */
static void derive_mac(const char *machine_id, const char *end, const char *name,
	const char *interface, uint8_t ret[MAC_SIZE])
{
	char text[192];
	uint64_t hash;

	(void)snprintf(text, sizeof(text), "%.32s %s %s%s%s", machine_id, end, name,
		interface ? " " : "", interface ? interface : "");
	hash = name_hash(text);
	for (size_t i = 0; i < MAC_SIZE; i++)
		ret[i] = (uint8_t)(hash >> (8 * i));
	ret[0] = (uint8_t)((ret[0] & 0xfc) | 0x02);
}

/* A host without one gets addresses that depend on the names alone. */
static char *read_machine_id(void)
{
	char *id = NULL;

	return file_read_all(AT_FDCWD, "/etc/machine-id", 0, 64, &id) < 0 ? NULL : id;
}

/* host: NULL for the link of [Network]. */
static void complete(struct identity *id, const char *name, const char *host)
{
	_cleanup_free_ char *machine_id = read_machine_id();

	(void)snprintf(id->alias, sizeof(id->alias), ALIAS_PREFIX "%s", name);
	derive_mac(machine_id ? machine_id : "", "host", name, host, id->host_mac);
	/* a bridge takes the lowest address of its ports for its own: ours is never that */
	id->host_mac[0] = 0xfe;
	derive_mac(machine_id ? machine_id : "", "guest", name, host, id->guest_mac);
}

void identity_init(struct identity *id, const char *name, const char *prefix)
{
	if (!name_interface(prefix, name, id->interface, id->altname))
		id->altname[0] = '\0';
	complete(id, name, NULL);
}

void identity_init_extra(struct identity *id, const char *name, const char *host)
{
	id->altname[0] = '\0';
	(void)snprintf(id->interface, sizeof(id->interface), "%s", host);
	complete(id, name, host);
}

void identity_mac(const char *name, const char *interface, uint8_t ret[MAC_SIZE])
{
	_cleanup_free_ char *machine_id = read_machine_id();

	derive_mac(machine_id ? machine_id : "", "guest", name, interface, ret);
}

bool identity_is_of(const struct identity *id, const struct netlink_link *link)
{
	if (strcmp(link->kind, "veth") != 0 || strcmp(link->name, id->interface) != 0)
		return false;
	if (link->alias[0] != '\0')
		return strcmp(link->alias, id->alias) == 0;
	return memcmp(link->mac, id->host_mac, MAC_SIZE) == 0;
}

const char *identity_owner(const struct netlink_link *link)
{
	size_t n = strlen(ALIAS_PREFIX);

	if (strncmp(link->alias, ALIAS_PREFIX, n) != 0 || !name_is_valid(link->alias + n, NULL))
		return NULL;
	return link->alias + n;
}

int identity_log_stranger(const struct netlink_link *link, const char *wanted, const char *name)
{
	const char *owner = identity_owner(link);
	char alias[2 * NETLINK_ALIAS_SIZE], whose[NAME_MAX_LEN + 64];

	(void)escape_text(alias, sizeof(alias), link->alias, strlen(link->alias));
	if (owner && strcmp(owner, name) != 0)
		(void)snprintf(whose, sizeof(whose), "belongs to container '%s'", owner);
	else
		(void)snprintf(
			whose, sizeof(whose), "is not this container's; delete or rename it");
	log_error("cannot create interface %s: the name is taken by %s (kind '%s', index %d, alias "
		  "'%s'), which %s",
		wanted, link->name, link->kind[0] != '\0' ? link->kind : "hardware", link->index,
		alias, whose);
	return -EEXIST;
}
