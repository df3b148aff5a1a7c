/* SPDX-License-Identifier: MIT */

/* RestrictAddressFamilies=, as systemd 261 has it. It only takes away: what the system call filter
 * refuses to every container can't be had by naming it. */

#include "../nearest.h"
#include "../seccomp/seccomp-families.h"
#include "cleanup.h"
#include "config-value.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#ifndef AF_MCTP
#define AF_MCTP 45 /* linux/socket.h, since 5.15 */
#endif

#define FAMILY(name)                                                                               \
	{                                                                                          \
		"AF_" #name, AF_##name                                                             \
	}

/* those that Linux can make sockets of: address_families(7), and the synonyms of sys/socket.h */
static const struct {
	const char *name;
	int number;
} families[] = {
	FAMILY(UNIX),
	FAMILY(LOCAL),
	FAMILY(FILE),
	FAMILY(INET),
	FAMILY(INET6),
	FAMILY(NETLINK),
	FAMILY(ROUTE),
	FAMILY(PACKET),
	FAMILY(ALG),
	FAMILY(APPLETALK),
	FAMILY(ASH),
	FAMILY(ATMPVC),
	FAMILY(ATMSVC),
	FAMILY(AX25),
	FAMILY(BLUETOOTH),
	FAMILY(BRIDGE),
	FAMILY(CAIF),
	FAMILY(CAN),
	FAMILY(DECnet),
	FAMILY(ECONET),
	FAMILY(IB),
	FAMILY(IEEE802154),
	FAMILY(IPX),
	FAMILY(IRDA),
	FAMILY(ISDN),
	FAMILY(IUCV),
	FAMILY(KCM),
	FAMILY(KEY),
	FAMILY(LLC),
	FAMILY(MCTP),
	FAMILY(MPLS),
	FAMILY(NETBEUI),
	FAMILY(NETROM),
	FAMILY(NFC),
	FAMILY(PHONET),
	FAMILY(PPPOX),
	FAMILY(QIPCRTR),
	FAMILY(RDS),
	FAMILY(ROSE),
	FAMILY(RXRPC),
	FAMILY(SECURITY),
	FAMILY(SMC),
	FAMILY(SNA),
	FAMILY(TIPC),
	FAMILY(VSOCK),
	FAMILY(WANPIPE),
	FAMILY(X25),
	FAMILY(XDP),
};

static const int open_families[] = { SECCOMP_FAMILIES };

static uint64_t all_open(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < sizeof(open_families) / sizeof(open_families[0]); i++)
		mask |= UINT64_C(1) << open_families[i];
	return mask;
}

/* Its bit, or 0 with the reason in value->why. */
static uint64_t find_family(struct config_value *value, const char *word)
{
	struct nearest nearest = { .given = word };

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (strcmp(families[i].name, word) == 0)
			return UINT64_C(1) << families[i].number;
		nearest_offer(&nearest, families[i].name);
	}
	(void)config_refuse(value, "there is no address family '%s'%s%s%s", word,
		nearest.best ? "; did you mean " : "", nearest.best ?: "", nearest.best ? "?" : "");
	return 0;
}

static int change(
	struct config_value *value, struct config_families *result, char **words, bool deny)
{
	for (char **word = words; *word; word++) {
		uint64_t family = find_family(value, *word);

		if (family == 0)
			return -EINVAL;
		if (!deny && !(family & all_open()))
			return config_refuse(value,
				"%s is closed in every container, and can't be opened", *word);
		/* a line of the other kind takes from the list */
		if (deny == !result->allow)
			result->listed |= family;
		else
			result->listed &= ~family;
	}
	return 0;
}

int config_parse_address_families(struct config_value *value)
{
	struct config_value list = *value;
	struct config_families result = *(struct config_families *)value->field;
	bool deny = *value->text == '~';
	char **words = NULL;
	int r = 0;

	if (*value->text == '\0' || strcmp(value->text, "none") == 0) {
		result = (struct config_families){ .restricted = *value->text != '\0',
			.allow = true };
	} else {
		list.text += deny;
		if (!result.restricted)
			result = (struct config_families){ .restricted = true, .allow = !deny };
		r = config_split(&list, &words);
		if (r == 0)
			r = words ? change(&list, &result, words, deny)
				  : config_refuse(&list, "no address family");
		config_list_free(words);
	}
	if (r == 0)
		*(struct config_families *)value->field = result;
	memcpy(value->why, list.why, sizeof(value->why));
	return r;
}

uint64_t config_address_families(const struct container_config *config)
{
	const struct config_families *given = &config->address_families;

	if (!given->restricted)
		return all_open();
	return all_open() & (given->allow ? given->listed : ~given->listed);
}
