/* SPDX-License-Identifier: MIT */
#pragma once

/* Another program that does a part of the work, and goes with us. */

#include <stdint.h>

struct child {
	char *const *argv; /* argv[0] is looked up in PATH when it has no slash */
	int stdin_fd;	   /* borrowed; negative: /dev/null */
	int cwd_fd;	   /* borrowed; negative: ours */
	/* called a few times a second while it runs; may be NULL */
	void (*progress)(void *userdata);
	void *userdata;
};

/*
 * Runs a program, with standard output on standard error, in a process group and a mount namespace
 * of its own: what it mounts is gone with it. When this process is interrupted (interrupt.h), it is
 * told to end (SIGTERM), then killed, and so is everything that it left; -EINTR then. Returns its
 * exit status, 128+N when signal N killed it, or -errno (-ENOENT: there is no such program).
 */
int child_run(const struct child *child);
