/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The checks of _FORTIFY_SOURCE=3, which musl's headers don't have, for what the sources use: a
 * write beyond an object whose size gcc knows, or can compute, ends the program. fortify.c has the
 * part that is called. gcc: "Object Size Checking Built-in Functions".
 */

#pragma GCC system_header /* warnings are its callers' */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FORTIFIED extern inline __attribute__((gnu_inline, always_inline, artificial))
#define SPACE_OF(to) __builtin_dynamic_object_size(to, 0) /* SIZE_MAX: unknown */

FORTIFIED void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	return __builtin___memcpy_chk(to, from, n, SPACE_OF(to));
}

FORTIFIED void *memmove(void *to, const void *from, size_t n)
{
	return __builtin___memmove_chk(to, from, n, SPACE_OF(to));
}

FORTIFIED void *memset(void *to, int c, size_t n)
{
	return __builtin___memset_chk(to, c, n, SPACE_OF(to));
}

FORTIFIED char *strcpy(char *restrict to, const char *restrict from)
{
	return __builtin___strcpy_chk(to, from, SPACE_OF(to));
}

FORTIFIED char *stpcpy(char *restrict to, const char *restrict from)
{
	return __builtin___stpcpy_chk(to, from, SPACE_OF(to));
}

FORTIFIED int vsnprintf(char *restrict to, size_t max, const char *restrict format, va_list args)
{
	return __builtin___vsnprintf_chk(to, max, 1, SPACE_OF(to), format, args);
}

FORTIFIED int snprintf(char *restrict to, size_t max, const char *restrict format, ...)
{
	return __builtin___snprintf_chk(to, max, 1, SPACE_OF(to), format, __builtin_va_arg_pack());
}

/* What has no built-in form: the function under another name, behind the check. */
#define FORTIFIED_INPUT(name, parameters, arguments)                                               \
	extern ssize_t unchecked_##name parameters __asm__(#name);                                 \
	FORTIFIED ssize_t name parameters                                                          \
	{                                                                                          \
		if (n > SPACE_OF(to))                                                              \
			__builtin_trap();                                                          \
		return unchecked_##name arguments;                                                 \
	}

FORTIFIED_INPUT(read, (int fd, void *to, size_t n), (fd, to, n))
FORTIFIED_INPUT(pread, (int fd, void *to, size_t n, off_t offset), (fd, to, n, offset))
FORTIFIED_INPUT(recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))
FORTIFIED_INPUT(readlink, (const char *restrict path, char *restrict to, size_t n), (path, to, n))
FORTIFIED_INPUT(readlinkat, (int dirfd, const char *restrict path, char *restrict to, size_t n),
	(dirfd, path, to, n))
