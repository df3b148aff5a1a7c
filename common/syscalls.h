/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * System calls and constants that glibc 2.36 or linux-libc-dev 6.1 don't have. All return -errno
 * on failure instead of setting errno.
 */

#include <errno.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16, include/uapi/asm-generic/socket.h */
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/*
 * PIDFD_GET_INFO of include/uapi/linux/pidfd.h, Linux 6.13, in its first layout; how a reaped
 * process ended (PIDFD_INFO_EXIT, a wait status) since 6.15. Names of our own: newer headers have
 * theirs.
 */
struct pidfd_exit_info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define PIDFD_GET_EXIT_INFO _IOWR(0xFF, 11, struct pidfd_exit_info)
#ifndef PIDFD_INFO_EXIT
#define PIDFD_INFO_EXIT (1UL << 3)
#endif

/*
 * While anything is renamed or mounted, anywhere on the machine, ".." in a path or link that is to
 * stay below its root may fail with EAGAIN: to be tried again (openat2(2)), but a guest could
 * rename for ever.
 */
#define OPENAT2_TRIES 1000

/* openat2(2), Linux 5.6. flags gets O_CLOEXEC. */
static inline int sys_openat2(
	int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | 02000000 /* O_CLOEXEC */,
		.mode = mode,
		.resolve = resolve,
	};
	long r;

	for (int i = 0; i < OPENAT2_TRIES; i++) {
		r = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (r >= 0 || errno != EAGAIN)
			break;
	}
	return r < 0 ? -errno : (int)r;
}

/* The rules for any path below a root that a guest controls. */
#define RESOLVE_GUEST                                                                              \
	(RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)
