/* SPDX-License-Identifier: MIT */

/* Which keys there are, and how one of them is set. */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"
#include "escape.h"
#include "log.h"

#include <string.h>
#include <sys/resource.h>

/* clang-format off */
#define KEY(section, key, parse, member) \
	{ section, key, parse, offsetof(struct container_config, member) }
#define LINK_KEY(key, parse, member) { "Link", key, parse, offsetof(struct config_link, member) }
#define WHOLE(section, key, parse) { section, key, parse, 0 } /* sets more than one member */
#define LIMIT_KEY(kind) KEY("Exec", "Limit" #kind, config_parse_limit, limits[RLIMIT_##kind])

const struct config_key config_keys[] = {
	KEY("Exec", "Path", config_parse_path, path),
	KEY("Exec", "AutoStart", config_parse_bool, auto_start),
	KEY("Exec", "Ephemeral", config_parse_bool, ephemeral),
	WHOLE("Exec", "Boot", config_parse_boot),
	KEY("Exec", "ProcessTwo", config_parse_bool, process_two),
	KEY("Exec", "Parameters", config_parse_parameters, parameters),
	KEY("Exec", "Environment", config_parse_environment, environment),
	KEY("Exec", "Hostname", config_parse_hostname, hostname),
	KEY("Exec", "MachineID", config_parse_machine_id, machine_id),
	KEY("Exec", "WorkingDirectory", config_parse_path, working_directory),
	KEY("Exec", "Capability", config_parse_capabilities, capability_keep),
	KEY("Exec", "DropCapability", config_parse_capabilities, capability_drop),
	WHOLE("Exec", "PrivateUsers", config_parse_private_users),
	KEY("Exec", "NotifyReady", config_parse_tristate, notify_ready),
	KEY("Exec", "KillSignal", config_parse_signal, kill_signal),
	KEY("Exec", "AmbientCapability", config_parse_ambient_capabilities, capability_ambient),
	KEY("Exec", "NoNewPrivileges", config_parse_bool, no_new_privileges),
	KEY("Exec", "User", config_parse_user, user),
	WHOLE("Exec", "PivotRoot", config_parse_pivot_root),
	KEY("Exec", "Personality", config_parse_personality, personality),
	WHOLE("Exec", "OOMScoreAdjust", config_parse_oom_score_adjust),
	KEY("Exec", "CPUAffinity", config_parse_cpu_affinity, cpu_affinity),
	KEY("Exec", "SuppressSync", config_parse_bool, suppress_sync),
	KEY("Exec", "RestrictAddressFamilies", config_parse_address_families, address_families),
	KEY("Exec", "SystemCallFilter", config_parse_system_calls, system_calls),
	KEY("Exec", "Timezone", config_parse_timezone, timezone),
	WHOLE("Exec", "ResolvConf", config_parse_resolv_conf),
	KEY("Exec", "LinkJournal", config_parse_link_journal, link_journal),
	LIMIT_KEY(CPU),
	LIMIT_KEY(FSIZE),
	LIMIT_KEY(DATA),
	LIMIT_KEY(STACK),
	LIMIT_KEY(CORE),
	LIMIT_KEY(RSS),
	LIMIT_KEY(NOFILE),
	LIMIT_KEY(AS),
	LIMIT_KEY(NPROC),
	LIMIT_KEY(MEMLOCK),
	LIMIT_KEY(LOCKS),
	LIMIT_KEY(SIGPENDING),
	LIMIT_KEY(MSGQUEUE),
	LIMIT_KEY(NICE),
	LIMIT_KEY(RTPRIO),
	LIMIT_KEY(RTTIME),
	KEY("Exec", "SwitchCommand", config_parse_command, switch_command),

	KEY("Files", "Root", config_parse_root, root),
	KEY("Files", "Store", config_parse_store, store),
	KEY("Files", "PerContainerNix", config_parse_bool, per_container_nix),
	KEY("Files", "NixDaemon", config_parse_bool, nix_daemon),
	WHOLE("Files", "Bind", config_parse_bind),
	WHOLE("Files", "BindReadOnly", config_parse_bind_read_only),
	WHOLE("Files", "TemporaryFileSystem", config_parse_tmpfs),
	WHOLE("Files", "Overlay", config_parse_overlay),
	WHOLE("Files", "OverlayReadOnly", config_parse_overlay_read_only),
	KEY("Files", "BindUser", config_parse_bind_user, bind_users),
	KEY("Files", "Inaccessible", config_parse_inaccessible, inaccessible),
	KEY("Files", "ReadOnly", config_parse_bool, read_only),
	KEY("Files", "Volatile", config_parse_volatile, volatile_mode),
	KEY("Files", "PrivateUsersOwnership", config_parse_ownership, ownership),
	KEY("Files", "PrivateUsersChown", config_parse_ownership_chown, ownership),

	WHOLE("Network", "Private", config_parse_private),
	WHOLE("Network", "VirtualEthernet", config_parse_veth),
	KEY("Network", "HostAddress", config_parse_address4, host_address),
	KEY("Network", "LocalAddress", config_parse_address4, local_address),
	KEY("Network", "HostAddress6", config_parse_address6, host_address6),
	KEY("Network", "LocalAddress6", config_parse_address6, local_address6),
	KEY("Network", "MACAddress", config_parse_mac, mac_address),
	KEY("Network", "MTU", config_parse_mtu, mtu),
	KEY("Network", "Bridge", config_parse_interface, bridge),
	KEY("Network", "VLAN", config_parse_vlan, vlan),
	KEY("Network", "Zone", config_parse_zone, zone),
	KEY("Network", "Gateway", config_parse_address4, gateway),
	KEY("Network", "Gateway6", config_parse_address6, gateway6),
	KEY("Network", "Naming", config_parse_naming, nspawn_names),
	WHOLE("Network", "VirtualEthernetExtra", config_parse_veth_extra),
	WHOLE("Network", "MACVLAN", config_parse_macvlan),
	WHOLE("Network", "IPVLAN", config_parse_ipvlan),
	WHOLE("Network", "Interface", config_parse_moved),
	KEY("Network", "NamespacePath", config_parse_path, namespace_path),
	WHOLE("Network", "Port", config_parse_port),
	KEY("Network", "Masquerade", config_parse_bool, masquerade),
	KEY("Network", "Hosts", config_parse_bool, hosts),

	/* [Link NAME]: the members are those of the link */
	LINK_KEY("HostAddress", config_parse_address4, host_address),
	LINK_KEY("LocalAddress", config_parse_address4, local_address),
	LINK_KEY("HostAddress6", config_parse_address6, host_address6),
	LINK_KEY("LocalAddress6", config_parse_address6, local_address6),
	LINK_KEY("MACAddress", config_parse_mac, mac_address),
	LINK_KEY("MTU", config_parse_mtu, mtu),
	LINK_KEY("Bridge", config_parse_interface, bridge),
	LINK_KEY("VLAN", config_parse_vlan, vlan),
	LINK_KEY("Gateway", config_parse_address4, gateway),
	LINK_KEY("Gateway6", config_parse_address6, gateway6),

	/* systemd.nspawn(5) of systemd 252, and what design has for later */
	{},
};
/* clang-format on */

/* "foo" of [Link foo]; NULL for other sections. */
static const char *link_name(const char *section)
{
	return strncmp(section, "Link ", 5) == 0 ? section + 5 : NULL;
}

bool config_section_is_known(const char *section)
{
	if (link_name(section))
		return config_interface_name_is_valid(link_name(section));
	for (const struct config_key *k = config_keys; k->section; k++)
		if (strcmp(k->section, section) == 0 && strcmp(section, "Link") != 0)
			return true;
	return false;
}

void config_log_unknown_section(const char *where, const char *section)
{
	static const char *const sections[] = { "Exec", "Files", "Network", "Unit", "Service",
		"Install" };
	struct nearest nearest = { .given = section };
	char shown[96];

	escape_text(shown, sizeof(shown), section, strlen(section));
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		nearest_offer(&nearest, sections[i]);
	if (strncmp(section, "Link", 4) == 0 && (section[4] == '\0' || section[4] == ' '))
		log_error("%s: [%s] needs the name of one of the container's interfaces, like "
			  "[Link eth1]",
			where, shown);
	else if (nearest.best)
		log_error(
			"%s: unknown section [%s]; did you mean [%s]?", where, shown, nearest.best);
	else
		log_error("%s: unknown section [%s]: there are Exec, Files, Network, Link NAME, "
			  "Unit, Service and Install",
			where, shown);
}

static int log_unknown_key(const char *where, const char *section, const char *key)
{
	struct nearest nearest = { .given = key };
	const char *elsewhere = NULL, *kind = link_name(section) ? "Link" : section;
	char shown[96];

	if (!config_section_is_known(section)) {
		config_log_unknown_section(where, section);
		return -EINVAL;
	}
	escape_text(shown, sizeof(shown), key, strlen(key));
	for (const struct config_key *k = config_keys; k->section; k++) {
		if (strcmp(k->section, kind) == 0) {
			nearest_offer(&nearest, k->key);
		} else if (!elsewhere && strcmp(k->key, key) == 0) {
			elsewhere = k->section;
		}
	}
	if (elsewhere)
		log_error("%s: %s= does not belong into [%s] but into [%s]", where, shown, section,
			elsewhere);
	else if (nearest.best)
		log_error("%s: unknown key %s= in [%s]; did you mean %s=?", where, shown, section,
			nearest.best);
	else
		log_error(
			"%s: unknown key %s= in [%s]: see narthex.conf(5)", where, shown, section);
	return -EINVAL;
}

/* What follows from other keys unless it was written itself. */
static void follow_implications(struct container_config *config)
{
	static const uint8_t no_mac[sizeof(config->mac_address)];
	bool addressed = config->host_address.family || config->local_address.family ||
			 config->host_address6.family || config->local_address6.family ||
			 config->gateway.family || config->gateway6.family || config->bridge[0] ||
			 config->zone[0] || config->mtu || config->vlan ||
			 memcmp(config->mac_address, no_mac, sizeof(no_mac)) != 0;

	config->boot = config->boot_written == AUTO ? !config->process_two : config->boot_written;
	config->veth = config->veth_written == AUTO ? addressed : config->veth_written;
	config->private_network = config->private_written == AUTO
					  ? config->veth || addressed || config->n_links > 0
					  : config->private_written;
}

/* base: what the key's member is in, the configuration or a link. */
static int set_known_key(struct container_config *config, void *base, const struct config_key *key,
	const char *where, const char *text)
{
	struct config_value value = {
		.config = config,
		.field = (char *)base + key->offset,
		.text = text,
	};
	char shown[200], why[600];
	int r;

	r = key->parse(&value);
	if (r == -EINVAL) {
		escape_text(shown, sizeof(shown), text, strlen(text));
		escape_text(why, sizeof(why), value.why, strlen(value.why));
		log_error("%s: %s=%s: %s", where, key->key, shown, why);
	} else if (r < 0) {
		return log_errno(r, "%s: %s=", where, key->key);
	}
	follow_implications(config);
	return r;
}

static int keep_line(struct container_config *config, const char *where, const char *section,
	const char *key, const char *value)
{
	char *line = NULL;

	int r = asprintf(&line, "%s/%s=%s", section, key, value) < 0
			? -ENOMEM
			: config_list_append(&config->lines, line);

	return r < 0 ? log_errno(r, "%s: %s=", where, key) : 0;
}

int config_set(struct container_config *config, const char *where, const char *section,
	const char *key, const char *value)
{
	const char *link = link_name(section), *kind = link ? "Link" : section;
	const struct config_key *k;
	struct config_link *described = NULL;
	int r = 0;

	for (k = config_keys; k->section; k++)
		if (strcmp(k->key, key) == 0 && strcmp(k->section, kind) == 0)
			break;
	if (!k->section || (strcmp(kind, "Link") == 0 && !config_section_is_known(section)))
		return log_unknown_key(where, section, key);
	if (link)
		r = config_link_get(config, link, &described);
	if (described)
		described->has_section = true;
	if (r >= 0)
		r = set_known_key(config, described ? (void *)described : config, k, where, value);
	return r < 0 ? r : keep_line(config, where, section, key, value);
}

int config_set_line(struct container_config *config, const char *where, const char *line)
{
	_cleanup_free_ char *section = strdup(line);
	char *slash, *value, *key = NULL, shown[200];

	if (!section)
		return log_errno(-ENOMEM, "%s", where);
	/* a link's name may have a '=', and no value of a link has one behind a '/' */
	slash = strncmp(section, "Link ", 5) == 0 ? strchr(section, '/') : NULL;
	value = strchr(slash && strchr(slash, '=') ? slash : section, '=');
	if (value)
		*value++ = '\0';
	/* a link's name may have dots, a key has none */
	for (char *p = strpbrk(section, "./"); value && p; p = strpbrk(p + 1, "./"))
		key = p;
	if (!key) {
		escape_text(shown, sizeof(shown), line, strlen(line));
		log_error("%s %s: SECTION.KEY=VALUE is expected", where, shown);
		return -EINVAL;
	}
	*key++ = '\0';
	return config_set(config, where, section, key, value);
}
