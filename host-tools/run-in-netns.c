/* SPDX-License-Identifier: MIT */

/* run-in-netns: `ip netns exec` that leaves the host's /sys/fs/cgroup in place. */

#include "cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

/*
 * Theory of operation
 *
 * sysfs shows the network of whoever mounted it, so a command in another network namespace needs
 * another /sys, in a mount namespace of its own. The new one hides what is mounted below the old
 * one; systemd-nspawn, container managers and `systemctl` itself then miss the cgroups. So the
 * cgroup tree is cloned before (open_tree) and attached afterwards (move_mount).
 *
 * Messages and statuses are those of iproute2's ip 6.1, for the scripts that read them: 255 for a
 * namespace that can't be entered, 1 for a command that can't be run.
 */

#define NETNS_RUN_DIR "/run/netns"
#define NETNS_ETC_DIR "/etc/netns"

#define STATUS_NO_COMMAND 1
#define STATUS_NO_NETNS 255

/* /run/netns/NAME, or the path itself when there is a slash in it. 0 or -1, having said why. */
static int netns_path(const char *name, char ret[PATH_MAX])
{
	int n;

	if (strchr(name, '/')) {
		n = snprintf(ret, PATH_MAX, "%s", name);
	} else if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		n = PATH_MAX;
	} else {
		n = snprintf(ret, PATH_MAX, NETNS_RUN_DIR "/%s", name);
	}
	if (n < PATH_MAX)
		return 0;
	(void)fprintf(stderr, "Invalid netns name \"%s\"\n", name);
	return -1;
}

static int enter_netns(const char *name)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_MAX];

	if (netns_path(name, path) < 0)
		return -1;
	/* O_NONBLOCK: a path may lead to a FIFO */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		(void)fprintf(stderr, "Cannot open network namespace \"%s\": %s\n", name,
			strerror(errno));
		return -1;
	}
	if (setns(fd, CLONE_NEWNET) < 0) {
		(void)fprintf(stderr, "setting the network namespace \"%s\" failed: %s\n", name,
			strerror(errno));
		return -1;
	}
	return 0;
}

/* A private copy of what is mounted on /sys/fs/cgroup and below; *ret stays -EBADF for none. */
static int clone_cgroups(int *ret)
{
	struct statfs fs;
	int fd;

	if (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type == SYSFS_MAGIC)
		return 0;
	fd = open_tree(
		AT_FDCWD, "/sys/fs/cgroup", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0) {
		(void)fprintf(stderr, "cannot keep /sys/fs/cgroup: %s\n", strerror(errno));
		return -1;
	}
	*ret = fd;
	return 0;
}

/* Puts the namespace's own sysfs on /sys, with the cgroups of before. */
static int mount_sys(const char *name)
{
	_cleanup_close_ int cgroups = -EBADF;
	unsigned long flags = 0;
	struct statvfs fs;

	if (clone_cgroups(&cgroups) < 0)
		return -1;
	/*
	 * It may not be there, or be locked by a user namespace: then it is covered. A read-only
	 * one can only be covered by a read-only one.
	 */
	if (umount2("/sys", MNT_DETACH) < 0 && statvfs("/sys", &fs) == 0 && (fs.f_flag & ST_RDONLY))
		flags = MS_RDONLY;
	if (mount(name, "/sys", "sysfs", flags, NULL) < 0) {
		(void)fprintf(stderr, "mount of /sys failed: %s\n", strerror(errno));
		return -1;
	}
	if (cgroups >= 0 &&
		move_mount(cgroups, "", AT_FDCWD, "/sys/fs/cgroup", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		(void)fprintf(stderr, "cannot keep /sys/fs/cgroup: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

/* /etc/netns/NAME/FILE appears as /etc/FILE. A file that can't is a message, no failure. */
static void bind_etc(const char *name)
{
	char dir_path[PATH_MAX], from[PATH_MAX + 256], to[PATH_MAX];
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	if (strchr(name, '/') || strlen(name) > NAME_MAX)
		return;
	(void)snprintf(dir_path, sizeof(dir_path), NETNS_ETC_DIR "/%s", name);
	dir = opendir(dir_path);
	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(from, sizeof(from), "%s/%s", dir_path, entry->d_name);
		(void)snprintf(to, sizeof(to), "/etc/%s", entry->d_name);
		if (mount(from, to, "none", MS_BIND, NULL) < 0)
			(void)fprintf(
				stderr, "Bind %s -> %s failed: %s\n", from, to, strerror(errno));
	}
}

static int switch_to(const char *name)
{
	if (enter_netns(name) < 0)
		return -1;
	if (unshare(CLONE_NEWNS) < 0) {
		(void)fprintf(stderr, "unshare failed: %s\n", strerror(errno));
		return -1;
	}
	/* slave: the host's later mounts still come in, ours don't go out */
	if (mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0) {
		(void)fprintf(stderr, "\"mount --make-rslave /\" failed: %s\n", strerror(errno));
		return -1;
	}
	if (mount_sys(name) < 0)
		return -1;
	bind_etc(name);
	return 0;
}

static void usage(void)
{
	puts("Usage: run-in-netns NETNS COMMAND [ARG…]\n\n"
	     "Runs COMMAND in the network namespace NETNS of /run/netns (or a path) with\n"
	     "/sys/fs/cgroup left in place. See run-in-netns(8).\n\n"
	     "  --help     show this text\n"
	     "  --version  show the version");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		usage();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("run-in-netns " NARTHEX_VERSION);
		return 0;
	}
	if (argc < 2) {
		(void)fputs("No netns name specified\n", stderr);
		return STATUS_NO_COMMAND;
	}
	if (argc < 3) {
		(void)fputs("No command specified\n", stderr);
		return STATUS_NO_COMMAND;
	}
	if (switch_to(argv[1]) < 0)
		return STATUS_NO_NETNS;
	(void)execvp(argv[2], argv + 2);
	(void)fprintf(stderr, "exec of \"%s\" failed: %s\n", argv[2], strerror(errno));
	return STATUS_NO_COMMAND;
}
