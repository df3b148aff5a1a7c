/* SPDX-License-Identifier: MIT */

/*
 * A system call that is there refuses these arguments, each with another error than ENOSYS. The
 * versions are from the calls' manual pages.
 */

#include "kernel.h"

#include "cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	enum kernel_need need;
	long number;
	const char *name, *since;
} calls[] = {
	{ KERNEL_MOUNTS, SYS_fsopen, "fsopen", "5.2" },
	{ KERNEL_MOUNTS, SYS_open_tree, "open_tree", "5.2" },
	{ KERNEL_MOUNTS, SYS_move_mount, "move_mount", "5.2" },
	{ KERNEL_PIDFD, SYS_pidfd_send_signal, "pidfd_send_signal", "5.1" },
	{ KERNEL_PIDFD, SYS_pidfd_open, "pidfd_open", "5.3" },
	{ KERNEL_CLONE3, SYS_clone3, "clone3", "5.3" },
	{ KERNEL_OPENAT2, SYS_openat2, "openat2", "5.6" },
	{ KERNEL_CLOSE_RANGE, SYS_close_range, "close_range", "5.9" },
	{ KERNEL_MOUNTS, SYS_mount_setattr, "mount_setattr", "5.12" },
};

bool kernel_has(unsigned int needs, const char **ret_call, const char **ret_since)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		/* no descriptor, no memory, no size, flags that don't exist */
		if (!(needs & calls[i].need) ||
			syscall(calls[i].number, -1L, 0L, 0L, -1L, -1L) >= 0 || errno != ENOSYS)
			continue;
		*ret_call = calls[i].name;
		*ret_since = calls[i].since;
		return false;
	}
	return true;
}
