/* SPDX-License-Identifier: MIT */

/*
 * Finds out what a container's rules depend on (network-rules.c writes them), puts them into
 * effect, and lets the host route.
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

/* --- the host's interfaces ---------------------------------------------------------------------
 */

/* Whether packets of this family that are not for the host come in over an interface. interface
 * NULL: any. */
static bool wants_forwarding(
	const struct container_config *config, int family, const char *interface)
{
	if (!nat_local(config, family)->family)
		return config->masquerade;
	for (size_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];

		if (nat_is_for_family(port, family) && !nat_is_loopback(&port->address) &&
			strcmp(port->interface, "lo") != 0 &&
			(!interface || !port->interface[0] ||
				strcmp(port->interface, interface) == 0))
			return true;
	}
	return config->masquerade;
}

/* Whether the host has to route what comes from the container's side. On a bridge the administrator
 * decides who may go out: see warn(). */
static bool needs_own(const struct container_config *config, int family)
{
	return (!config->bridge[0] || !config->masquerade) &&
	       wants_forwarding(config, family, NULL);
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

	/* over a bridge answers come in, too, wherever the connection came from */
	if (census->host.n == NAT_INTERFACES_MAX ||
		!wants_forwarding(census->config, family,
			strcmp(interface, census->interface) == 0 ? NULL : interface))
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

/* A link of a container, or what will be one: its alias comes after its birth (network-identity.c).
 */
static bool is_containers(const struct netlink_link *link)
{
	if (link->alias[0] == '\0')
		return strcmp(link->kind, "veth") == 0 && link->mac[0] == 0xfe;
	return strncmp(link->alias, "narthex", strlen("narthex")) == 0;
}

/* An interface over which the world may come. Those of containers are their own business. */
static void consider_link(const struct nlmsghdr *message, void *userdata)
{
	struct census *census = userdata;
	struct netlink_link link;

	if (netlink_parse_link(message, &link) < 0 || (link.flags & IFF_LOOPBACK) ||
		link.master > 0 || is_containers(&link))
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

/* The host's address towards the container: family 0 for none. One that we haven't set the kernel
 * knows. */
static void find_source(struct netlink *netlink, const struct container_config *config, int family,
	struct config_address *ret)
{
	const struct config_address *local = nat_local(config, family);
	const struct config_address *known =
		family == AF_INET6 ? &config->host_address6 : &config->host_address;
	struct config_address source = { .family = family };
	struct rtmsg header = {
		.rtm_family = (uint8_t)family,
		.rtm_dst_len = (uint8_t)(8 * address_size(&source)),
	};

	if (!local->family)
		return;
	if (!config->bridge[0] && known->family) {
		*ret = *known;
		return;
	}
	netlink_begin(netlink, RTM_GETROUTE, 0, &header, sizeof(header), "ask for a route");
	netlink_put(netlink, RTA_DST, &local->v6, address_size(local));
	if (netlink_commit(netlink, take_source, &source) >= 0 &&
		!IN6_IS_ADDR_UNSPECIFIED(&source.v6) && !nat_is_loopback(&source))
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

/* Whether what was borrowed earlier is needed by what is to be. */
static bool is_needed(enum knob knob, const char *interface, const void *userdata)
{
	const struct census *census = userdata;
	int family = knob == KNOB_FORWARD6 ? AF_INET6 : AF_INET;

	for (size_t i = 0; i < census->host.n; i++)
		if (census->host.interfaces[i].family == family &&
			strcmp(census->host.interfaces[i].name, interface) == 0)
			return true;
	return strcmp(interface, census->interface) == 0 && needs_own(census->config, family);
}

int nat_apply(const struct container_config *config)
{
	struct census census = { .config = config };
	int r;

	if (!nat_is_needed(config))
		return nat_remove(config->name);
	r = take_census(&census);
	/* Nothing passes without its guard: what isn't needed any more is off before the old rules
	 * go, and what is is on after the new ones are there. */
	if (r >= 0)
		r = knob_return(config->name, is_needed, &census);
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
	int r = knob_borrow(knob, interface, config->name);

	/* said by warn() */
	if (r == -ENOENT && knob == KNOB_FORWARD6)
		return 0;
	return r < 0 ? log_errno(r, "cannot let the host route to %s", interface) : 0;
}

int nat_open(const struct container_config *config)
{
	char interface[IFNAMSIZ];
	int r = 0;

	nat_interface(config, interface);
	if (needs_own(config, AF_INET))
		r = turn_on(config, KNOB_FORWARD4, interface);
	if (r >= 0 && needs_own(config, AF_INET6))
		r = turn_on(config, KNOB_FORWARD6, interface);
	return r;
}

int nat_remove(const char *name)
{
	char table[sizeof(NAT_TABLE_PREFIX) + NAME_MAX_LEN];
	int r = knob_return(name, NULL, NULL);

	/* the guards last */
	if (r < 0)
		return r;
	(void)snprintf(table, sizeof(table), NAT_TABLE_PREFIX "%s", name);
	r = nft_delete_table(table);
	return r < 0 && r != -ENOENT
		       ? log_errno(r, "cannot delete the nftables table inet %s", table)
		       : 0;
}
