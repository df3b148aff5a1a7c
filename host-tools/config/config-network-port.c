/* SPDX-License-Identifier: MIT */

/* The values of Port=. */

#include "cleanup.h"
#include "config-value.h"

#include <arpa/inet.h>
#include <string.h>

#define SYNTAX "[tcp:|udp:][ADDRESS][%%INTERFACE:]HOST[:GUEST]"

static int refuse_port(struct config_value *value)
{
	return config_refuse(value, "must be " SYNTAX ", like 80, udp:5300:53 or "
				    "tcp:192.0.2.1:8080:80; an IPv6 ADDRESS is in brackets");
}

/* Takes "ADDRESS" off *p. 0, or -EINVAL with why set. */
static int take_address(struct config_value *value, const char **p, struct config_address *ret)
{
	const char *begin = *p, *end;
	char text[INET6_ADDRSTRLEN];
	size_t len;

	if (*begin == '[') {
		end = strchr(++begin, ']');
		ret->family = AF_INET6;
		ret->prefix = 128;
	} else {
		end = begin + strcspn(begin, ":%");
		ret->family = AF_INET;
		ret->prefix = 32;
	}
	len = end ? (size_t)(end - begin) : sizeof(text);
	if (len >= sizeof(text))
		return refuse_port(value);
	memcpy(text, begin, len);
	text[len] = '\0';
	if (inet_pton(ret->family, text, &ret->v6) != 1)
		return config_refuse(value, "'%s' is no IPv%c address", text,
			ret->family == AF_INET ? '4' : '6');
	*p = end + (ret->family == AF_INET6);
	return 0;
}

/* Takes "%INTERFACE" off *p. A '*' at the end would be many interfaces to nftables. */
static int take_interface(struct config_value *value, const char **p, char ret[IFNAMSIZ])
{
	size_t len = strcspn(++*p, ":");

	if (len >= IFNAMSIZ)
		return refuse_port(value);
	memcpy(ret, *p, len);
	ret[len] = '\0';
	if (!config_interface_name_is_valid(ret) || strchr(ret, '*'))
		return config_refuse(value, "'%s' is not the name of an interface", ret);
	*p += len;
	return 0;
}

/* A number that ends the text, or, with more, at a colon. */
static int take_number(struct config_value *value, const char **p, bool more, uint16_t *ret)
{
	size_t len = more ? strcspn(*p, ":") : strlen(*p);
	uint64_t number = 0;
	char text[8];

	if (len < sizeof(text)) {
		memcpy(text, *p, len);
		text[len] = '\0';
	}
	if (len == 0)
		return refuse_port(value);
	if (len >= sizeof(text) || config_number(text, UINT16_MAX, &number) < 0 || number == 0)
		return config_refuse(value, "'%.*s' is no port: 1 to 65535", (int)len, *p);
	*ret = (uint16_t)number;
	*p += len;
	return 0;
}

static int parse(struct config_value *value, struct config_port *ret)
{
	struct config_port port = {};
	const char *p = value->text;
	int r = 0;

	port.udp = strncmp(p, "udp:", 4) == 0;
	if (port.udp || strncmp(p, "tcp:", 4) == 0)
		p += 4;
	/* a first word of digits alone is the port */
	if (*p != '%' && p[strspn(p, "0123456789")] != ':' && p[strspn(p, "0123456789")] != '\0')
		r = take_address(value, &p, &port.address);
	if (r == 0 && *p == '%')
		r = take_interface(value, &p, port.interface);
	if (r == 0 && (port.address.family || port.interface[0]) && *p++ != ':')
		return refuse_port(value);
	if (r == 0)
		r = take_number(value, &p, true, &port.host);
	port.guest = port.host;
	if (r == 0 && *p++ == ':')
		r = take_number(value, &p, false, &port.guest);
	if (r == 0)
		*ret = port;
	return r;
}

static bool any_of_family(const struct config_address *address)
{
	return address->family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&address->v6)
					   : address->v4.s_addr == INADDR_ANY;
}

static bool addresses_meet(const struct config_address *a, const struct config_address *b)
{
	if (a->family == 0 || b->family == 0)
		return true;
	if (a->family != b->family)
		return false;
	return any_of_family(a) || any_of_family(b) ||
	       memcmp(&a->v6, &b->v6, a->family == AF_INET6 ? 16 : 4) == 0;
}

bool config_port_is_any(const struct config_port *port)
{
	return port->address.family == 0 || any_of_family(&port->address);
}

bool config_ports_meet(const struct config_port *a, const struct config_port *b)
{
	return a->udp == b->udp && a->host == b->host && addresses_meet(&a->address, &b->address) &&
	       (!a->interface[0] || !b->interface[0] || strcmp(a->interface, b->interface) == 0);
}

bool config_ports_follow(const struct container_config *config)
{
	return config->n_ports > 0 && !config->local_address.family &&
	       !config->local_address6.family;
}

const char *config_port_text(const struct config_port *port, char text[CONFIG_PORT_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN] = "";
	bool six = port->address.family == AF_INET6;

	if (port->address.family)
		(void)inet_ntop(port->address.family, &port->address.v6, address, sizeof(address));
	(void)snprintf(text, CONFIG_PORT_TEXT_SIZE, "%s:%s%s%s%s%s%s%u", port->udp ? "udp" : "tcp",
		six ? "[" : "", address, six ? "]" : "", port->interface[0] ? "%" : "",
		port->interface, address[0] || port->interface[0] ? ":" : "", port->host);
	return text;
}

int config_parse_port(struct config_value *value)
{
	struct container_config *config = value->config;
	struct config_port port = {}, *bigger;
	int r;

	if (*value->text == '\0') {
		config->n_ports = 0;
		return 0;
	}
	r = parse(value, &port);
	if (r < 0)
		return r;
	for (size_t i = 0; i < config->n_ports; i++)
		if (config_ports_meet(&config->ports[i], &port)) {
			char text[CONFIG_PORT_TEXT_SIZE];

			return config_refuse(value, "the container has %s already",
				config_port_text(&config->ports[i], text));
		}
	if (config->n_ports >= CONFIG_LIST_MAX)
		return -E2BIG;
	bigger = reallocarray(config->ports, config->n_ports + 1, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	config->ports = bigger;
	config->ports[config->n_ports++] = port;
	return 0;
}
