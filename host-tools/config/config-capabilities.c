/* SPDX-License-Identifier: MIT */

/*
 * What root in a guest may do. In a user namespace, which is the default, these capabilities reach
 * only what belongs to the namespace; without one (PrivateUsers=no) they are the real ones. The set
 * is the smallest with which Debian's systemd boots to "running" and packages install, about half
 * of what systemd-nspawn keeps.
 *
 * Left out on purpose, of the usual sets:
 *   AUDIT_CONTROL AUDIT_WRITE  the audit socket is refused by the system call filter
 *   IPC_OWNER                  root that isn't the owner of a System V object: nobody
 *   LEASE                      leases on others' files, for a file server: Capability= adds it
 *   LINUX_IMMUTABLE            without a user namespace, files the host's root can't remove
 *   MKNOD                      devices; refused in a user namespace anyway
 *   NET_*                      the host's network, unless the guest has its own
 *   SYS_NICE SYS_RESOURCE      precedence over the host's processes, its reserves and limits;
 *                              the kernel ignores them in a user namespace, systemd copes
 *   SYS_TTY_CONFIG             virtual consoles, of which there are none
 * and all that concern the machine: BPF, PERFMON, SYS_MODULE, SYS_RAWIO, SYS_TIME, SYSLOG …
 */
#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"
#include "log.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * libcap knows these too, but every program that reads a configuration would then load it, and
 * `narthex` is to start fast. A capability newer than the list is refused, never lost.
 */
static const char *const capability_names[] = {
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};

struct cap_choice {
	unsigned int cap;
	bool private_network; /* only with a network of its own */
};

/* clang-format off */
static const struct cap_choice cap_choices[] = {
	/* root's ways with files: packages, tmpfiles, everything */
	{ .cap = CAP_CHOWN },
	{ .cap = CAP_DAC_OVERRIDE },
	{ .cap = CAP_FOWNER },
	{ .cap = CAP_FSETID },
	{ .cap = CAP_SETFCAP },
	/* services that drop to just this one, for reading; what it is notorious for,
	 * open_by_handle_at(2), is refused by the filter */
	{ .cap = CAP_DAC_READ_SEARCH },
	/* changing identity: login, sudo, User= */
	{ .cap = CAP_SETUID },
	{ .cap = CAP_SETGID },
	/* dropping capabilities from a bounding set, as most of systemd's own units do */
	{ .cap = CAP_SETPCAP },
	/* other users' processes: stopping a service; journald's _EXE=, gdb, strace */
	{ .cap = CAP_KILL },
	{ .cap = CAP_SYS_PTRACE },
	/* RootDirectory=, sshd, postfix; entering a mount namespace */
	{ .cap = CAP_SYS_CHROOT },
	/* mounts, namespaces, the host name, cgroups: no systemd without it. The reason why the
	 * user namespace isn't optional */
	{ .cap = CAP_SYS_ADMIN },
	/* reboot and power-off of the PID namespace */
	{ .cap = CAP_SYS_BOOT },
	/* ports below 1024 */
	{ .cap = CAP_NET_BIND_SERVICE },
	/* addresses, routes, nftables; ping and DHCP; systemd-networkd asks for all three */
	{ .cap = CAP_NET_ADMIN, .private_network = true },
	{ .cap = CAP_NET_RAW, .private_network = true },
	{ .cap = CAP_NET_BROADCAST, .private_network = true },
};
/* clang-format on */

uint64_t config_default_capabilities(bool private_network)
{
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cap_choices); i++)
		if (private_network || !cap_choices[i].private_network)
			set |= UINT64_C(1) << cap_choices[i].cap;
	return set;
}

uint64_t config_capabilities(const struct container_config *config)
{
	return (config_default_capabilities(config->private_network) | config->capability_keep) &
	       ~config->capability_drop;
}

void config_capability_names(uint64_t set, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++)
		if (set >> i & 1 && n < size)
			n += (size_t)snprintf(
				text + n, size - n, "%s%s", n > 0 ? ", " : "", capability_names[i]);
}

static int capability_bit(struct config_value *value, const char *word, uint64_t *mask)
{
	struct nearest nearest = { .given = word };

	if (strcasecmp(word, "all") == 0) {
		*mask |= (UINT64_C(1) << ARRAY_SIZE(capability_names)) - 1;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++) {
		if (strcasecmp(word, capability_names[i]) == 0) {
			*mask |= UINT64_C(1) << i;
			return 0;
		}
		nearest_offer(&nearest, capability_names[i]);
	}
	if (nearest.best)
		return config_refuse(
			value, "there is no capability '%s'; did you mean %s?", word, nearest.best);
	return config_refuse(
		value, "there is no capability '%s': see capabilities(7), or 'all'", word);
}

int config_parse_capabilities(struct config_value *value)
{
	uint64_t *field = value->field;
	uint64_t mask = 0;
	char **words = NULL;
	int r = config_split(value, &words);

	for (char **p = words; r == 0 && p && *p; p++)
		r = capability_bit(value, *p, &mask);
	if (r == 0)
		*field = words ? *field | mask : 0;
	config_list_free(words);
	return r;
}
