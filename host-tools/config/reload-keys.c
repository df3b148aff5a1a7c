/* SPDX-License-Identifier: MIT */

/* How a change of each key reaches a running container. Whoever adds a key decides it here: a unit
 * test fails for one that is missing. */

#include "reload-plan.h"

#include "cleanup.h"

#include <string.h>

static const struct {
	enum reload_class class;
	const char *section;
	const char *keys; /* blanks between them */
} classes[] = {
	/* what PID 1 was born with and what its tree is made of */
	{ RELOAD_RESTART, "Exec",
		"Ephemeral Boot ProcessTwo Parameters Environment User WorkingDirectory "
		"PivotRoot Capability DropCapability AmbientCapability NoNewPrivileges "
		"Personality MachineID PrivateUsers NotifyReady SystemCallFilter "
		"LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS "
		"LimitNPROC LimitMEMLOCK LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE "
		"LimitRTPRIO LimitRTTIME OOMScoreAdjust CPUAffinity ResolvConf Timezone "
		"LinkJournal SuppressSync RestrictAddressFamilies" },
	{ RELOAD_RESTART, "Files",
		"Root Store PerContainerNix NixDaemon TemporaryFileSystem ReadOnly Volatile "
		"BindUser "
		"Inaccessible Overlay OverlayReadOnly PrivateUsersChown PrivateUsersOwnership" },
	/* the network namespace itself */
	{ RELOAD_RESTART, "Network", "Private NamespacePath Naming Hosts" },

	/* for the launcher, at the container's end */
	{ RELOAD_MEMORY, "Exec", "KillSignal SwitchCommand" },
	/* and at the guest's next boot; narthex-ctl activates what it leads to */
	{ RELOAD_MEMORY, "Exec", "Path" },
	{ RELOAD_UNIT, "Exec", "AutoStart" },
	{ RELOAD_HOSTNAME, "Exec", "Hostname" },

	{ RELOAD_BINDS, "Files", "Bind BindReadOnly" },
	{ RELOAD_NETWORK, "Network",
		"VirtualEthernet HostAddress LocalAddress HostAddress6 LocalAddress6 MACAddress "
		"MTU Bridge VLAN Zone Gateway Gateway6 VirtualEthernetExtra MACVLAN IPVLAN "
		"Interface Port Masquerade" },
	{ RELOAD_NETWORK, "Link",
		"HostAddress LocalAddress HostAddress6 LocalAddress6 MACAddress MTU Bridge VLAN "
		"Gateway Gateway6" },
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, word, len) == 0)
			return true;
		p += n;
	}
	return false;
}

enum reload_class reload_class(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (strcmp(classes[i].section, section) == 0 && has_word(classes[i].keys, key))
			return classes[i].class;
	return RELOAD_UNKNOWN;
}

bool reload_service_key_is_live(const char *key)
{
	/* systemd.resource-control(5): written to the cgroup at once. The others of the second row
	 * are looked at when they are needed. */
	static const char *const prefixes[] = { "CPU", "StartupCPU", "Memory", "StartupMemory",
		"Tasks", "IO", "StartupIO", "BlockIO", "Allowed", "StartupAllowed", "IPAddress",
		"ManagedOOM", "Device", "Restart", "SuccessExitStatus", "Timeout", "ExecReload",
		"ExecStop", "OOMPolicy", "KillMode", "FinalKillSignal", "SendSIG" };

	/* the scheduling of what is started, not of the cgroup */
	if (strncmp(key, "CPUSched", 8) == 0 || strcmp(key, "CPUAffinity") == 0 ||
		strncmp(key, "IOSched", 7) == 0 || strcmp(key, "MemoryDenyWriteExecute") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}
