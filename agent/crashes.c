/* SPDX-License-Identifier: MIT */
#include "crashes.h"

#include "cleanup.h"
#include "log.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/*
 * Theory of operation
 *
 * An agent that crashes is started again and goes on with the same sessions. If it is one of them
 * that crashes it, that has no end. The count of crashes is a page of memory that systemd keeps as
 * a descriptor (a memfd) beside the sessions; a handler of the signals with which programs crash
 * writes to it, and lets the signal do its work. A kill -9, an update or a restart is no crash and
 * isn't counted, however many there are.
 *
 * Sanitizers have handlers of their own, which say more: theirs are left.
 */

#define NAME "crashes"
#define YOUNG_USEC UINT64_C(10000000)
#define STACK_SIZE (16 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

struct count {
	uint64_t born; /* CLOCK_MONOTONIC, µs: of the last agent */
	uint32_t crashes;
};

static struct count *count;

static uint64_t clock_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

bool crashes_is_count(const char *name)
{
	return strcmp(name, NAME) == 0;
}

static void map(int fd)
{
	void *at = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	count = at == MAP_FAILED ? NULL : at;
}

void crashes_take(int fd)
{
	if (!count)
		map(fd);
	(void)close(fd);
}

void crashes_note(void)
{
	if (!count)
		return;
	count->crashes = clock_usec() - count->born < YOUNG_USEC ? count->crashes + 1 : 1;
}

#ifndef HAS_SANITIZER
static void on_crash(int number)
{
	crashes_note();
	(void)raise(number); /* by its default now */
}

static void watch(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };
	static char memory[STACK_SIZE]; /* a stack that has overflowed is none */
	const stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };
	const struct sigaction action = {
		.sa_handler = on_crash,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK),
	};

	(void)sigaltstack(&stack, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sigaction(numbers[i], &action, NULL);
}
#else
static void watch(void)
{
}
#endif

/* A new count, which systemd keeps. */
static void begin(void)
{
	_cleanup_close_ int fd = memfd_create("narthex-" NAME, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(*count)) < 0)
		return;
	map(fd);
	if (count)
		(void)sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDPOLL=0\nFDNAME=" NAME, &fd, 1);
}

void crashes_start(void)
{
	if (!getenv("NOTIFY_SOCKET"))
		return;
	if (!count)
		begin();
	if (!count)
		return;
	count->born = clock_usec();
	watch();
}

bool crashes_too_many(void)
{
	if (!count || count->crashes < CRASHES_MAX)
		return false;
	count->crashes = 0;
	return true;
}
