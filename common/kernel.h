/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the running kernel is too old for. Nothing here has a slower or weaker way around it: who
 * needs it says so at its start, instead of failing in the middle with "Function not implemented".
 */

#include <stdbool.h>

enum kernel_need {
	KERNEL_OPENAT2 = 1 << 0,
	KERNEL_CLONE3 = 1 << 1,
	KERNEL_PIDFD = 1 << 2,	/* pidfd_open and pidfd_send_signal */
	KERNEL_MOUNTS = 1 << 3, /* fsopen, open_tree and their like, mount_setattr */
	KERNEL_CLOSE_RANGE = 1 << 4,
};

/* needs: a set of enum kernel_need. False with the name of the first system call that isn't there
 * and the version of Linux that brought it (static texts). Makes nothing, blocks never. */
bool kernel_has(unsigned int needs, const char **ret_call, const char **ret_since);
