/* SPDX-License-Identifier: MIT */

/* Device nodes: those that are there, those that can be made, and terminals. */

#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_node(const struct dirent *entry)
{
	struct stat st;
	char path[300];

	(void)snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
	return lstat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static void report_nodes(void)
{
	struct dirent **entries;
	int n = scandir("/dev", &entries, is_node, by_name);

	printf("nodes in /dev:");
	for (int i = 0; i < n; i++) {
		printf(" %s", entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	printf("\n");
}

/* --- devices by number ------------------------------------------------------------------------ */

static const struct device {
	const char *name, *path;
	unsigned int type, major, minor;
} devices[] = {
	/* Documentation/admin-guide/devices.txt of Linux */
	{ "memory", "/dev/mem", S_IFCHR, 1, 1 },
	{ "I/O ports", "/dev/port", S_IFCHR, 1, 4 },
	{ "the kernel's messages", "/dev/kmsg", S_IFCHR, 1, 11 },
	{ "virtual consoles", "/dev/tty1", S_IFCHR, 4, 1 },
	{ "the serial line", "/dev/ttyS0", S_IFCHR, 4, 64 },
	{ "the machine's console", "/dev/console", S_IFCHR, 5, 1 },
	{ "CPU registers", "/dev/cpu/0/msr", S_IFCHR, 202, 0 },
	{ "hardware random numbers", "/dev/hwrng", S_IFCHR, 10, 183 },
	{ "tun", "/dev/net/tun", S_IFCHR, 10, 200 },
	{ "fuse", "/dev/fuse", S_IFCHR, 10, 229 },
	{ "kvm", "/dev/kvm", S_IFCHR, 10, 232 },
	{ "btrfs control", "/dev/btrfs-control", S_IFCHR, 10, 234 },
	{ "autofs", "/dev/autofs", S_IFCHR, 10, 235 },
	{ "device mapper", "/dev/mapper/control", S_IFCHR, 10, 236 },
	{ "loop control", "/dev/loop-control", S_IFCHR, 10, 237 },
	{ "a loop device", "/dev/loop0", S_IFBLK, 7, 0 },
	{ "vhost-net", "/dev/vhost-net", S_IFCHR, 10, 238 },
	{ "the clock's chip", "/dev/rtc0", S_IFCHR, 252, 0 },
};

/* Where nodes can be opened, if anywhere: a tmpfs that is not nodev. */
static const char *node_place(void)
{
	static const char *const places[] = { "/dev/probe-node", "/probe-node" };
	static char path[64];
	const char *directory;

	for (size_t i = 0; i < COUNT(places); i++)
		if (mknod(places[i], S_IFIFO | 0600, 0) == 0) {
			(void)unlink(places[i]);
			return places[i];
		}
	directory = probe_directory();
	if (!directory)
		return NULL;
	(void)snprintf(path, sizeof(path), "%s/node", directory);
	return path;
}

static long make_and_open(unsigned int type, dev_t number)
{
	const char *path = node_place();
	long r;

	if (!path)
		return -EROFS;
	if (mknod(path, type | 0600, number) < 0)
		return -errno;
	r = result(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
	(void)unlink(path);
	return r;
}

static long open_device(const void *arg)
{
	const struct device *device = arg;
	struct stat st;
	int fd = open(device->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* another file by that name, like a container's own console */
	return (st.st_mode & S_IFMT) == device->type &&
			       st.st_rdev == makedev(device->major, device->minor)
		       ? 0
		       : -ENODEV;
}

static long make_device(const void *arg)
{
	const struct device *device = arg;

	return make_and_open(device->type, makedev(device->major, device->minor));
}

/* The machine's first disk, as /proc says. */
static int find_disk(dev_t *ret)
{
	unsigned int major_number, minor_number;
	char line[128];
	FILE *f = fopen("/proc/partitions", "re");
	int r = -ENOENT;

	while (r < 0 && f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u %u", &major_number, &minor_number) == 2) {
			*ret = makedev(major_number, minor_number);
			r = 0;
		}
	if (f)
		(void)fclose(f);
	return r;
}

static long make_disk(void)
{
	dev_t disk;
	int r = find_disk(&disk);

	return r < 0 ? r : make_and_open(S_IFBLK, disk);
}

static long make_null(void)
{
	const char *path = node_place();
	long r = path ? result(mknod(path, S_IFCHR | 0600, makedev(1, 3))) : -EROFS;

	if (r >= 0)
		(void)unlink(path);
	return r;
}

static long open_null(void)
{
	return make_and_open(S_IFCHR, makedev(1, 3));
}

/* In the kernel's own file system of all devices. */
static long open_in_devtmpfs(unsigned int type, dev_t number)
{
	const char *place;
	struct dirent **entries;
	long r = -ENOENT;
	int n;

	leave_mounts();
	place = probe_directory();
	if (!place || mount("devtmpfs", place, "devtmpfs", 0, NULL) < 0 || chdir(place) < 0)
		return -errno;
	n = scandir(".", &entries, NULL, by_name);
	for (int i = 0; i < n; i++) {
		struct stat st;

		if (lstat(entries[i]->d_name, &st) == 0 && (st.st_mode & S_IFMT) == type &&
			st.st_rdev == number)
			r = result(open(entries[i]->d_name, O_RDONLY | O_CLOEXEC));
	}
	return r;
}

static long open_disk_in_devtmpfs(void)
{
	dev_t disk;
	int r = find_disk(&disk);

	return r < 0 ? r : open_in_devtmpfs(S_IFBLK, disk);
}

static long open_fuse_in_devtmpfs(void)
{
	return open_in_devtmpfs(S_IFCHR, makedev(10, 229));
}

static const struct attempt attempts[] = {
	{ "make a node of /dev/null", make_null, 0 },
	{ "open a node that it made of /dev/null", open_null, 0 },
	{ "open a node that it made of a disk", make_disk, 0 },
	{ "open a disk in a devtmpfs", open_disk_in_devtmpfs, 0 },
	{ "open fuse in a devtmpfs", open_fuse_in_devtmpfs, 0 },
};

static void report_devices(void)
{
	char name[96];

	report_nodes();
	for (size_t i = 0; i < COUNT(devices); i++) {
		(void)snprintf(
			name, sizeof(name), "open %s (%s)", devices[i].path, devices[i].name);
		probe(name, open_device, &devices[i], 0);
		(void)snprintf(
			name, sizeof(name), "open a node that it made of %s", devices[i].path);
		probe(name, make_device, &devices[i], 0);
	}
}

/* --- terminals -------------------------------------------------------------------------------- */

static long open_pair(int fds[2])
{
	return result(openpty(&fds[0], &fds[1], NULL, NULL, NULL));
}

static long make_pty(void)
{
	int fds[2];

	return open_pair(fds);
}

/* Types a key into the caller's own terminal. */
static long type_key(void)
{
	int fds[2];
	long r = open_pair(fds);

	if (r < 0 || setsid() < 0 || ioctl(fds[1], TIOCSCTTY, 0) < 0)
		return r < 0 ? r : -errno;
	return result(ioctl(fds[1], TIOCSTI, "x"));
}

/* The one that it has already: the question is whether one may. */
static long load_discipline(void)
{
	int fds[2], number = 0; /* N_TTY of asm/termbits.h */
	long r = open_pair(fds);

	return r < 0 ? r : result(ioctl(fds[1], TIOCSETD, &number));
}

static long paste(void)
{
	int fds[2];
	long r = open_pair(fds);
	char what = 3; /* TIOCL_PASTESEL of linux/tiocl.h */

	return r < 0 ? r : result(ioctl(fds[1], TIOCLINUX, &what));
}

static const struct attempt terminal_attempts[] = {
	{ "make a pty", make_pty, 0 },
	{ "type into a terminal (TIOCSTI)", type_key, 0 },
	{ "load a line discipline (TIOCSETD)", load_discipline, 0 },
	{ "paste into a console (TIOCLINUX)", paste, ENOTTY },
};

const struct chapter chapter_devices = { "devices", attempts, COUNT(attempts), report_devices };
const struct chapter chapter_terminals = { "terminals", terminal_attempts, COUNT(terminal_attempts),
	NULL };
