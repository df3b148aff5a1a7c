/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * The guest's root mounts in the guest's mount namespace what it likes, and some file systems wait
 * for a process of the guest's whatever one asks them, be it their type: FUSE, for one. So the way
 * from the root to dev, to pts, to ptmx is walked one name at a time by O_PATH descriptors.
 * Crossing into a mount asks its file system nothing. Which mount a descriptor is on stands in
 * /proc/self/fdinfo, and what type that has in the peer's mountinfo: both are the kernel's own
 * words. The next name is looked for when that type is known to answer at once.
 *
 * /dev is on the root's own file system, or a tmpfs; /dev/pts is a devpts; ptmx lies in it and is
 * what is opened. The slave is had from the master (TIOCGPTPEER): its number names another terminal
 * on the host. Without O_DIRECTORY an automount is not set off.
 *
 * A pty belongs to who opened it, the host's root, which a user namespace has no number for: nobody
 * in the container could open it by its name, its root included. So it is given to that.
 */

#include "foreign-pty.h"

#include "cleanup.h"
#include "fd.h"
#include "syscalls.h"
#include "trust.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#define MOUNTINFO_MAX (4 * 1024 * 1024) /* a guest with more mounts gets no terminal */
#define FDINFO_MAX 1024
#define UID_MAP_MAX (64 * 1024)
#define FS_TYPE_SIZE 32
#define PTMX_DEVICE makedev(5, 2) /* Linux, Documentation/admin-guide/devices.txt */

#define RESOLVE_NAME (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int refuse(const char **ret_why, const char *why, int r)
{
	*ret_why = why;
	return r;
}

/* The mount that a descriptor is on. Negative: unknown. */
static long mount_of(int fd)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (file_read_all(AT_FDCWD, path, 0, FDINFO_MAX, &text) < 0)
		return -1;
	line = strstr(text, "\nmnt_id:");
	return line ? strtol(line + strlen("\nmnt_id:"), NULL, 10) : -1;
}

/*
 * The file system of a mount, from proc_pid_mountinfo(5): blanks in paths are escaped there, so a
 * lone dash ends the optional fields, and nothing else does.
 */
static bool type_of(const char *mountinfo, long mount, char out[FS_TYPE_SIZE])
{
	for (const char *line = mountinfo; *line;
		line += strcspn(line, "\n"), line += *line == '\n') {
		size_t len = strcspn(line, "\n");
		const char *dash;

		if (strtol(line, NULL, 10) != mount)
			continue;
		dash = memmem(line, len, " - ", 3);
		if (!dash)
			return false;
		dash += 3;
		(void)snprintf(out, FS_TYPE_SIZE, "%.*s", (int)strcspn(dash, " \n"), dash);
		return true;
	}
	return false;
}

/* The descriptor holds its mount: its number can't be another's by now. */
static bool is_on(pid_t pid, int fd, const char *const types[])
{
	_cleanup_free_ char *mountinfo = NULL;
	char type[FS_TYPE_SIZE], path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	if (file_read_all(AT_FDCWD, path, 0, MOUNTINFO_MAX, &mountinfo) < 0 ||
		!type_of(mountinfo, mount_of(fd), type))
		return false;
	for (size_t i = 0; types[i]; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

/* /dev/pts below the root, O_PATH. */
static int open_devpts(const struct trust_peer *peer, const char **ret_why)
{
	static const char *const memory[] = { "tmpfs", "devtmpfs", NULL };
	static const char *const devpts[] = { "devpts", NULL };
	_cleanup_close_ int dev = sys_openat2(peer->root, "dev", O_PATH, 0, RESOLVE_NAME);
	_cleanup_close_ int pts = -EBADF;

	if (dev < 0)
		return refuse(ret_why, "cannot open its /dev", dev);
	if (mount_of(dev) != mount_of(peer->root) && !is_on(peer->pid, dev, memory))
		return refuse(ret_why, "its /dev is on a strange file system", -EPERM);
	pts = sys_openat2(dev, "pts", O_PATH, 0, RESOLVE_NAME);
	if (pts < 0)
		return refuse(ret_why, "cannot open its /dev/pts", pts);
	if (!is_on(peer->pid, pts, devpts))
		return refuse(ret_why, "its /dev/pts is no devpts", -EPERM);
	return TAKE_FD(pts);
}

static int open_master(int pts, const char **ret_why)
{
	static const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	_cleanup_close_ int master = sys_openat2(pts, "ptmx",
		O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0, RESOLVE_NAME | RESOLVE_NO_XDEV);
	const int unlock = 0;
	struct statfs fs;
	struct stat st;

	if (master < 0)
		return refuse(ret_why, "cannot open its /dev/pts/ptmx", master);
	if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC || fstat(master, &st) < 0 ||
		!S_ISCHR(st.st_mode) || st.st_rdev != PTMX_DEVICE)
		return refuse(ret_why, "its /dev/pts/ptmx makes no terminals", -EPERM);
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0)
		return refuse(ret_why, "cannot set up its terminal", -errno);
	return TAKE_FD(master);
}

/* The host's uid of the container's root; it has none: (uid_t)-1, which changes nothing. */
static uid_t root_of(int pid)
{
	_cleanup_free_ char *text = NULL;
	unsigned inside, outside, count;
	char path[48], *rest, *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (file_read_all(AT_FDCWD, path, 0, UID_MAP_MAX, &text) < 0)
		return (uid_t)-1;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0)
			return outside;
	return (uid_t)-1;
}

static int open_pair(const struct trust_peer *peer, int ret_fds[2], const char **ret_why)
{
	_cleanup_close_ int pts = open_devpts(peer, ret_why), master = -EBADF, slave = -EBADF;

	if (pts < 0)
		return pts;
	master = open_master(pts, ret_why);
	if (master < 0)
		return master;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || fchown(slave, root_of(peer->pid), (gid_t)-1) < 0)
		return refuse(ret_why, "cannot set up its terminal", -errno);
	/* while it lives its number is nobody else's, so all that was just its own */
	if (syscall(SYS_pidfd_send_signal, peer->pidfd, 0, NULL, 0) < 0)
		return refuse(ret_why, "who answered is not alive", -ESRCH);
	ret_fds[0] = TAKE_FD(master);
	ret_fds[1] = TAKE_FD(slave);
	return 0;
}

int foreign_pty_open(int sock, int root, int ret_fds[2], const char **ret_why)
{
	struct trust_peer peer;
	int r = trust_find_peer(sock, root, &peer, ret_why);

	if (r < 0)
		return r;
	r = open_pair(&peer, ret_fds, ret_why);
	(void)close(peer.pidfd);
	(void)close(peer.root);
	return r;
}
