/* SPDX-License-Identifier: MIT */

/* Who root is here, and with which powers it starts. */

#include "probe.h"

#include <dirent.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A line of /proc/self/status, without its name; "" when there is none. */
static const char *status_line(const char *key)
{
	static char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	size_t n = strlen(key);

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0 && line[n] == ':') {
			(void)fclose(f);
			line[strcspn(line, "\n")] = '\0';
			return line + n + 1 + strspn(line + n + 1, "\t ");
		}
	if (f)
		(void)fclose(f);
	return "";
}

static unsigned long long set_of(const char *key)
{
	return strtoull(status_line(key), NULL, 16);
}

/* The base of a range is each container's own, so only its kind is told. */
static void report_map(const char *what, const char *path)
{
	unsigned long inside, outside, count;
	FILE *f = fopen(path, "re");
	unsigned int lines = 0;

	while (f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3) {
		printf("%s map: %lu to %s, %lu of them\n", what, inside,
			outside == 0 ? "the host's 0" : "a range", count);
		lines++;
	}
	if (f)
		(void)fclose(f);
	if (lines == 0)
		printf("%s map: none\n", what);
}

/* What was open when the program started. */
static void report_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	unsigned int n = 0;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd > 2 && fd != dirfd(dir))
			n++;
	}
	if (dir)
		(void)closedir(dir);
	printf("descriptors besides 0, 1 and 2: %u\n", n);
}

static void report_identity(void)
{
	report_map("uid", "/proc/self/uid_map");
	report_map("gid", "/proc/self/gid_map");
	printf("no_new_privs: %s\n", status_line("NoNewPrivs"));
	printf("seccomp mode: %s\n", status_line("Seccomp"));
	report_descriptors();
}

/* cap_to_name(3) is in a library that has no place here; capabilities(7) has the order. */
static const char *const names[] = { "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID",
	"KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE",
	"NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
	"SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE",
	"AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM",
	"BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE" };

static void report_capabilities(void)
{
	unsigned long long bounding = set_of("CapBnd");

	for (unsigned int i = 0; i < COUNT(names); i++)
		printf("CAP_%s: %s\n", names[i], bounding >> i & 1 ? "yes" : "no");
	printf("newer capabilities: %s\n", bounding >> COUNT(names) ? "yes" : "no");
	printf("effective set: %s the bounding set\n",
		set_of("CapEff") == bounding ? "is" : "is not");
	printf("inheritable set: %s\n", set_of("CapInh") ? "not empty" : "empty");
	printf("ambient set: %s\n", set_of("CapAmb") ? "not empty" : "empty");
}

/* Takes one that it doesn't have. */
static long gain_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	long r = CALL(SYS_capget, &header, data);

	if (r < 0)
		return r;
	if (data[0].permitted == UINT32_MAX)
		return -EALREADY;
	data[0].permitted |= ~data[0].permitted & (data[0].permitted + 1); /* the lowest */
	return CALL(SYS_capset, &header, data);
}

static const struct attempt capability_attempts[] = {
	{ "take a capability", gain_capability, 0 },
};

const struct chapter chapter_identity = { "who root is", NULL, 0, report_identity };
const struct chapter chapter_capabilities = { "capabilities", capability_attempts,
	COUNT(capability_attempts), report_capabilities };
