/* SPDX-License-Identifier: MIT */

/* Mounts: what is there, what can be made, and what can be taken away. */

#include "probe.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- new ones --------------------------------------------------------------------------------- */

static const struct kind {
	const char *type, *options;
} kinds[] = {
	{ "proc", NULL },
	{ "sysfs", NULL },
	{ "tmpfs", NULL },
	{ "ramfs", NULL },
	{ "devpts", "newinstance" },
	{ "devtmpfs", NULL },
	{ "mqueue", NULL },
	{ "cgroup2", NULL },
	{ "overlay", "lowerdir=/etc:/usr" },
	{ "fuse", "fd=0,rootmode=40000,user_id=0,group_id=0" },
	{ "hugetlbfs", NULL },
	{ "bpf", NULL },
	{ "binfmt_misc", NULL },
	{ "configfs", NULL },
	{ "debugfs", NULL },
	{ "tracefs", NULL },
	{ "securityfs", NULL },
	{ "selinuxfs", NULL },
	{ "pstore", NULL },
	{ "efivarfs", NULL },
	{ "fusectl", NULL },
	{ "rpc_pipefs", NULL },
	{ "nfsd", NULL },
	{ "resctrl", NULL },
};

static long mount_kind(const struct kind *kind, char path[64])
{
	const char *place = probe_directory();
	long r;

	if (!place)
		return -EROFS;
	(void)snprintf(path, 64, "%s", place);
	r = result(mount("probe", place, kind->type, 0, kind->options));
	if (r < 0)
		(void)rmdir(place);
	return r;
}

static long mount_one(const void *arg)
{
	char path[64];

	leave_mounts();
	return mount_kind(arg, path);
}

static long write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long r = fd < 0 ? -errno : result(write(fd, text, strlen(text)));

	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* As root of a user namespace below this one, with all that comes with it. */
static long mount_nested(const void *arg)
{
	const struct kind *kind = arg;
	char path[64];
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
		    CLONE_NEWCGROUP) < 0)
		return -errno;
	if (write_text("/proc/self/setgroups", "deny") < 0 ||
		write_text("/proc/self/uid_map", "0 0 1") < 0 ||
		write_text("/proc/self/gid_map", "0 0 1") < 0)
		return -errno;
	/* a pid namespace begins with the next process */
	pid = fork();
	if (pid == 0) {
		long r = mount_kind(kind, path);

		_exit(r < 0 ? (int)-r : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* A file in a file system of its own making. */
static long open_in_new(const char *type, const char *file)
{
	struct kind kind = { type, NULL };
	char path[64], full[128];
	long r;

	leave_mounts();
	r = mount_kind(&kind, path);
	if (r < 0)
		return r;
	(void)snprintf(full, sizeof(full), "%s/%s", path, file);
	return result(open(full, O_WRONLY | O_CLOEXEC));
}

static long core_pattern_in_new_proc(void)
{
	return open_in_new("proc", "sys/kernel/core_pattern");
}

static long sysrq_in_new_proc(void)
{
	return open_in_new("proc", "sysrq-trigger");
}

static long helper_in_new_sysfs(void)
{
	return open_in_new("sysfs", "kernel/uevent_helper");
}

/* Any hierarchy of the old cgroups; the kernel runs what is written there. */
static long release_agent(void)
{
	static const struct kind hierarchies[] = {
		{ "cgroup", "name=systemd" },
		{ "cgroup", "devices" },
		{ "cgroup", "memory" },
		{ "cgroup", "none,name=probe" },
	};
	char path[64], file[96];
	long r = -ENOENT;

	leave_mounts();
	for (size_t i = 0; r < 0 && i < COUNT(hierarchies); i++) {
		r = mount_kind(&hierarchies[i], path);
		if (r < 0)
			continue;
		(void)snprintf(file, sizeof(file), "%s/release_agent", path);
		r = result(open(file, O_WRONLY | O_CLOEXEC));
	}
	return r;
}

/* --- those that are there --------------------------------------------------------------------- */

static int covered(const char *path)
{
	struct statfs above, here;

	/* a mask is of another file system than procfs, but for the read-only cover of /proc/sys */
	return statfs("/proc", &above) == 0 && statfs(path, &here) == 0 &&
	       above.f_type != here.f_type;
}

static long take_away_mask(void)
{
	static const char *const masks[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list",
		"/proc/kallsyms", "/proc/acpi" };

	leave_mounts();
	for (size_t i = 0; i < COUNT(masks); i++)
		if (covered(masks[i]))
			return result(umount2(masks[i], MNT_DETACH));
	return 0; /* nothing is covered */
}

static long take_away_read_only(void)
{
	leave_mounts();
	(void)umount2("/proc/sys", MNT_DETACH);
	(void)mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
	return result(open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC));
}

static long remount_proc_sys(void)
{
	leave_mounts();
	return result(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static long remount_sys(void)
{
	leave_mounts();
	return result(mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
}

/* A copy of all mounts, in which what lies below a mask might show. */
static long look_below(void)
{
	long tree;
	struct stat st;

	leave_mounts();
	tree = CALL(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE);
	if (tree < 0)
		return tree;
	/* without what is mounted below: whatever is there is seen */
	return fstatat((int)tree, "sys/kernel", &st, 0) == 0 ? 0 : -errno;
}

static long bind_something(void)
{
	const char *place;

	leave_mounts();
	place = probe_directory();
	return place ? result(mount("/etc", place, NULL, MS_BIND, NULL)) : -EROFS;
}

static long change_flags_by_descriptor(void)
{
	struct mount_attr attributes = { .attr_clr = MOUNT_ATTR_RDONLY };

	leave_mounts();
	return CALL(SYS_mount_setattr, AT_FDCWD, "/proc/sys", 0, &attributes, sizeof(attributes));
}

static long make_by_descriptor(void)
{
	long context = CALL(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	if (context >= 0)
		context = CALL(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return context;
}

static long idmap_root(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_IDMAP };
	long tree;

	leave_mounts();
	tree = CALL(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE);
	attributes.userns_fd = (unsigned long long)open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	return tree < 0 ? tree
			: CALL(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes,
				  sizeof(attributes));
}

/* Of the container's root: the options are the file system's, which is the host's. None changes. */
static long reconfigure_disk(void)
{
	leave_mounts();
	return result(mount(NULL, "/", NULL, MS_REMOUNT, NULL));
}

static long pivot(void)
{
	leave_mounts();
	if (mount("/", "/", NULL, MS_BIND | MS_REC, NULL) < 0 || chdir("/") < 0)
		return -errno;
	return CALL(SYS_pivot_root, ".", ".");
}

static const struct attempt attempts[] = {
	{ "write core_pattern in a new procfs", core_pattern_in_new_proc, 0 },
	{ "write sysrq-trigger in a new procfs", sysrq_in_new_proc, 0 },
	{ "write uevent_helper in a new sysfs", helper_in_new_sysfs, 0 },
	{ "write release_agent in a cgroup of v1", release_agent, 0 },
	{ "take a mask away", take_away_mask, 0 },
	{ "make /proc/sys writable by umount", take_away_read_only, 0 },
	{ "make /proc/sys writable by a remount", remount_proc_sys, 0 },
	{ "make /proc/sys writable by its descriptor", change_flags_by_descriptor, 0 },
	{ "make /sys writable by a remount", remount_sys, 0 },
	{ "copy /proc without its masks", look_below, 0 },
	{ "bind a directory elsewhere", bind_something, 0 },
	{ "make a file system by descriptor", make_by_descriptor, 0 },
	{ "shift the owners of its root", idmap_root, 0 },
	{ "reconfigure the disk's file system", reconfigure_disk, 0 },
	{ "pivot_root", pivot, 0 },
};

/* --- a list ----------------------------------------------------------------------------------- */

/* Where something of the host's disks is shown, the type is the host's business. */
static const char *type_name(const char *type)
{
	static const char *const own[] = { "proc", "sysfs", "cgroup2", "cgroup", "tmpfs", "devpts",
		"mqueue", "ramfs", "overlay", "hugetlbfs" };

	for (size_t i = 0; i < COUNT(own); i++)
		if (strcmp(type, own[i]) == 0)
			return type;
	return "disk";
}

static int by_line(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The flags that protect something, of "rw,nosuid,relatime". */
static void append_flags(char *line, size_t size, char *options)
{
	static const char *const flags[] = { "ro", "nosuid", "nodev", "noexec", "idmapped" };
	char *state = NULL;

	for (char *o = strtok_r(options, ",", &state); o; o = strtok_r(NULL, ",", &state))
		for (size_t i = 0; i < COUNT(flags); i++)
			if (strcmp(o, flags[i]) == 0) {
				size_t len = strlen(line);

				(void)snprintf(line + len, size - len, " %s", o);
			}
}

#define MOUNTS_MAX 256

static void report_mounts(void)
{
	static char lines[MOUNTS_MAX][512];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char text[4096], where[512], options[256];
	size_t n = 0;

	/* "ID PARENT MAJOR:MINOR ROOT WHERE OPTIONS [TAGS] - TYPE …" (proc_pid_mountinfo(5)) */
	while (n < MOUNTS_MAX && f && fgets(text, sizeof(text), f)) {
		char *type = strstr(text, " - ");

		if (!type || sscanf(text, "%*s %*s %*s %*s %511s %255s", where, options) != 2)
			continue;
		type += 3;
		type[strcspn(type, " ")] = '\0';
		/* systemd's, for the credentials of a service that may be just running */
		if (strncmp(where, "/run/credentials/", 17) == 0)
			continue;
		/* what lies on the root's own file system depends on where the host keeps it */
		(void)snprintf(lines[n], sizeof(lines[n]), "mount on %.200s: %s", where,
			strcmp(where, "/") == 0 ? "the root" : type_name(type));
		append_flags(lines[n], sizeof(lines[n]), options);
		n++;
	}
	if (f)
		(void)fclose(f);
	qsort(lines, n, sizeof(lines[0]), by_line);
	for (size_t i = 0; i < n; i++)
		printf("%s\n", lines[i]);
}

static void report(void)
{
	char name[96];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		(void)snprintf(name, sizeof(name), "mount %s", kinds[i].type);
		probe(name, mount_one, &kinds[i], 0);
		(void)snprintf(
			name, sizeof(name), "mount %s below a user namespace", kinds[i].type);
		probe(name, mount_nested, &kinds[i], 0);
	}
	report_mounts();
}

const struct chapter chapter_mounts = { "mounts", attempts, COUNT(attempts), report };

/* --- cgroups ---------------------------------------------------------------------------------- */

static const char *const files[] = { "cgroup.procs", "cgroup.threads", "cgroup.subtree_control",
	"cgroup.type", "cgroup.max.depth", "cgroup.max.descendants", "cgroup.freeze", "cgroup.kill",
	"memory.max", "pids.max", "cpu.max", "memory.oom.group" };

static long open_cgroup_file(const void *name)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", (const char *)name);
	return result(open(path, O_WRONLY | O_CLOEXEC));
}

static long make_cgroup(void)
{
	char path[64];
	long r;

	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/probe-%d", getpid());
	r = result(mkdir(path, 0755));
	if (r >= 0)
		(void)rmdir(path);
	return r;
}

/* cgroups(7): only the root of all has no cgroup.events. */
static long see_all_cgroups(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != 0x63677270) /* linux/magic.h */
		return -ENOENT;
	return access("/sys/fs/cgroup/cgroup.events", F_OK) < 0 ? 0 : -EEXIST;
}

static const struct attempt cgroup_attempts[] = {
	{ "see the machine's cgroups", see_all_cgroups, 0 },
	{ "make a cgroup", make_cgroup, 0 },
};

static void report_cgroups(void)
{
	char name[96];

	for (size_t i = 0; i < COUNT(files); i++) {
		(void)snprintf(name, sizeof(name), "write its own %s", files[i]);
		probe(name, open_cgroup_file, files[i], 0);
	}
}

const struct chapter chapter_cgroups = { "cgroups", cgroup_attempts, COUNT(cgroup_attempts),
	report_cgroups };
