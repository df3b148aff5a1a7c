/* SPDX-License-Identifier: MIT */

/*
 * Debian's libevent is compiled for glibc. What it uses of a C library has the same form in musl on
 * 64 bits: that is the kernel's form, or it knows a pointer only. musl has the names, too, that
 * glibc's headers make of others, but for those with the checks of _FORTIFY_SOURCE: those are here
 * and in fortify.c. And random numbers, which the launcher doesn't ask for.
 */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/select.h>

#ifndef __GLIBC__ /* whose headers have them */
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
long __fdelt_chk(long fd);
uint32_t arc4random(void);
void arc4random_buf(void *buf, size_t n);
#endif

int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	va_list args;
	int r;

	(void)flag;
	va_start(args, format);
	r = vfprintf(f, format, args);
	va_end(args);
	return r;
}

long __fdelt_chk(long fd)
{
	if (fd < 0 || fd >= FD_SETSIZE)
		abort();
	return fd / (8 * (long)sizeof(long));
}

void arc4random_buf(void *buf, size_t n)
{
	if (n > 256 || getrandom(buf, n, 0) != (ssize_t)n)
		abort();
}

uint32_t arc4random(void)
{
	uint32_t number;

	arc4random_buf(&number, sizeof(number));
	return number;
}
