/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Programs of ours that do for the launcher what needs libraries: it lives as long as its
 * container and starts in milliseconds, so it is linked statically with as little as possible.
 * They begin with PR_SET_NO_NEW_PRIVS, which posix_spawn(3) can't do for them.
 */

/* The one descriptor that a helper inherits besides stdio. */
#define HELPER_FD 3

/*
 * Starts a program of ours (program.h), found by its name; argv[0] may be another. Its signals are
 * at their defaults, and fd, borrowed, is its HELPER_FD (negative: it gets none). Returns a pidfd;
 * the caller reaps the process, a child of its own. -errno: nothing was started.
 */
int helper_start(const char *program, char *const *argv, int fd);

/* The signal that has ended it, or another child that is not reaped yet; 0: none, or it runs. */
int helper_signal(int pidfd);

/* Waits for its end and reaps it. pidfd: consumed. Its exit status, 128+N for signal N, -errno. */
int helper_reap(int pidfd);
