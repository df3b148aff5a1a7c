/* SPDX-License-Identifier: MIT */
#pragma once

/* What a tested function says on stderr. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char said[16384];
static int said_fd = -EBADF, real_stderr = -EBADF;

static void listen_begin(void)
{
	assert_return_code(ftruncate(said_fd, 0), errno);
	(void)lseek(said_fd, 0, SEEK_SET);
	assert_true(dup2(said_fd, STDERR_FILENO) >= 0);
}

static void listen_end(void)
{
	ssize_t n;

	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	n = pread(said_fd, said, sizeof(said) - 1, 0);
	said[n < 0 ? 0 : n] = '\0';
}

/* A group setup. */
static int listen_setup(void **state)
{
	(void)state;
	said_fd = memfd_create("said", MFD_CLOEXEC);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return said_fd < 0 || real_stderr < 0 ? -1 : 0;
}
