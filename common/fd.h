/* SPDX-License-Identifier: MIT */
#pragma once

/* Descriptors: whole reads and writes, and passing them between our own processes. */

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A system call, again as long as a signal was in between. Where there is a deadline (SO_RCVTIMEO,
 * SO_SNDTIMEO) a process that was merely stopped and goes on is interrupted, too: signal(7).
 */
#define UNINTERRUPTED(call)                                                                        \
	({                                                                                         \
		__typeof__(call) _r;                                                               \
		do                                                                                 \
			_r = (call);                                                               \
		while (_r < 0 && errno == EINTR);                                                  \
		_r;                                                                                \
	})

/* Writes all of buf, blocking and restarting as needed. 0 or -errno. fd: borrowed. */
int fd_write_all(int fd, const void *buf, size_t len);

/*
 * Reads a whole file of at most max bytes into a new NUL-terminated string (the NUL comes on top).
 * Returns its length, -EFBIG when the file is longer, or -errno. fd: borrowed. *ret: caller frees.
 */
ssize_t fd_read_all(int fd, size_t max, char **ret);

/* The same for a path; dirfd as for openat(2); flags are added to O_RDONLY|O_CLOEXEC. */
ssize_t file_read_all(int dirfd, const char *path, int flags, size_t max, char **ret);

/* Writes a short string to an existing file in one write(2), as /proc and cgroupfs want it. */
int file_write_string(int dirfd, const char *path, const char *text);

/*
 * Makes a file 0644 with this text, or writes it anew, in place and in one write(2), when it has
 * another: whoever has it open, or mounted, finds the old or the new. 0 or -errno.
 */
int file_refresh(int dirfd, const char *path, const char *text);

/*
 * Sends or receives one byte with descriptors (at most FD_PASS_MAX) over a connected Unix socket
 * whose other end is our own code. Never use fd_receive() on a socket that a guest can write to.
 * fds: borrowed by fd_send(), owned by the caller after fd_receive(), which returns how many came,
 * -EPROTO when there were more than max, -ECONNRESET at end of file.
 */
#define FD_PASS_MAX 8
int fd_send(int sock, char tag, const int *fds, size_t n);
int fd_receive(int sock, char *ret_tag, int *ret_fds, size_t max);

/* Sends one message with n descriptors (borrowed, at most FD_PASS_MAX). flags: send(2)'s,
 * MSG_NOSIGNAL is added. 0 or -errno. */
int fd_send_message(int sock, const void *data, size_t len, const int *fds, size_t n, int flags);

/* The process of a pidfd, by its fdinfo (proc(5)); -1: it is gone, or nobody can tell. */
pid_t pidfd_to_pid(int pidfd);

/*
 * Opens a lock file, made with mode 0600 when it isn't there, and waits for its exclusive lock
 * (flock(2)), which ends with the descriptor. A descriptor or -errno.
 */
int fd_open_locked(const char *path);
