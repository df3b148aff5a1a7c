/* SPDX-License-Identifier: MIT */

/* What gcc calls where it can't tell at compile time that a write fits (fortify.h), under glibc's
 * names. */

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

/* the functions themselves, not the checked ones */
extern void *unchecked_memcpy(void *to, const void *from, size_t n) __asm__("memcpy");
extern void *unchecked_memmove(void *to, const void *from, size_t n) __asm__("memmove");
extern void *unchecked_memset(void *to, int c, size_t n) __asm__("memset");
extern size_t unchecked_strlen(const char *text) __asm__("strlen");
extern int unchecked_vsnprintf(char *to, size_t max, const char *format, va_list args) __asm__(
	"vsnprintf");

void *__memcpy_chk(void *to, const void *from, size_t n, size_t space);
void *__memmove_chk(void *to, const void *from, size_t n, size_t space);
void *__memset_chk(void *to, int c, size_t n, size_t space);
char *__strcpy_chk(char *to, const char *from, size_t space);
char *__stpcpy_chk(char *to, const char *from, size_t space);
int __vsnprintf_chk(char *to, size_t max, int flag, size_t space, const char *format, va_list args);
int __snprintf_chk(char *to, size_t max, int flag, size_t space, const char *format, ...);

static void fits(size_t n, size_t space)
{
	if (n > space)
		abort();
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t space)
{
	fits(n, space);
	return unchecked_memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t space)
{
	fits(n, space);
	return unchecked_memmove(to, from, n);
}

void *__memset_chk(void *to, int c, size_t n, size_t space)
{
	fits(n, space);
	return unchecked_memset(to, c, n);
}

/* How long it is, without its end. */
static size_t copy_text(char *to, const char *from, size_t space)
{
	size_t n = unchecked_strlen(from);

	fits(n + 1, space);
	unchecked_memcpy(to, from, n + 1);
	return n;
}

char *__stpcpy_chk(char *to, const char *from, size_t space)
{
	return to + copy_text(to, from, space);
}

char *__strcpy_chk(char *to, const char *from, size_t space)
{
	(void)copy_text(to, from, space);
	return to;
}

int __vsnprintf_chk(char *to, size_t max, int flag, size_t space, const char *format, va_list args)
{
	(void)flag;
	fits(max, space);
	return unchecked_vsnprintf(to, max, format, args);
}

int __snprintf_chk(char *to, size_t max, int flag, size_t space, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __vsnprintf_chk(to, max, flag, space, format, args);
	va_end(args);
	return n;
}
