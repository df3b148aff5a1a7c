/* SPDX-License-Identifier: MIT */
#pragma once

/* What glibc has and musl 1.2.3 hasn't, for narthex and narthex-launch; included before
 * everything else (musl.mk). What has a header of its own is in include/. */

#include "fortify.h"

#include <linux/close_range.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef HOST_NAME_MAX
#define HOST_NAME_MAX 64 /* of Linux; 255 in musl's limits.h, which doesn't fit */
#endif

#ifndef STATX_INO
#define STATX_INO 0x100U
#define AT_STATX_DONT_SYNC 0x4000
/* linux/stat.h, which can't be included beside sys/stat.h */
struct statx {
	uint32_t stx_mask, stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink, stx_uid, stx_gid;
	uint16_t stx_mode, spare0;
	uint64_t stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct {
		int64_t tv_sec;
		uint32_t tv_nsec;
		int32_t reserved;
	} stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	uint64_t spare2[14];
};
_Static_assert(sizeof(struct statx) == 256, "the kernel's");

static inline int statx(
	int dirfd, const char *path, int flags, unsigned int mask, struct statx *ret)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, ret);
}
#endif

static inline int close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

/* "TERM" for 15, NULL for what has no name. */
static inline const char *sigabbrev_np(int number)
{
	static const char names[][7] = { "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS",
		"FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD",
		"CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
		"WINCH", "POLL", "PWR", "SYS" };

	return number > 0 && number < (int)(sizeof(names) / sizeof(names[0])) ? names[number]
									      : (const char *)0;
}
