/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What root can do here. Each attempt is made by a process of its own and ends as one line, so what
 * it changes about itself (namespaces, ids, mounts) is gone with it, and a crash or a hang is a
 * result, too. Attempts are harmless where they succeed.
 */

#include <errno.h>
#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct attempt {
	const char *name;
	/* 0 or more: it worked; -errno: it didn't */
	long (*run)(void);
	/* The errno of a call that was let through and failed over its deliberately bad arguments;
	 * 0: there is none, success is success. */
	int passed;
};

struct chapter {
	const char *title;
	const struct attempt *attempts;
	size_t n;
	/* lines that are no attempts; NULL: none */
	void (*report)(void);
};

extern const struct chapter chapter_identity, chapter_capabilities, chapter_processes,
	chapter_namespaces, chapter_calls, chapter_sockets, chapter_network, chapter_devices,
	chapter_terminals, chapter_files, chapter_mounts, chapter_cgroups;

/* One attempt whose run() takes an argument; prints its line. */
void probe(const char *name, long (*run)(const void *), const void *arg, int passed);

/* A new directory to make things in, on a file system that may be written; NULL: there is none. */
const char *probe_directory(void);

/* A mount namespace of the caller's own, from which nothing comes back, if that can be had. */
void leave_mounts(void);

/* syscall(2) that returns -errno. */
long call(long number, long a, long b, long c, long d, long e, long f);
#define CALL6(n, a, b, c, d, e, f, ...)                                                            \
	call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* The result of a libc call. */
static inline long result(long r)
{
	return r < 0 ? -errno : r;
}
