/* SPDX-License-Identifier: MIT */
#pragma once

#include <poll.h>
#include <stddef.h>

/*
 * Prepares to wait for the same descriptors, for POLLIN, again and again. Entries with a negative
 * descriptor are left out. Returns a descriptor that is the caller's, or -errno: -EPERM where one
 * of them is a file that is always ready.
 */
int quick_poll_open(const struct pollfd *fds, size_t n);

/* Waits as poll(2) does, for what quick_poll_open() was told, and sets revents alike. */
int quick_poll(int fd, struct pollfd *fds, size_t n, int timeout_ms);
