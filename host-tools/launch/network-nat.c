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
 * Forwarding, where the host has it off, is turned on for the interfaces that need it, and then
 * nothing may pass by that but what it was turned on for: a host that is no router doesn't become
 * one.
 */

#include "network-nat.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-link.h"
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

bool nat_is_needed(const struct container_config *config)
{
	return config->n_ports > 0 || config->masquerade;
}

/* c-NAME: whatever is done to it ends with the container. */
static bool has_own_interface(const struct container_config *config)
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

/* --- rules -------------------------------------------------------------------------------------
 */

static const struct config_address *local_of(const struct container_config *config, int family)
{
	return family == AF_INET6 ? &config->local_address6 : &config->local_address;
}

static bool is_loopback(const struct config_address *address)
{
	if (address->family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6);
	return address->family == AF_INET && ntohl(address->v4.s_addr) >> 24 == 127;
}

static bool is_for_family(const struct config_port *port, int family)
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

	if (!to->family || !is_for_family(port, to->family))
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

	if (!source->family || !is_for_family(port, source->family) ||
		!(config_port_is_any(port) || is_loopback(&port->address)) ||
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
	const struct config_address *local = local_of(config, family);
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
	const struct config_address *local = local_of(config, family);
	char text[INET6_ADDRSTRLEN];

	/* c-*: other containers see whom they talk to */
	if (has_own_interface(config))
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
	const struct config_address *local = local_of(config, family);
	char text[INET6_ADDRSTRLEN];

	if (has_own_interface(config))
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
	if (!nat_is_needed(config))
		return;
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

/* --- the host's interfaces ---------------------------------------------------------------------
 */

/* Whether packets of this family that are not for the host come in over an interface. interface
 * NULL: any. */
static bool wants_forwarding(
	const struct container_config *config, int family, const char *interface)
{
	if (!local_of(config, family)->family)
		return config->masquerade;
	for (size_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];

		if (is_for_family(port, family) && !is_loopback(&port->address) &&
			strcmp(port->interface, "lo") != 0 &&
			(!interface || !port->interface[0] ||
				strcmp(port->interface, interface) == 0))
			return true;
	}
	return config->masquerade;
}

struct census {
	const struct container_config *config;
	char interface[IFNAMSIZ];
	struct nat_host host;
	int error;
};

static void consider(struct census *census, const char *interface, int family)
{
	int r;

	if (census->host.n == NAT_INTERFACES_MAX ||
		!wants_forwarding(census->config, family, interface))
		return;
	for (size_t i = 0; i < census->host.n; i++)
		if (census->host.interfaces[i].family == family &&
			strcmp(census->host.interfaces[i].name, interface) == 0)
			return;
	r = knob_is_to_be_borrowed(family == AF_INET6 ? KNOB_FORWARD6 : KNOB_FORWARD4, interface);
	if (r < 0 && r != -ENOENT)
		census->error = r;
	if (r <= 0)
		return;
	census->host.interfaces[census->host.n].family = family;
	memcpy(census->host.interfaces[census->host.n++].name, interface, IFNAMSIZ);
}

/* An interface over which the world may come. Those of containers are their own business. */
static void consider_link(const struct nlmsghdr *message, void *userdata)
{
	struct census *census = userdata;
	struct netlink_link link;

	if (netlink_parse_link(message, &link) < 0 || (link.flags & IFF_LOOPBACK) ||
		link.master > 0 || strncmp(link.alias, "narthex", strlen("narthex")) == 0)
		return;
	/* who is on a bridge, and masqueraded, is asked about below */
	if (strcmp(link.name, census->interface) == 0 && census->config->masquerade)
		return;
	consider(census, link.name, AF_INET);
	consider(census, link.name, AF_INET6);
}

static bool is_router(int family)
{
	_cleanup_free_ char *value = NULL;
	const char *path = family == AF_INET6 ? "/proc/sys/net/ipv6/conf/all/forwarding"
					      : "/proc/sys/net/ipv4/conf/default/forwarding";

	return file_read_all(AT_FDCWD, path, 0, 64, &value) <= 0 || strcmp(value, "0\n") != 0;
}

static int take_attribute(const struct nlattr *attribute, void *userdata)
{
	struct config_address *source = userdata;

	if (mnl_attr_get_type(attribute) == RTA_PREFSRC &&
		mnl_attr_get_payload_len(attribute) == address_size(source))
		memcpy(&source->v6, mnl_attr_get_payload(attribute), address_size(source));
	return MNL_CB_OK;
}

static void take_source(const struct nlmsghdr *message, void *userdata)
{
	if (message->nlmsg_type == RTM_NEWROUTE)
		(void)mnl_attr_parse(message, sizeof(struct rtmsg), take_attribute, userdata);
}

/* The host's address towards the container: family 0 for none. On a bridge the kernel knows. */
static void find_source(struct netlink *netlink, const struct container_config *config, int family,
	struct config_address *ret)
{
	const struct config_address *local = local_of(config, family);
	struct config_address source = { .family = family };
	struct rtmsg header = {
		.rtm_family = (uint8_t)family,
		.rtm_dst_len = (uint8_t)(8 * address_size(&source)),
	};

	if (!local->family)
		return;
	if (!config->bridge[0]) {
		*ret = family == AF_INET6 ? config->host_address6 : config->host_address;
		return;
	}
	netlink_begin(netlink, RTM_GETROUTE, 0, &header, sizeof(header), "ask for a route");
	netlink_put(netlink, RTA_DST, &local->v6, address_size(local));
	if (netlink_commit(netlink, take_source, &source) >= 0 &&
		!IN6_IS_ADDR_UNSPECIFIED(&source.v6) && !is_loopback(&source))
		*ret = source;
}

static int take_census(struct census *census)
{
	const struct container_config *config = census->config;
	struct ifinfomsg header = {};
	struct netlink netlink = {};
	int r = netlink_open(&netlink, -1);

	nat_interface(config, census->interface);
	if (r < 0)
		return log_errno(r, "cannot open a netlink socket");
	r = netlink_dump(&netlink, RTM_GETLINK, &header, sizeof(header), "list interfaces",
		consider_link, census);
	if (r < 0)
		log_error("%s", netlink.why);
	find_source(&netlink, config, AF_INET, &census->host.source4);
	find_source(&netlink, config, AF_INET6, &census->host.source6);
	netlink_close(&netlink);
	if (!config->masquerade && config->bridge[0] == '\0') {
		census->host.own4 = !is_router(AF_INET);
		census->host.own6 = !is_router(AF_INET6);
	}
	return r < 0 ? r : census->error;
}

/* Says what the host's administrator has to do where we can't, or may not. */
static void warn(const struct container_config *config)
{
	bool old = access("/proc/sys/net/ipv6/conf/all/force_forwarding", F_OK) < 0 &&
		   access("/proc/sys/net/ipv6/conf/lo/force_forwarding", F_OK) < 0;

	if (old && config->local_address6.family && wants_forwarding(config, AF_INET6, NULL) &&
		!is_router(AF_INET6))
		log_warning("IPv6 is not forwarded on this host, so container '%s' has it with "
			    "the host only: set net.ipv6.conf.all.forwarding=1, and "
			    "net.ipv6.conf.IFACE.accept_ra=2 where the host gets its address by "
			    "router advertisements",
			config->name);
	if (config->bridge[0] && config->masquerade && !knob_is_on(KNOB_FORWARD4, config->bridge))
		log_warning("bridge %s does not forward, so Masquerade= of container '%s' has no "
			    "effect: set net.ipv4.conf.%s.forwarding=1",
			config->bridge, config->name, config->bridge);
}

/* --- doing -------------------------------------------------------------------------------------
 */

static int run_rules(const struct container_config *config, const struct nat_host *host)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return log_errno(-ENOMEM, "cannot write the packet filter");
	nat_write_rules(f, config, host);
	if (fclose(f) != 0)
		return log_errno(-ENOMEM, "cannot write the packet filter");
	return nft_run(text);
}

int nat_apply(const struct container_config *config)
{
	struct census census = { .config = config };
	int r = 0;

	if (nat_is_needed(config))
		r = take_census(&census);
	/* the rules first: nothing passes before its guard is there */
	if (r >= 0)
		r = run_rules(config, &census.host);
	for (size_t i = 0; r >= 0 && i < census.host.n; i++)
		r = knob_borrow(census.host.interfaces[i].family == AF_INET6 ? KNOB_FORWARD6
									     : KNOB_FORWARD4,
			census.host.interfaces[i].name, config->name);
	if (r >= 0)
		warn(config);
	return r < 0 ? r : 0;
}

/* On the container's interface. */
static int turn_on(const struct container_config *config, enum knob knob, const char *interface)
{
	int r = has_own_interface(config) ? knob_turn_on(knob, interface)
					  : knob_borrow(knob, interface, config->name);

	/* said by warn() */
	if (r == -ENOENT && knob == KNOB_FORWARD6)
		return 0;
	return r < 0 ? log_errno(r, "cannot let the host route to %s", interface) : 0;
}

int nat_open(const struct container_config *config)
{
	/* on a bridge the administrator decides who may go out: see warn() */
	bool may_forward = !config->bridge[0] || !config->masquerade;
	char interface[IFNAMSIZ];
	int r = 0;

	nat_interface(config, interface);
	if (may_forward && wants_forwarding(config, AF_INET, NULL))
		r = turn_on(config, KNOB_FORWARD4, interface);
	if (r >= 0 && may_forward && wants_forwarding(config, AF_INET6, NULL))
		r = turn_on(config, KNOB_FORWARD6, interface);
	return r;
}

int nat_remove(const char *name)
{
	char table[sizeof(NAT_TABLE_PREFIX) + NAME_MAX_LEN];
	int r = knob_return_all(name), s;

	/* the guards last */
	(void)snprintf(table, sizeof(table), NAT_TABLE_PREFIX "%s", name);
	s = nft_delete_table(table);
	if (s < 0 && s != -ENOENT)
		return log_errno(s, "cannot delete the nftables table inet %s", table);
	return r;
}
