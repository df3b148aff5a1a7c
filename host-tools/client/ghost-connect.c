/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * A listener wakes up within connect(2), before the connecting process could exit: however
 * short-lived that is, now and then its handle is used in time. So the process has two threads. The
 * first one, by whose id the process is known, exits; what a handle leads to is this thread's, and
 * it has let go of everything. The second one waits for that, and connects.
 *
 * Both run on memory and descriptors of ours. A first thread that exits lets us go on
 * (CLONE_VFORK), so the second one shares errno with us: it makes its system calls without touching
 * that.
 */

#include "ghost-connect.h"

#include "syscalls.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define STACK_SIZE 16384
#define STAT_MAX 64 /* "PID (COMM) STATE …": what counts is at the beginning */

/* A frame of a thread that ends in it is never left, and would stay poisoned. */
#define UNINSTRUMENTED __attribute__((no_sanitize("address", "undefined")))

struct ghost {
	char first_stack[STACK_SIZE] __attribute__((aligned(16)));
	char second_stack[STACK_SIZE] __attribute__((aligned(16)));
	struct sockaddr_un address;
	int sock;
	int stat_fd; /* /proc/PID/stat of the first thread, once there is one */
	int error;
};

/* The result, or -errno: errno is not ours. */
UNINSTRUMENTED static long quiet_call(long number, long a, long b, long c, long d)
{
	long r;
#if defined(__x86_64__)
	register long r10 asm("r10") = d;

	asm volatile("syscall"
		     : "=a"(r)
		     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
		     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 asm("x8") = number;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = d;

	asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	r = x0;
#else
	r = syscall(number, a, b, c, d);
	if (r < 0)
		r = -errno;
#endif
	return r;
}

/* A thread is a zombie when everything of it has been let go (proc_pid_stat(5)). */
UNINSTRUMENTED static int wait_for_death(int stat_fd)
{
	char text[STAT_MAX];

	for (;;) {
		const char *end = NULL;
		long n = quiet_call(SYS_pread64, stat_fd, (long)text, sizeof(text) - 1, 0);

		if (n < 0)
			return (int)n;
		for (long i = 0; i + 2 < n; i++)
			/* NOLINTNEXTLINE(clang-analyzer-core.*): the kernel has written them */
			if (text[i] == ')' && text[i + 1] == ' ')
				end = text + i + 2; /* the last one: names may have them, too */
		if (!end)
			return -EBADMSG;
		if (*end == 'Z')
			return 0;
		(void)quiet_call(SYS_sched_yield, 0, 0, 0, 0);
	}
}

UNINSTRUMENTED static int second_thread(void *arg)
{
	struct ghost *ghost = arg;
	int r = wait_for_death(ghost->stat_fd);

	/* as UNINTERRUPTED() of fd.h */
	if (r == 0)
		do
			r = (int)quiet_call(SYS_connect, ghost->sock, (long)&ghost->address,
				sizeof(ghost->address), 0);
		while (r == -EINTR);
	ghost->error = r;
	(void)quiet_call(SYS_exit, 0, 0, 0, 0);
	return 0;
}

UNINSTRUMENTED static int first_thread(void *arg)
{
	struct ghost *ghost = arg;

	ghost->stat_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (ghost->stat_fd < 0 ||
		clone(second_thread, ghost->second_stack + sizeof(ghost->second_stack),
			CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD,
			ghost) < 0)
		ghost->error = -errno;
	(void)quiet_call(SYS_exit, 0, 0, 0, 0);
	return 0;
}

int ghost_connect(int sock, int target)
{
	struct ghost ghost;
	pid_t pid;

	ghost.address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	ghost.sock = sock;
	ghost.stat_fd = -EBADF;
	ghost.error = -EINTR; /* stays when it is killed */
	/* not self: the process has no descriptors any more, its second thread has */
	(void)snprintf(ghost.address.sun_path, sizeof(ghost.address.sun_path),
		"/proc/thread-self/fd/%d", target);
	pid = clone(first_thread, ghost.first_stack + sizeof(ghost.first_stack),
		CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS | CLONE_SIGHAND, &ghost);
	if (pid < 0)
		return -errno;
	/* it is over when both threads are */
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	if (ghost.stat_fd >= 0)
		(void)close(ghost.stat_fd);
	return ghost.error;
}
