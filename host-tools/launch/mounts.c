/* SPDX-License-Identifier: MIT */

/*
 * One table says what is mounted where, in order. Everything is made detached, by descriptor, and
 * attached to a target that was opened below the root without following a link; a root whose /proc
 * is a link is refused by that alone. The leader's copy of the mount namespace locks all of it
 * (docs/architecture.md).
 */

#include "mounts.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"
#include "terminal.h"
#include "tree.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define NSD (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NSDX (NSD | MOUNT_ATTR_NOEXEC)
#define NSX (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define RO MOUNT_ATTR_RDONLY

#define TTY_GID                                                                                    \
	5 /* Debian's, Fedora's and NixOS' group tty; the kernel's own default for devpts          \
	   */

enum maker {
	MAKE_PROC,
	MAKE_SYSFS,
	MAKE_CGROUP,
	MAKE_TMPFS,
	MAKE_DEVPTS,
	MAKE_NODES,	/* device nodes and links of /dev */
	MAKE_CONSOLE,	/* /dev/console, the first pty of the container */
	MAKE_READ_ONLY, /* what is there already, read-only */
	MAKE_MASK,	/* an empty directory or /dev/null over it, when it exists */
};

struct mount_entry {
	const char *path;
	enum maker maker;
	uint64_t attributes;
	const char *mode, *size; /* tmpfs */
};

/* Sizes are nspawn's: a guest can't eat the host's memory through one forgotten tmpfs. */
static const struct mount_entry table[] = {
	{ "/proc", MAKE_PROC, NSDX, NULL, NULL },
	{ "/dev", MAKE_TMPFS, NSX, "0755", "4m" },
	{ "/dev", MAKE_NODES, 0, NULL, NULL },
	{ "/dev/pts", MAKE_DEVPTS, NSX, NULL, NULL },
	{ "/dev/console", MAKE_CONSOLE, NSX, NULL, NULL },
	{ "/dev/shm", MAKE_TMPFS, NSD, "1777", "10%" },
	{ "/run", MAKE_TMPFS, NSD, "0755", "20%" },
	{ "/tmp", MAKE_TMPFS, NSD, "1777", "10%" },
	/* the kernel's switches: with a user namespace the host's are out of reach anyway */
	{ "/proc/bus", MAKE_READ_ONLY, NSDX | RO, NULL, NULL },
	{ "/proc/fs", MAKE_READ_ONLY, NSDX | RO, NULL, NULL },
	{ "/proc/irq", MAKE_READ_ONLY, NSDX | RO, NULL, NULL },
	{ "/proc/sys", MAKE_READ_ONLY, NSDX | RO, NULL, NULL },
	/* the host's secrets and levers (docs: SECURITY.md) */
	{ "/proc/acpi", MAKE_MASK, NSDX | RO, NULL, NULL },
	{ "/proc/asound", MAKE_MASK, NSDX | RO, NULL, NULL },
	{ "/proc/kallsyms", MAKE_MASK, NSX | RO, NULL, NULL },
	{ "/proc/kcore", MAKE_MASK, NSX | RO, NULL, NULL },
	{ "/proc/keys", MAKE_MASK, NSX | RO, NULL, NULL },
	{ "/proc/latency_stats", MAKE_MASK, NSX | RO, NULL, NULL },
	{ "/proc/sched_debug", MAKE_MASK, NSX | RO, NULL, NULL },
	{ "/proc/scsi", MAKE_MASK, NSDX | RO, NULL, NULL },
	{ "/proc/sysrq-trigger", MAKE_MASK, NSX | RO, NULL, NULL },
	{ "/proc/timer_list", MAKE_MASK, NSX | RO, NULL, NULL },
};

static const struct mount_entry sys_table[] = {
	{ "/sys", MAKE_SYSFS, NSDX | RO, NULL, NULL },
	{ "/sys/fs/cgroup", MAKE_CGROUP, NSDX, NULL, NULL },
	{ "/sys/firmware", MAKE_MASK, NSDX | RO, NULL, NULL },
};

int mount_on(int root, int mount, const char *path, mode_t kind)
{
	_cleanup_close_ int target = tree_mount_point(root, path, kind);
	int r;

	if (target == -ELOOP)
		log_error("'%s' in the container's root is a symbolic link, or below one: nothing "
			  "is mounted "
			  "there; make it a plain %s",
			path, S_ISDIR(kind) ? "directory" : "file");
	else if (target == -ENOTDIR || target == -EISDIR)
		log_error("'%s' in the container's root is no %s: nothing can be mounted there",
			path, S_ISDIR(kind) ? "directory" : "file");
	if (target == -ELOOP || target == -ENOTDIR || target == -EISDIR)
		return target;
	if (target < 0)
		return log_errno(target, "cannot make mount point '%s' in the container", path);
	r = mnt_attach(mount, target);
	return r < 0 ? log_errno(r, "cannot mount '%s' in the container", path) : 0;
}

int mount_at(struct build *build, int mount_consumed, const char *path, mode_t kind)
{
	_cleanup_close_ int mount = mount_consumed;

	return mount_on(build->root, mount, path, kind);
}

/* The new way (Linux 6.18): the pid namespace is an option of procfs. */
static int make_proc_of(const struct build *build, char *why, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", build->leader);
	return mnt_new("proc",
		(const struct mnt_option[]){ { "source", "proc" }, { "pidns", path }, {} }, NSDX,
		why, size);
}

/* What the child that enters the leader's pid namespace leaves in the builder's memory. */
struct proc_maker {
	int mount;
	char why[256];
};

/* Runs on memory and descriptors shared with the builder, which waits (CLONE_VFORK). */
static int make_proc_inside(void *arg)
{
	struct proc_maker *maker = arg;

	maker->mount = mnt_new("proc", (const struct mnt_option[]){ { "source", "proc" }, {} },
		NSDX, maker->why, sizeof(maker->why));
	return 0;
}

/*
 * A procfs shows the pid namespace of the process that makes it, and the kernel lets only a more
 * privileged one than the guest make it where the host's procfs is covered in places. On kernels
 * without the option a process goes in for it, and has the guest's PID 2 for that moment.
 */
static int make_proc(struct build *build)
{
	char stack[64 * 1024] __attribute__((aligned(16)));
	struct proc_maker maker = {};
	pid_t pid;

	maker.mount = make_proc_of(build, maker.why, sizeof(maker.why));
	if (maker.mount != -EINVAL)
		goto made;
	if (setns(build->leader_fd, CLONE_NEWPID) < 0)
		return log_errno(-errno, "cannot enter the container's pid namespace");
	pid = clone(make_proc_inside, stack + sizeof(stack),
		CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &maker);
	if (pid < 0)
		return log_errno(-errno, "cannot clone into the container's pid namespace");
	(void)waitpid(pid, NULL, 0);
made:
	if (maker.mount < 0)
		return log_errno(maker.mount, "cannot make the container's procfs%s%s",
			maker.why[0] ? ": " : "", maker.why);
	return maker.mount;
}

static int make_fs(
	const char *type, const struct mnt_option *options, uint64_t attributes, const char *path)
{
	char why[256];
	int mount = mnt_new(type, options, attributes, why, sizeof(why));

	if (mount < 0)
		return log_errno(
			mount, "cannot make %s for '%s'%s%s", type, path, why[0] ? ": " : "", why);
	return mount;
}

static int make_tmpfs(const struct build *build, const struct mount_entry *entry)
{
	char owner[16];

	(void)snprintf(owner, sizeof(owner), "%u", build->launch->range.base);
	return make_fs("tmpfs",
		(const struct mnt_option[]){
			{ "source", "tmpfs" },
			{ "mode", entry->mode },
			{ "size", entry->size },
			{ "nr_inodes", "400k" },
			{ "uid", owner },
			{ "gid", owner },
			{},
		},
		entry->attributes, entry->path);
}

static int make_devpts(struct build *build, const struct mount_entry *entry)
{
	char gid[16];
	int mount;

	(void)snprintf(gid, sizeof(gid), "%u", build->launch->range.base + TTY_GID);
	mount = make_fs("devpts",
		(const struct mnt_option[]){
			{ "source", "devpts" },
			{ "mode", "0620" },
			{ "ptmxmode", "0666" },
			{ "gid", gid },
			{},
		},
		entry->attributes, entry->path);
	if (mount < 0)
		return mount;
	build->devpts_fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	build->console_fd = build->devpts_fd < 0 ? -1 : terminal_open(build->devpts_fd);
	if (build->console_fd < 0) {
		(void)close(mount);
		return log_errno(build->devpts_fd < 0 ? -errno : build->console_fd,
			"cannot open the container's console");
	}
	return mount;
}

struct node {
	const char *name;
	unsigned int major, minor;
};

/* In a container there are no nodes to be had, but the ones that are there can be shown again. */
static int show_node(struct build *build, const struct node *node)
{
	_cleanup_close_ int source = -EBADF, mount = -EBADF;
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/dev/%s", node->name);
	source = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (source < 0 || fstat(source, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(node->major, node->minor))
		return -ENODEV;
	mount = mnt_clone(source, "", false);
	return mount < 0 ? mount : mount_at(build, TAKE_FD(mount), path, S_IFREG);
}

static int make_nodes(struct build *build)
{
	static const struct node nodes[] = {
		/* Documentation/admin-guide/devices.txt of Linux */
		{ "null", 1, 3 },
		{ "zero", 1, 5 },
		{ "full", 1, 7 },
		{ "random", 1, 8 },
		{ "urandom", 1, 9 },
		{ "tty", 5, 0 },
	};
	static const char *const links[][2] = { { "ptmx", "pts/ptmx" }, { "fd", "/proc/self/fd" },
		{ "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" }, { "core", "/proc/kcore" } };
	_cleanup_close_ int dev = tree_open(build->root, "/dev", S_IFDIR);

	if (dev < 0)
		return log_errno(dev, "cannot open the container's /dev");
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		int r = mknodat(dev, nodes[i].name, S_IFCHR | 0666,
				makedev(nodes[i].major, nodes[i].minor)) < 0
				? -errno
				: 0;

		if (r == -EPERM && show_node(build, &nodes[i]) >= 0)
			continue;
		if (r < 0)
			return log_errno(r,
				"cannot make /dev/%s (does DeviceAllow= of the unit permit \"m\"?)",
				nodes[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i][1], dev, links[i][0]) < 0)
			return log_errno(-errno, "cannot make /dev/%s", links[i][0]);
	return 0;
}

/* A detached file mount of the host's /dev/null, which must be what it says. */
static int clone_null(void)
{
	_cleanup_close_ int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return -ENODEV;
	return mnt_clone(fd, "", false);
}

static int mask(struct build *build, const struct mount_entry *entry)
{
	_cleanup_close_ int target = tree_open(build->root, entry->path, 0), mount = -EBADF;
	struct stat st;
	int r;

	if (target == -ENOENT)
		return 0;
	if (target < 0 || fstat(target, &st) < 0)
		return log_errno(target < 0 ? target : -errno, "cannot mask '%s'", entry->path);
	if (S_ISDIR(st.st_mode)) {
		mount = mnt_clone(build->empty_fd, "", false);
	} else {
		mount = clone_null();
		if (mount < 0)
			return log_errno(mount, "cannot use the host's /dev/null as a mask");
	}
	r = mount < 0 ? mount : mnt_set(mount, entry->attributes, false);
	if (r >= 0)
		r = mnt_attach(mount, target);
	return r < 0 ? log_errno(r, "cannot mask '%s'", entry->path) : 0;
}

/* Covers a directory with itself, read-only. */
static int make_read_only(struct build *build, const struct mount_entry *entry)
{
	_cleanup_close_ int target = tree_open(build->root, entry->path, S_IFDIR), mount = -EBADF,
			    net = -EBADF;
	int r;

	if (target == -ENOENT)
		return 0;
	mount = target < 0 ? target : mnt_clone(target, "", false);
	/* the guest's own network has its own switches */
	if (mount >= 0 && build->launch->config.private_network &&
		strcmp(entry->path, "/proc/sys") == 0)
		net = mnt_clone(target, "net", false);
	r = mount < 0 ? mount : mnt_set(mount, entry->attributes, false);
	if (r >= 0)
		r = mnt_attach(mount, target);
	if (r < 0)
		return log_errno(r, "cannot make '%s' read-only", entry->path);
	return net >= 0 ? mount_at(build, TAKE_FD(net), "/proc/sys/net", S_IFDIR) : 0;
}

static int make_cgroup(struct build *build, const struct mount_entry *entry)
{
	_cleanup_close_ int mount = -EBADF, source = -EBADF;
	int r;

	if (build->launch->cgroup.fd < 0)
		return 0;
	/* the payload's directory is the root of the leader's cgroup namespace, so this is what a
	 * new cgroup2 made inside would show */
	source = open(build->launch->cgroup.path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	mount = source < 0 ? -errno : mnt_clone(source, "", false);
	r = mount < 0 ? mount : mnt_set(mount, entry->attributes, false);
	if (r < 0)
		return log_errno(r, "cannot clone the container's cgroup");
	return mount_at(build, TAKE_FD(mount), entry->path, S_IFDIR);
}

/* The console is the container's first pty: /dev/pts/0, and /dev/console beside it. */
static int make_console(struct build *build, const struct mount_entry *entry)
{
	_cleanup_close_ int pts = tree_open(build->root, "/dev/pts/0", 0), mount = -EBADF;
	int r;

	mount = pts < 0 ? pts : mnt_clone(pts, "", false);
	r = mount < 0 ? mount : mnt_set(mount, entry->attributes, false);
	if (r < 0)
		return log_errno(r, "cannot clone the console");
	return mount_at(build, TAKE_FD(mount), entry->path, S_IFREG);
}

static int apply(struct build *build, const struct mount_entry *entry)
{
	int mount = -ENOSYS;

	switch (entry->maker) {
	case MAKE_PROC:
		mount = make_proc(build);
		break;
	case MAKE_SYSFS:
		mount = make_fs("sysfs", (const struct mnt_option[]){ { "source", "sysfs" }, {} },
			entry->attributes, entry->path);
		break;
	case MAKE_TMPFS:
		mount = make_tmpfs(build, entry);
		break;
	case MAKE_DEVPTS:
		mount = make_devpts(build, entry);
		break;
	case MAKE_NODES:
		return make_nodes(build);
	case MAKE_CGROUP:
		return make_cgroup(build, entry);
	case MAKE_CONSOLE:
		return make_console(build, entry);
	case MAKE_READ_ONLY:
		return make_read_only(build, entry);
	case MAKE_MASK:
		return mask(build, entry);
	}
	return mount < 0 ? mount : mount_at(build, mount, entry->path, S_IFDIR);
}

static int apply_table(struct build *build, const struct mount_entry *entries, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = apply(build, &entries[i]);
	return r;
}

int mounts_apply(struct build *build)
{
	return apply_table(build, table, ARRAY_SIZE(table));
}

int mounts_apply_sys(struct build *build)
{
	return apply_table(build, sys_table, ARRAY_SIZE(sys_table));
}
