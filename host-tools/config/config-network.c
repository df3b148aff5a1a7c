/* SPDX-License-Identifier: MIT */

/* The values of [Network]. */

#include "cleanup.h"
#include "config-value.h"

#include <arpa/inet.h>
#include <string.h>

int config_parse_private(struct config_value *value)
{
	int r = config_boolean(value->text);

	if (r < 0)
		return config_refuse(value, "must be yes or no");
	value->config->private_written = r ? YES : NO;
	return 0;
}

int config_parse_veth(struct config_value *value)
{
	int r = config_boolean(value->text);

	if (r < 0)
		return config_refuse(value, "must be yes or no");
	value->config->veth_written = r ? YES : NO;
	return 0;
}

static const char *fault_of_v4(struct in_addr address, uint8_t prefix)
{
	uint32_t host = ntohl(address.s_addr);
	uint32_t host_bits = prefix < 31 ? UINT32_MAX >> prefix : 0;

	if (host >> 24 == 0)
		return "begins with 0";
	if (host >> 24 == 127)
		return "is a loopback address";
	if (host >> 28 == 0xe)
		return "is a multicast address";
	if (host >> 28 == 0xf)
		return "is a reserved or broadcast address";
	if (host_bits && (host & host_bits) == 0)
		return "is the network's own address, not a host's";
	if (host_bits && (host & host_bits) == host_bits)
		return "is the network's broadcast address";
	return NULL;
}

static const char *fault_of_v6(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_UNSPECIFIED(address))
		return "is the unspecified address";
	if (IN6_IS_ADDR_LOOPBACK(address))
		return "is the loopback address";
	if (IN6_IS_ADDR_MULTICAST(address))
		return "is a multicast address";
	if (IN6_IS_ADDR_V4MAPPED(address))
		return "is an IPv4 address in IPv6 clothes";
	return NULL;
}

/* Tells somebody who wrote an address of the other family which key takes it. */
static int refuse_address(struct config_value *value, const char *text, int family)
{
	struct in6_addr any;
	int other = family == AF_INET ? AF_INET6 : AF_INET;

	if (inet_pton(other, text, &any) == 1)
		return config_refuse(value, family == AF_INET ? "an IPv6 address: this key takes "
								"IPv4, the one with a 6 at its end "
								"takes IPv6"
							      : "an IPv4 address: this key takes "
								"IPv6, the one without the 6 takes "
								"IPv4");
	return config_refuse(value, "not an %s address: write it like %s",
		family == AF_INET ? "IPv4" : "IPv6",
		family == AF_INET ? "10.0.0.1 or 10.0.0.1/24" : "fd00::1 or fd00::1/64");
}

static int parse_address(struct config_value *value, int family)
{
	uint8_t max = family == AF_INET ? 32 : 128;
	struct config_address address = { .family = family };
	uint64_t prefix = max;
	const char *slash = strchr(value->text, '/'), *fault;
	char text[INET6_ADDRSTRLEN];
	size_t len = slash ? (size_t)(slash - value->text) : strlen(value->text);

	if (*value->text == '\0') {
		*(struct config_address *)value->field = (struct config_address){};
		return 0;
	}
	if (len >= sizeof(text))
		len = sizeof(text) - 1; /* too long for an address, and still one too many */
	memcpy(text, value->text, len);
	text[len] = '\0';
	if (inet_pton(family, text, family == AF_INET ? (void *)&address.v4 : &address.v6) != 1)
		return refuse_address(value, text, family);
	if (slash && (config_number(slash + 1, max, &prefix) < 0 || prefix == 0))
		return config_refuse(value, "the prefix length must be 1 to %d", max);
	address.prefix = (uint8_t)prefix;
	fault = family == AF_INET ? fault_of_v4(address.v4, address.prefix)
				  : fault_of_v6(&address.v6);
	if (fault)
		return config_refuse(value, "%s %s", text, fault);
	*(struct config_address *)value->field = address;
	return 0;
}

int config_parse_address4(struct config_value *value)
{
	return parse_address(value, AF_INET);
}

int config_parse_address6(struct config_value *value)
{
	return parse_address(value, AF_INET6);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int config_parse_mac(struct config_value *value)
{
	uint8_t mac[6] = {};
	const char *p = value->text;
	bool any = false;

	for (size_t i = 0; *value->text && i < sizeof(mac); i++, p += 3) {
		int high = hex_digit(p[0]);
		int low = high < 0 ? -1 : hex_digit(p[1]);
		int end = low < 0 ? 0 : p[2];

		if (low < 0 || (i < 5 ? end != ':' && end != '-' : end != '\0'))
			return config_refuse(value, "must be six bytes in hexadecimal, like "
						    "02:00:00:00:00:01");
		mac[i] = (uint8_t)(high << 4 | low);
		any |= mac[i] != 0;
	}
	if (*value->text && !any)
		return config_refuse(value, "must not be all zero");
	if (mac[0] & 1)
		return config_refuse(value,
			"a multicast address: the lowest bit of the first byte must "
			"be 0");
	memcpy(value->field, mac, sizeof(mac));
	return 0;
}
