/* SPDX-License-Identifier: MIT */

/*
 * SO_PEERCRED and SO_PEERPIDFD of a connected socket name who called listen(). Of a door that
 * systemd made that is the guest's PID 1, the leader; an agent that binds its doors itself is
 * another process of the leader's pid namespace. Numbers of processes are used again, inodes on
 * pidfs aren't, so the latter are compared; only where the peer is not the leader is its pid
 * namespace looked up.
 */

#include "trust.h"

#include "cleanup.h"
#include "fd.h"
#include "syscalls.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PIDFS_MAGIC 0x50494446	      /* Linux 6.9, include/uapi/linux/magic.h: PID_FS_MAGIC */
#define PIDFD_GET_PID_NS _IO(0xff, 5) /* Linux 6.11, linux/pidfd.h: PIDFD_GET_PID_NAMESPACE */
#define TEXT_MAX 127

/* 0 where pidfds have no inode of their own. */
static uint64_t pidfd_inode(int pidfd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(pidfd, &fs) < 0 || fs.f_type != PIDFS_MAGIC || fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}

int trust_note(struct trust *trust, pid_t leader, int pidfd)
{
	if (leader <= 0)
		return -ESRCH;
	trust->leader = leader;
	trust->leader_inode = pidfd_inode(pidfd);
	return 0;
}

int trust_write(int dirfd, const struct trust *trust)
{
	_cleanup_close_ int fd = openat(dirfd, TRUST_FILE ".new",
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	char text[TEXT_MAX + 1];
	int n, r;

	if (fd < 0)
		return -errno;
	n = snprintf(text, sizeof(text), "%d %" PRIu64 " %" PRIu32 " %" PRIu32 "\n", trust->leader,
		trust->leader_inode, trust->uid_base, trust->uid_count);
	r = fd_write_all(fd, text, (size_t)n);
	if (r >= 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	/* a reader sees the old one or the new one, whole */
	if (r >= 0 && renameat(dirfd, TRUST_FILE ".new", dirfd, TRUST_FILE) < 0)
		r = -errno;
	return r;
}

static bool take_number(const char **cursor, uint64_t max, char behind, uint64_t *ret)
{
	char *end;

	if (**cursor < '0' || **cursor > '9')
		return false;
	errno = 0;
	*ret = strtoull(*cursor, &end, 10);
	if (errno != 0 || *ret > max || *end != behind)
		return false;
	*cursor = end + 1;
	return true;
}

int trust_parse(const char *text, struct trust *ret)
{
	uint64_t leader, inode, base, count;

	if (!take_number(&text, INT32_MAX, ' ', &leader) ||
		!take_number(&text, UINT64_MAX, ' ', &inode) ||
		!take_number(&text, UINT32_MAX, ' ', &base) ||
		!take_number(&text, UINT32_MAX, '\n', &count) || *text)
		return -EBADMSG;
	*ret = (struct trust){
		.leader = (pid_t)leader,
		.leader_inode = inode,
		.uid_base = (uint32_t)base,
		.uid_count = (uint32_t)count,
	};
	return 0;
}

int trust_read(int dirfd, struct trust *ret)
{
	_cleanup_close_ int fd = openat(dirfd, TRUST_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[TEXT_MAX + 1];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, TEXT_MAX);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return trust_parse(text, ret);
}

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EPERM;
}

/* -ENOPROTOOPT before Linux 6.5. */
static int peer_pidfd(int sock)
{
	int fd = -EBADF;
	socklen_t len = sizeof(fd);

	return getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) < 0 ? -errno : fd;
}

/* 1: in one pid namespace; 0: not; -errno: the kernel doesn't tell. */
static int is_in_pid_namespace(int pidfd, pid_t leader)
{
	_cleanup_close_ int ns = ioctl(pidfd, PIDFD_GET_PID_NS, 0);
	struct stat a, b;
	char path[48];

	if (ns < 0)
		return errno == ENOTTY || errno == EINVAL ? -errno : 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", leader);
	if (fstat(ns, &a) < 0 || stat(path, &b) < 0)
		return 0;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int trust_check(int sock, const struct trust *trust, const char **ret_why)
{
	_cleanup_close_ int pidfd = -EBADF;
	struct ucred ucred;
	socklen_t len = sizeof(ucred);
	int same = -ENOTTY;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &ucred, &len) < 0)
		return refuse(ret_why, "the kernel doesn't say who answers");
	if (ucred.uid < trust->uid_base || ucred.uid - trust->uid_base >= trust->uid_count)
		return refuse(ret_why, "who answers is not one of the container's users");
	pidfd = peer_pidfd(sock);
	if (pidfd < 0 && pidfd != -ENOPROTOOPT)
		return refuse(ret_why, "who answers is not alive");
	if (pidfd >= 0 && trust->leader_inode != 0) {
		if (pidfd_inode(pidfd) == trust->leader_inode)
			return 0;
		same = is_in_pid_namespace(pidfd, trust->leader);
	}
	if (same > 0 || (same < 0 && trust->uid_base > 0))
		return 0;
	return refuse(ret_why, same == 0 ? "who answers is not in the container"
					 : "this kernel can't tell who answers (Linux 6.11 does), "
					   "and the container has no users of its own");
}

int trust_find_peer(int sock, int root, struct trust_peer *ret, const char **ret_why)
{
	_cleanup_close_ int pidfd = peer_pidfd(sock), peer_root = -EBADF;
	struct statx a, b;
	char path[48];
	pid_t pid;

	if (pidfd < 0)
		return refuse(
			ret_why, pidfd == -ENOPROTOOPT
					 ? "this kernel doesn't say who answers (Linux 6.5 does)"
					 : "the kernel doesn't say who answers");
	pid = pidfd_to_pid(pidfd);
	if (pid <= 0)
		return refuse(ret_why, "who answers is not alive");
	(void)snprintf(path, sizeof(path), "/proc/%d/root", pid);
	peer_root = open(path, O_PATH | O_CLOEXEC);
	/* without AT_STATX_DONT_SYNC a root on the guest's own FUSE could keep us waiting */
	if (peer_root < 0 ||
		statx(root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &a) < 0 ||
		statx(peer_root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &b) < 0 ||
		syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return refuse(ret_why, "who answers can't be looked at");
	if (a.stx_ino != b.stx_ino || a.stx_dev_major != b.stx_dev_major ||
		a.stx_dev_minor != b.stx_dev_minor)
		return refuse(ret_why, "who answers has another root directory");
	*ret = (struct trust_peer){ pid, TAKE_FD(pidfd), TAKE_FD(peer_root) };
	return 0;
}

int trust_check_root(int sock, int root, const char **ret_why)
{
	struct trust_peer peer;
	int r = trust_find_peer(sock, root, &peer, ret_why);

	if (r < 0)
		return r;
	(void)close(peer.pidfd);
	(void)close(peer.root);
	return 0;
}
