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
#include "caps.h"

#include "cleanup.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

uint64_t caps_default(bool private_network)
{
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cap_choices); i++)
		if (private_network || !cap_choices[i].private_network)
			set |= UINT64_C(1) << cap_choices[i].cap;
	return set;
}

int caps_bound(uint64_t keep)
{
	/* The kernel says which capability is its last, so one that is newer than our headers is
	 * dropped too. */
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL && cap > 0)
				break;
			return -errno;
		}
	}
	return 0;
}

int caps_apply(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		uint32_t word = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= word;
		data[i].effective &= word;
		data[i].inheritable = 0; /* and with it the ambient set */
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return 0;
}
