/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Scope-bound ownership. A variable marked _cleanup_x_ owns what it holds; TAKE_FD() and TAKE_PTR()
 * hand the ownership on and leave the null state (-EBADF, NULL) behind, which every destructor
 * accepts.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Closes *fd unless it is negative; keeps errno. */
static inline void close_fdp(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		(void)close(*fd);
		errno = saved;
	}
	*fd = -EBADF;
}

static inline void free_p(void *p)
{
	free(*(void **)p);
}

static inline void fclose_p(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void closedir_p(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_close_ _cleanup_(close_fdp)
#define _cleanup_free_ _cleanup_(free_p)
#define _cleanup_fclose_ _cleanup_(fclose_p)
#define _cleanup_closedir_ _cleanup_(closedir_p)

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_fdp = &(fd);                                                                 \
		int _fd = *_fdp;                                                                   \
		*_fdp = -EBADF;                                                                    \
		_fd;                                                                               \
	})

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *_pp = &(p);                                                         \
		__typeof__(p) _p = *_pp;                                                           \
		*_pp = NULL;                                                                       \
		_p;                                                                                \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
