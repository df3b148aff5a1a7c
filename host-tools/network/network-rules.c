/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * A connection to a forwarded port of the host is led on to the container by the kernel (dnat);
 * no program of ours stands in its way. It may come from other hosts (prerouting) or from the host
 * itself (output). Its source stays as it is, for the container's logs, unless the answer wouldn't
 * find its way back through the host: then it is replaced by the host's (masquerade).
 *
 *  - from the host itself, which may use an address that the container can't answer to;
 *  - from the container itself, or a neighbour on its bridge, who would get the answer directly;
 *  - to a container whose default route leads elsewhere than to the host.
 *
 * Localhost: no packet with 127.0.0.1 or ::1 in it gets from one interface to another (but for
 * route_localnet, which opens the host's loopback to neighbours, and is for IPv4). So before
 * anything else looks at a packet to a forwarded port of localhost, its source becomes the host's
 * address towards the container; and the answer, which the kernel has led back to that address and
 * given its original source, localhost, gets localhost as its destination, too, last of all, behind
 * the checks of what comes over a wire. Both are stateless; the tracking of connections in between
 * sees an ordinary one.
 *
 * Here is the text of the table and nothing else: what it depends on comes in, and it can be
 * looked at without a kernel. network-nat.c finds that out and puts it into effect.
 */

#include "cleanup.h"
#include "network-link.h"
#include "network-nat.h"
#include "network.h"

#include <arpa/inet.h>
#include <string.h>

bool nat_has_own_interface(const struct container_config *config)
{
	return config->bridge[0] == '\0' && config->zone[0] == '\0';
}

void nat_interface(const struct container_config *config, char ret[IFNAMSIZ])
{
	struct config_link link;
	struct identity id;

	if (network_main_link(config, &link) && link.bridge[0]) {
		memcpy(ret, link.bridge, IFNAMSIZ);
	} else {
		identity_init(&id, config->name, link_prefix(config));
		memcpy(ret, id.interface, IFNAMSIZ);
	}
}

const struct config_address *nat_local(const struct container_config *config, int family)
{
	return family == AF_INET6 ? &config->local_address6 : &config->local_address;
}

bool nat_is_loopback(const struct config_address *address)
{
	if (address->family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6);
	return address->family == AF_INET && ntohl(address->v4.s_addr) >> 24 == 127;
}

bool nat_is_for_family(const struct config_port *port, int family)
{
	return port->address.family == 0 || port->address.family == family;
}

/* One word of a rule: where a port's packets come from or go to. */
static void write_match(FILE *f, const struct config_port *port, const char *direction, bool six)
{
	char text[INET6_ADDRSTRLEN];

	if (port->interface[0])
		(void)fprintf(f, "%s \"%s\" ", direction, port->interface);
	if (!config_port_is_any(port))
		(void)fprintf(
			f, "ip%s daddr %s ", six ? "6" : "", address_text(&port->address, text));
	(void)fprintf(f, "%s dport %u ", port->udp ? "udp" : "tcp", port->host);
}

static void write_dnat(
	FILE *f, const struct config_port *port, const struct config_address *to, bool is_output)
{
	bool six = to->family == AF_INET6;
	char text[INET6_ADDRSTRLEN];

	if (!to->family || !nat_is_for_family(port, to->family))
		return;
	(void)fprintf(f, "\t\tfib daddr type local meta nfproto ipv%c ", six ? '6' : '4');
	if (is_output) /* what write_localhost() has left alone can't leave the host */
		(void)fputs(six ? "ip6 saddr != ::1 " : "ip saddr != 127.0.0.0/8 ", f);
	write_match(f, port, is_output ? "oifname" : "iifname", six);
	(void)fprintf(f, "dnat ip%s to %s%s%s:%u\n", six ? "6" : "", six ? "[" : "",
		address_text(to, text), six ? "]" : "", port->guest);
}

static void write_ports(FILE *f, const struct container_config *config, bool is_output)
{
	for (size_t i = 0; i < config->n_ports; i++) {
		write_dnat(f, &config->ports[i], &config->local_address, is_output);
		write_dnat(f, &config->ports[i], &config->local_address6, is_output);
	}
}

static void write_localhost_port(
	FILE *f, const struct config_port *port, const struct config_address *source)
{
	bool six = source->family == AF_INET6;
	char text[INET6_ADDRSTRLEN];

	if (!source->family || !nat_is_for_family(port, source->family) ||
		!(config_port_is_any(port) || nat_is_loopback(&port->address)) ||
		(port->interface[0] && strcmp(port->interface, "lo") != 0))
		return;
	(void)fprintf(f, "\t\t%s ",
		six ? "ip6 saddr ::1 ip6 daddr ::1" : "ip saddr 127.0.0.1 ip daddr 127.0.0.0/8");
	write_match(f, port, "oifname", six);
	(void)fprintf(f, "ip%s saddr set %s\n", six ? "6" : "", address_text(source, text));
}

static void write_localhost(FILE *f, const struct container_config *config, const char *interface,
	const struct nat_host *host)
{
	char text[INET6_ADDRSTRLEN];

	if (!host->source4.family && !host->source6.family)
		return;
	(void)fputs("\tchain localhost {\n\t\ttype filter hook output priority raw\n", f);
	for (size_t i = 0; i < config->n_ports; i++) {
		write_localhost_port(f, &config->ports[i], &host->source4);
		write_localhost_port(f, &config->ports[i], &host->source6);
	}
	/* behind the nat of this hook, which is at 100 */
	(void)fputs("\t}\n\tchain answers {\n\t\ttype filter hook input priority 150\n", f);
	if (host->source4.family)
		(void)fprintf(f,
			"\t\tiifname \"%s\" ct status dnat ip saddr 127.0.0.0/8 ip daddr %s "
			"ip daddr set 127.0.0.1\n",
			interface, address_text(&host->source4, text));
	if (host->source6.family)
		(void)fprintf(f,
			"\t\tiifname \"%s\" ct status dnat ip6 saddr ::1 ip6 daddr %s "
			"ip6 daddr set ::1\n",
			interface, address_text(&host->source6, text));
	(void)fputs("\t}\n", f);
}

/* Whose answers would miss the host. */
static void write_returns(
	FILE *f, const struct container_config *config, const char *interface, int family)
{
	const struct config_address *local = nat_local(config, family);
	const struct config_address *gateway =
		family == AF_INET6 ? &config->gateway6 : &config->gateway;
	const char *ip = family == AF_INET6 ? "ip6" : "ip";
	char text[INET6_ADDRSTRLEN];

	if (!local->family || config->n_ports == 0)
		return;
	(void)address_text(local, text);
	(void)fprintf(f,
		"\t\tct status dnat oifname \"%s\" %s daddr %s fib saddr type local masquerade\n",
		interface, ip, text);
	if (gateway->family && config->bridge[0])
		(void)fprintf(f, "\t\tct status dnat oifname \"%s\" %s daddr %s masquerade\n",
			interface, ip, text);
	else
		(void)fprintf(f,
			"\t\tct status dnat oifname \"%s\" %s daddr %s %s saddr %s/%u masquerade\n",
			interface, ip, text, ip, text, local->prefix);
}

static void write_masquerade(
	FILE *f, const struct container_config *config, const char *interface, int family)
{
	const struct config_address *local = nat_local(config, family);
	char text[INET6_ADDRSTRLEN];

	/* c-*: other containers see whom they talk to */
	if (nat_has_own_interface(config))
		(void)fprintf(f,
			"\t\tmeta nfproto ipv%c iifname \"%s\" oifname != \"%s\" "
			"oifname != \"c-*\" masquerade\n",
			family == AF_INET6 ? '6' : '4', interface, interface);
	else if (local->family)
		(void)fprintf(f,
			"\t\tip%s saddr %s oifname != \"%s\" oifname != \"c-*\" masquerade\n",
			family == AF_INET6 ? "6" : "", address_text(local, text), interface);
}

/* Of the container itself nothing new may pass; who else is behind the interface is not ours. */
static void write_own_guard(
	FILE *f, const struct container_config *config, const char *interface, int family)
{
	const struct config_address *local = nat_local(config, family);
	char text[INET6_ADDRSTRLEN];

	if (nat_has_own_interface(config))
		(void)fprintf(f, "\t\tmeta nfproto ipv%c iifname \"%s\" drop\n",
			family == AF_INET6 ? '6' : '4', interface);
	else if (local->family)
		(void)fprintf(f, "\t\tiifname \"%s\" ip%s saddr %s drop\n", interface,
			family == AF_INET6 ? "6" : "", address_text(local, text));
}

/* What forwarding was turned on for may pass, and nothing else. */
static void write_guard(FILE *f, const struct container_config *config, const char *interface,
	const struct nat_host *host)
{
	if (host->n == 0 && !host->own4 && !host->own6)
		return;
	(void)fputs("\tchain forward {\n\t\ttype filter hook forward priority filter\n"
		    "\t\tct status dnat accept\n\t\tct state established,related accept\n",
		f);
	for (size_t i = 0; i < host->n; i++)
		(void)fprintf(f, "\t\tmeta nfproto ipv%c iifname \"%s\" drop\n",
			host->interfaces[i].family == AF_INET6 ? '6' : '4',
			host->interfaces[i].name);
	if (host->own4)
		write_own_guard(f, config, interface, AF_INET);
	if (host->own6)
		write_own_guard(f, config, interface, AF_INET6);
	(void)fputs("\t}\n", f);
}

void nat_write_rules(FILE *f, const struct container_config *config, const struct nat_host *host)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char interface[IFNAMSIZ];

	nat_interface(config, interface);
	/* the first line makes the second right when there is no such table */
	(void)fprintf(f,
		"table inet " NAT_TABLE_PREFIX "%s\ndelete table inet " NAT_TABLE_PREFIX "%s\n",
		config->name, config->name);
	(void)fprintf(f, "table inet " NAT_TABLE_PREFIX "%s {\n", config->name);
	if (config->n_ports > 0) {
		write_localhost(f, config, interface, host);
		(void)fputs(
			"\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat\n", f);
		write_ports(f, config, false);
		(void)fputs("\t}\n\tchain output {\n\t\ttype nat hook output priority -100\n", f);
		write_ports(f, config, true);
		(void)fputs("\t}\n", f);
	}
	(void)fputs("\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		write_returns(f, config, interface, families[i]);
		if (config->masquerade)
			write_masquerade(f, config, interface, families[i]);
	}
	(void)fputs("\t}\n", f);
	write_guard(f, config, interface, host);
	(void)fputs("}\n", f);
}
