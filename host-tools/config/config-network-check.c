/* SPDX-License-Identifier: MIT */

/* What the keys of [Network] and [Link NAME] mean to each other. */

#include "../nearest.h"
#include "config-value.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t no_mac[6];

static int fault(const char *where, const char *text)
{
	log_error("%s: %s", where, text);
	return -EINVAL;
}

/* One link: eth0's keys are in [Network], the others' in a section of their own. */
struct checked {
	const char *where;
	const char *section; /* begins messages: "" or "[Link eth1] " */
	const struct config_address *host, *local, *gateway;
	const char *six; /* "" or "6" */
	bool shared;	 /* on a bridge, a zone or another's wire: the host's end has no address */
	bool one_ended;	 /* there is no host's end at all */
	bool is_zone;
};

static bool same_address(const struct config_address *a, const struct config_address *b)
{
	return a->family == AF_INET6 ? IN6_ARE_ADDR_EQUAL(&a->v6, &b->v6)
				     : a->v4.s_addr == b->v4.s_addr;
}

static int refuse_alone(const struct checked *c, const char *key, const char *other)
{
	if (c->one_ended)
		log_error("%s: %s%s%s= without a prefix length: nothing could be reached; write it "
			  "(/%d), or set Gateway%s=",
			c->where, c->section, key, c->six, *c->six ? 64 : 24, c->six);
	else
		log_error(
			"%s: %s%s%s= without %s%s=: nothing could be reached; set both, or write a "
			"prefix length (/%d)",
			c->where, c->section, key, c->six, other, c->six, *c->six ? 64 : 24);
	return -EINVAL;
}

static int check_addresses(const struct checked *c)
{
	uint8_t full = *c->six ? 128 : 32;

	if (c->host->family && c->local->family && same_address(c->host, c->local)) {
		log_error("%s: %sHostAddress%s= and LocalAddress%s= are the same address", c->where,
			c->section, c->six, c->six);
		return -EINVAL;
	}
	if (c->gateway->family && !c->local->family) {
		log_error("%s: %sGateway%s= without LocalAddress%s=: whoever gives the container "
			  "its address gives it the gateway, too",
			c->where, c->section, c->six, c->six);
		return -EINVAL;
	}
	if (c->is_zone && ((c->host->family && c->host->prefix == full) ||
				  (c->local->family && c->local->prefix == full))) {
		log_error("%s: %sZone= makes a network: write the prefix length (/%d) of "
			  "HostAddress%s= and LocalAddress%s=",
			c->where, c->section, *c->six ? 64 : 24, c->six, c->six);
		return -EINVAL;
	}
	if (c->shared && !c->is_zone && c->host->family && !c->local->family) {
		log_error("%s: %sHostAddress%s= without LocalAddress%s=: on a bridge it is where "
			  "the container's default route leads, and the bridge keeps its own "
			  "addresses",
			c->where, c->section, c->six, c->six);
		return -EINVAL;
	}
	/* with a prefix there is a network, and the other end may get its address otherwise */
	if (c->host->family && !c->local->family && c->host->prefix == full)
		return refuse_alone(c, "HostAddress", "LocalAddress");
	if (c->local->family && !c->host->family && !c->gateway->family && c->local->prefix == full)
		return refuse_alone(c, "LocalAddress", "HostAddress");
	return 0;
}

static int check_vlan(const char *where, const char *section, uint32_t vlan, const char *bridge)
{
	if (vlan == 0 || *bridge)
		return 0;
	log_error("%s: %sVLAN= is that of a port of a bridge: set Bridge=", where, section);
	return -EINVAL;
}

const char *config_main_link_name(const struct container_config *config)
{
	return config->nspawn_names ? "host0" : "eth0";
}

static int check_eth0(const struct container_config *config, const char *where)
{
	struct checked c = {
		.where = where,
		.section = "",
		.host = &config->host_address,
		.local = &config->local_address,
		.gateway = &config->gateway,
		.six = "",
		.shared = config->bridge[0] || config->zone[0],
		.is_zone = config->zone[0],
	};
	int r = check_addresses(&c);

	c.host = &config->host_address6;
	c.local = &config->local_address6;
	c.gateway = &config->gateway6;
	c.six = "6";
	if (check_addresses(&c) < 0)
		r = -EINVAL;
	if (check_vlan(where, "", config->vlan, config->bridge) < 0)
		r = -EINVAL;
	if (config->bridge[0] && config->zone[0])
		r = fault(where, "Bridge= and Zone= exclude each other: eth0 has one place");
	return r;
}

static int refuse_undeclared(
	const struct container_config *config, const struct config_link *link, const char *where)
{
	struct nearest nearest = { .given = link->guest };

	for (size_t i = 0; i < config->n_links; i++)
		if (config->links[i].kind != LINK_UNDECLARED)
			nearest_offer(&nearest, config->links[i].guest);
	if (config->veth && strcmp(link->guest, config_main_link_name(config)) == 0)
		log_error("%s: [Link %s]: %s is the link that [Network] describes", where,
			link->guest, link->guest);
	else if (nearest.best)
		log_error("%s: [Link %s]: the container has no such interface; did you mean "
			  "[Link %s]?",
			where, link->guest, nearest.best);
	else
		log_error("%s: [Link %s]: the container has no such interface: make it by "
			  "VirtualEthernetExtra=, MACVLAN=, IPVLAN= or Interface= in [Network]",
			where, link->guest);
	return -EINVAL;
}

/* Keys of [Link NAME] that a link without an end on the host, or without one of its own, lacks. */
static int check_veth_only(const struct config_link *link, const char *where)
{
	bool has_mac = memcmp(link->mac_address, no_mac, 6) != 0;
	const char *key = NULL, *besides = "";

	if (link->kind == LINK_VETH)
		return 0;
	if (link->bridge[0])
		key = "Bridge=";
	else if (link->vlan)
		key = "VLAN=";
	else if (link->host_address.family)
		key = "HostAddress=";
	else if (link->host_address6.family)
		key = "HostAddress6=";
	else if (has_mac && link->kind != LINK_MACVLAN) {
		key = "MACAddress=";
		besides = " and for MACVLAN=";
	}
	if (!key)
		return 0;
	log_error("%s: [Link %s] %s is for VirtualEthernetExtra= only%s", where, link->guest, key,
		besides);
	return -EINVAL;
}

static int check_link(
	const struct container_config *config, const struct config_link *link, const char *where)
{
	char section[sizeof("[Link ] ") + IFNAMSIZ];
	struct checked c = {
		.where = where,
		.section = section,
		.host = &link->host_address,
		.local = &link->local_address,
		.gateway = &link->gateway,
		.six = "",
		.shared = link->bridge[0],
		.one_ended = link->kind != LINK_VETH,
	};
	int r = 0;

	if (link->kind == LINK_UNDECLARED)
		return refuse_undeclared(config, link, where);
	(void)snprintf(section, sizeof(section), "[Link %s] ", link->guest);
	if (check_addresses(&c) < 0)
		r = -EINVAL;
	c.host = &link->host_address6;
	c.local = &link->local_address6;
	c.gateway = &link->gateway6;
	c.six = "6";
	if (check_addresses(&c) < 0)
		r = -EINVAL;
	if (check_veth_only(link, where) < 0 ||
		check_vlan(where, section, link->vlan, link->bridge) < 0)
		r = -EINVAL;
	return r;
}

/* Any number of these may be on one interface of the host's. */
static bool is_on_top(const struct config_link *link)
{
	return link->kind == LINK_MACVLAN || link->kind == LINK_IPVLAN;
}

/* Two interfaces of one name, inside or on the host. */
static int check_names(const struct container_config *config, const char *where)
{
	int r = 0;

	for (size_t i = 0; i < config->n_links; i++) {
		const struct config_link *link = &config->links[i];

		if (strcmp(link->guest, "lo") == 0 ||
			(config->veth && link->kind != LINK_UNDECLARED &&
				strcmp(link->guest, config_main_link_name(config)) == 0)) {
			log_error("%s: the container has an interface '%s' already: name another, "
				  "%s:NAME",
				where, link->guest, link->host);
			r = -EINVAL;
		}
		for (size_t j = 0; j < i; j++) {
			const struct config_link *earlier = &config->links[j];

			if (strcmp(link->host, earlier->host) != 0 ||
				link->kind == LINK_UNDECLARED ||
				(is_on_top(link) && is_on_top(earlier)))
				continue;
			log_error(
				"%s: the host's interface '%s' is named twice", where, link->host);
			r = -EINVAL;
		}
	}
	return r;
}

/* The first key that makes no sense without eth0; NULL when there is none. */
static const char *needs_veth(const struct container_config *config)
{
	if (config->host_address.family || config->local_address.family ||
		config->host_address6.family || config->local_address6.family)
		return "an address (HostAddress=, LocalAddress=, …)";
	if (memcmp(config->mac_address, no_mac, sizeof(no_mac)) != 0)
		return "MACAddress=";
	if (config->bridge[0])
		return "Bridge=";
	if (config->zone[0])
		return "Zone=";
	if (config->gateway.family || config->gateway6.family)
		return "Gateway=";
	if (config->mtu)
		return "MTU=";
	return config->vlan ? "VLAN=" : NULL;
}

/* Whoever made the network that is joined has wired it. */
static int check_joined(const struct container_config *config, const char *where)
{
	const char *key = needs_veth(config);

	if (!config->namespace_path)
		return 0;
	if (!key && config->n_links > 0)
		key = "an interface of its own";
	if (!key && config->veth_written == YES)
		key = "VirtualEthernet=yes";
	if (!key && config->private_written == YES)
		key = "Private=yes";
	if (!key)
		return 0;
	log_error("%s: NamespacePath= joins a network that is there already, and %s changes it or "
		  "makes another: remove one of both",
		where, key);
	return -EINVAL;
}

static int check_ports(const struct container_config *config, const char *where)
{
	int r = 0;

	if (config->n_ports > 0 && !config->veth)
		return fault(where, "Port= without a link to lead it over: set HostAddress= and "
				    "LocalAddress=, Bridge=, Zone= or VirtualEthernet=yes");
	if (config_ports_follow(config))
		return 0;
	for (size_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		bool six = port->address.family == AF_INET6;
		char text[CONFIG_PORT_TEXT_SIZE];

		if (port->address.family == 0 ||
			(six ? config->local_address6.family : config->local_address.family))
			continue;
		log_error("%s: Port= of %s without LocalAddress%s=: IPv%c leads to IPv%c", where,
			config_port_text(port, text), six ? "6" : "", six ? '6' : '4',
			six ? '6' : '4');
		r = -EINVAL;
	}
	return r;
}

static int check_masquerade(const struct container_config *config, const char *where)
{
	if (!config->masquerade)
		return 0;
	if (!config->veth)
		return fault(where, "Masquerade= without a link: set HostAddress= and "
				    "LocalAddress=");
	if (config->bridge[0] && !config->local_address.family && !config->local_address6.family)
		return fault(where, "Masquerade= on a bridge without LocalAddress=: the host "
				    "tells the container from its neighbours by it");
	return 0;
}

int config_check_network(const struct container_config *config, const char *where)
{
	const char *key = needs_veth(config);
	int r = check_joined(config, where);

	if (r < 0)
		return r;

	if (!config->private_network) {
		if (!key && config->n_links > 0)
			key = "an interface of its own";
		if (key) {
			log_error("%s: %s needs a network of the container's own: remove it, or "
				  "Private=no",
				where, key);
			r = -EINVAL;
		} else if (config->veth) {
			r = fault(where, "VirtualEthernet=yes and Private=no exclude each other");
		}
	} else if (key && !config->veth) {
		log_error("%s: %s needs a link to put it on: remove it, or VirtualEthernet=no",
			where, key);
		r = -EINVAL;
	}
	if (check_eth0(config, where) < 0 || check_names(config, where) < 0)
		r = -EINVAL;
	if (check_ports(config, where) < 0 || check_masquerade(config, where) < 0)
		r = -EINVAL;
	for (size_t i = 0; i < config->n_links; i++)
		if (check_link(config, &config->links[i], where) < 0)
			r = -EINVAL;
	return r;
}
