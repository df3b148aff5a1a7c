/* SPDX-License-Identifier: MIT */
#pragma once

/* Pseudo terminals for the doors that have one. */

/*
 * Opens a pty of 80 columns by 24 rows with the kernel's default modes and IUTF8. Both ends are
 * O_CLOEXEC and the caller's; the master is O_NONBLOCK. 0 or -errno (-ENOSPC: no pty is left).
 */
int pty_open(int *ret_master, int *ret_slave);

/*
 * Types the terminal's end of file (VEOF in canonical mode, else ^D) when all that was typed before
 * has been read: a ^D among unread input may be read as just that. 1: typed; 0: not now, ask again
 * later; or -errno.
 */
int pty_type_eof(int master, int slave);

/* The slave's name without "/dev/". 0 or -errno. */
#define PTY_NAME_SIZE 16
int pty_name(int master, char ret[PTY_NAME_SIZE]);
