/* SPDX-License-Identifier: MIT */

/* Files: the kernel's own, and what root may do to those on disk. */

#include "probe.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- what can be read ------------------------------------------------------------------------- */

static const char *const secrets[] = { "/proc/kcore", "/proc/kallsyms", "/proc/kmsg", "/proc/keys",
	"/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/acpi/wakeup",
	"/proc/slabinfo", "/proc/vmallocinfo", "/proc/pagetypeinfo", "/proc/kpagecount",
	"/proc/kpageflags", "/proc/1/kallsyms", "/proc/self/pagemap",
	"/sys/firmware/acpi/tables/DSDT", "/sys/firmware/dmi/tables/DMI",
	"/sys/kernel/debug/sched/debug", "/sys/kernel/tracing/trace", "/sys/kernel/vmcoreinfo" };

static long read_one(const void *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	long r = fd < 0 ? -errno : result(read(fd, &byte, 1));

	/* masked: an empty file */
	return r == 0 ? -ENODATA : r;
}

/* /proc/iomem is there for all, but addresses are for root. */
static long read_addresses(void)
{
	FILE *f = fopen("/proc/iomem", "re");
	char line[256];
	long r = f ? -EPERM : -errno;

	while (f && fgets(line, sizeof(line), f))
		if (strtoul(line, NULL, 16) != 0)
			r = 0;
	return r;
}

/* --- what can be written ---------------------------------------------------------------------- */

/* Directories with a file that opens for writing, three names deep: which files there are is the
 * kernel's configuration's business. */
#define DIRECTORIES_MAX 64
static char directories[DIRECTORIES_MAX][128];
static size_t n_directories;

static void note_directory(const char *path)
{
	size_t len = 0;

	for (unsigned int slashes = 0; path[len]; len++)
		if (path[len] == '/' && ++slashes == 4)
			break;
	for (size_t i = 0; i < n_directories; i++)
		if (strlen(directories[i]) == len && strncmp(directories[i], path, len) == 0)
			return;
	if (n_directories < DIRECTORIES_MAX)
		(void)snprintf(directories[n_directories++], sizeof(directories[0]), "%.*s",
			(int)len, path);
}

/* Nothing is written: opening such a file has no effect. */
static int try_writing(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;

	/* processes have files of their own, and cgroups a chapter */
	if (type == FTW_D && ((ftw->level == 1 && strtoul(path + ftw->base, NULL, 10) > 0) ||
				     strcmp(path, "/sys/fs/cgroup") == 0))
		return FTW_SKIP_SUBTREE;
	/* root may open those, too, that nobody can write to */
	if (type != FTW_F || !S_ISREG(st->st_mode) || (st->st_mode & 0222) == 0)
		return FTW_CONTINUE;
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		note_directory(path);
		(void)close(fd);
	}
	return FTW_CONTINUE;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void report_writable(const char *root)
{
	n_directories = 0;
	(void)nftw(root, try_writing, 32, FTW_PHYS | FTW_ACTIONRETVAL);
	qsort(directories, n_directories, sizeof(directories[0]), by_text);
	for (size_t i = 0; i < n_directories; i++)
		printf("write %s: yes\n", directories[i]);
	if (n_directories == 0)
		printf("write below %s: no\n", root);
}

static const char *const levers[] = { "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname", "/proc/sys/kernel/pid_max",
	"/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register",
	"/proc/sys/net/ipv4/ip_forward", "/sys/kernel/uevent_helper", "/sys/power/state",
	"/sys/kernel/mm/ksm/run", "/run/host/narthex/narthex-agent" };

static long open_for_writing(const void *path)
{
	return result(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

/* --- files on disk ---------------------------------------------------------------------------- */

/* A file of root's on the container's own disk, gone with its descriptor. */
static int scratch_file(void)
{
	static const char *const places[] = { "/var/tmp", "/root", "/" };
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < COUNT(places); i++)
		fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd;
}

static long give_away(void)
{
	return result(fchown(scratch_file(), 1000, 1000));
}

static long make_setuid(void)
{
	return result(fchmod(scratch_file(), 04755));
}

static long make_immutable(void)
{
	int fd = scratch_file(), flags = FS_IMMUTABLE_FL, none = 0;
	long r = result(ioctl(fd, FS_IOC_SETFLAGS, &flags));

	if (r >= 0)
		(void)ioctl(fd, FS_IOC_SETFLAGS, &none);
	return r;
}

static long set_project(void)
{
	struct fsxattr attributes;
	int fd = scratch_file();

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -errno;
	attributes.fsx_projid = 12345;
	return result(ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
}

static long set_trusted_attribute(void)
{
	return result(fsetxattr(scratch_file(), "trusted.probe", "x", 1, 0));
}

static long set_file_capability(void)
{
	/* cap_setfcap.h's second revision: permitted CAP_NET_BIND_SERVICE */
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2,
		.data[0].permitted = 1U << CAP_NET_BIND_SERVICE,
	};

	return result(fsetxattr(scratch_file(), "security.capability", &data, sizeof(data), 0));
}

static long find_block(void)
{
	int fd = scratch_file(), block = 0;

	if (write(fd, "x", 1) != 1 || fsync(fd) < 0)
		return -errno;
	return result(ioctl(fd, FIBMAP, &block));
}

/* A range behind the end: EINVAL is what a file system says to somebody who may. */
static long discard_blocks(void)
{
	struct fstrim_range range = { .start = UINT64_MAX, .len = 1, .minlen = UINT64_MAX };

	return result(ioctl(scratch_file(), FITRIM, &range));
}

static long read_as_anyone(void)
{
	char path[64];
	int fd = scratch_file();

	if (fchmod(fd, 0) < 0 || fchown(fd, 1000, 1000) < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

static const struct attempt attempts[] = {
	{ "read addresses in /proc/iomem", read_addresses, 0 },
	{ "give a file away", give_away, 0 },
	{ "make a setuid file", make_setuid, 0 },
	{ "read a file without permission", read_as_anyone, 0 },
	{ "give a file a capability", set_file_capability, 0 },
	{ "make a file immutable", make_immutable, 0 },
	{ "set a file's project", set_project, 0 },
	{ "set a trusted attribute", set_trusted_attribute, 0 },
	{ "find a file's block on disk", find_block, 0 },
	{ "discard blocks of the disk", discard_blocks, EINVAL },
};

static void report_files(void)
{
	char name[96];

	for (size_t i = 0; i < COUNT(secrets); i++) {
		(void)snprintf(name, sizeof(name), "read %s", secrets[i]);
		probe(name, read_one, secrets[i], 0);
	}
	for (size_t i = 0; i < COUNT(levers); i++) {
		(void)snprintf(name, sizeof(name), "open %s for writing", levers[i]);
		probe(name, open_for_writing, levers[i], 0);
	}
	report_writable("/proc");
	report_writable("/sys");
}

const struct chapter chapter_files = { "files", attempts, COUNT(attempts), report_files };
