/* SPDX-License-Identifier: MIT */
#include "spawn.h"

#include "cleanup.h"
#include "syscalls.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * Theory of operation
 *
 * fork() copies page tables and every descriptor: with thousands of sessions that is milliseconds.
 * Here the child shares the agent's memory (CLONE_VM, the agent waits: CLONE_VFORK) and its
 * descriptor table (CLONE_FILES), is born in the session's cgroup (CLONE_INTO_CGROUP: moving a
 * process later costs milliseconds), and leaves the shared table by
 * close_range(CLOSE_RANGE_UNSHARE), which copies only what lies below its first argument. So that
 * the session's descriptors do lie there, three low numbers are kept from the start (stage[]); the
 * parent puts the session's stdio on them before the clone and takes it off after it.
 *
 * The child runs on a stack of its own, with every signal blocked and every handler cleared by the
 * kernel, and makes system calls only: no allocation, no locks, nothing that a sanitizer
 * instruments (the frames of a child that execs are never left, and would stay poisoned). Errors
 * come back through a shared page.
 *
 * Where we know no assembly the child gets a copy of the memory instead; all else stays the same.
 */

#define STACK_SIZE (64 * 1024)

#define UNINSTRUMENTED __attribute__((no_sanitize("address", "undefined")))

struct spawn_report {
	int error;
	const char *step;
};

struct child {
	const struct spawn_request *request;
	const struct spawner *spawner;
	unsigned int keep; /* descriptors from here on are not the session's */
};

int spawner_init(struct spawner *spawner)
{
	*spawner = SPAWNER_NULL;
	if (getrlimit(RLIMIT_NOFILE, &spawner->nofile) < 0)
		return -errno;
	spawner->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (spawner->null_fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(spawner->stage); i++) {
		spawner->stage[i] = fcntl(spawner->null_fd, F_DUPFD_CLOEXEC, 3);
		if (spawner->stage[i] < 0)
			goto fail;
	}
	spawner->report = mmap(NULL, sizeof(*spawner->report), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (spawner->report == MAP_FAILED) {
		spawner->report = NULL;
		goto fail;
	}
	spawner->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (spawner->stack == MAP_FAILED) {
		spawner->stack = NULL;
		goto fail;
	}
	return 0;
fail:;
	int r = -errno;

	spawner_done(spawner);
	return r;
}

void spawner_done(struct spawner *spawner)
{
	close_fdp(&spawner->null_fd);
	for (size_t i = 0; i < ARRAY_SIZE(spawner->stage); i++)
		close_fdp(&spawner->stage[i]);
	if (spawner->stack)
		(void)munmap(spawner->stack, STACK_SIZE);
	if (spawner->report)
		(void)munmap(spawner->report, sizeof(*spawner->report));
	*spawner = SPAWNER_NULL;
}

UNINSTRUMENTED _Noreturn static void child_fail(const struct child *child, const char *step)
{
	child->spawner->report->step = step;
	child->spawner->report->error = errno;
	for (;;)
		(void)syscall(SYS_exit_group, 127);
}

/* Ignored signals survive an exec and CLONE_CLEAR_SIGHAND: SIGPIPE above all must not. */
UNINSTRUMENTED static void child_reset_signals(void)
{
	/* all zeroes is SIG_DFL, without flags or mask, in every architecture's layout */
	static const char default_action[128];

	for (int sig = 1; sig < _NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, default_action, NULL, _NSIG / 8);
}

UNINSTRUMENTED static int child_main(void *arg)
{
	const struct child *child = arg;
	const struct spawn_request *request = child->request;
	const uint64_t no_signals = 0;

	if (syscall(SYS_close_range, child->keep, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		child_fail(child, "cannot leave the agent's descriptors");
	for (int i = 0; i < 3; i++)
		if (syscall(SYS_dup3, child->spawner->stage[i], i, 0) < 0)
			child_fail(child, "cannot place its input and output");
	if (syscall(SYS_close_range, 3U, ~0U, 0) < 0)
		child_fail(child, "cannot close the agent's descriptors");
	child_reset_signals();
	if (syscall(SYS_setsid) < 0)
		child_fail(child, "cannot start a session");
	if (request->tty && syscall(SYS_ioctl, 0, TIOCSCTTY, 0) < 0)
		child_fail(child, "cannot take its terminal");
	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &child->spawner->nofile, NULL) < 0)
		child_fail(child, "cannot set its limit of descriptors");
	(void)syscall(SYS_umask, 022);
	if (syscall(SYS_chdir, request->cwd) < 0 && syscall(SYS_chdir, "/") < 0)
		child_fail(child, "cannot enter its directory");
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof(no_signals));
	(void)syscall(SYS_execve, request->path, request->argv, request->envp);
	child_fail(child, "cannot execute it");
}

/*
 * clone3(2) whose child calls child_main(child) on args' stack. glibc has no wrapper for it, and a
 * child that shares our memory must not return through a frame of ours, hence assembly.
 */
#if defined(__x86_64__)
#define CLONE_SHARES_MEMORY 1
static long clone_child(struct clone_args *args, const struct child *child)
{
	long r;

	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "mov %[child], %%rdi\n\t"
		     "call *%[main]\n\t"
		     "hlt\n"
		     "1:"
		     : "=a"(r)
		     : "a"((long)SYS_clone3), "D"(args),
		     "S"(sizeof(*args)), [child] "r"(child), [main] "r"(child_main)
		     : "rcx", "r11", "memory", "cc");
	return r;
}
#elif defined(__aarch64__)
#define CLONE_SHARES_MEMORY 1
static long clone_child(struct clone_args *args, const struct child *child)
{
	register long x8 asm("x8") = SYS_clone3;
	register long x0 asm("x0") = (long)args;
	register long x1 asm("x1") = sizeof(*args);

	asm volatile("svc #0\n\t"
		     "cbnz x0, 1f\n\t"
		     "mov x0, %[child]\n\t"
		     "blr %[main]\n\t"
		     "brk #1\n"
		     "1:"
		     : "+r"(x0)
		     : "r"(x8), "r"(x1), [child] "r"(child), [main] "r"(child_main)
		     : "memory", "cc");
	return x0;
}
#else
#define CLONE_SHARES_MEMORY 0
static long clone_child(struct clone_args *args, const struct child *child)
{
	long r = syscall(SYS_clone3, args, sizeof(*args));

	if (r == 0)
		(void)child_main((void *)child);
	return r < 0 ? -errno : r;
}
#endif

static long clone_in_cgroup(
	const struct spawner *spawner, const struct child *child, int cgroup_fd, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_VFORK | CLONE_FILES | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};

	if (CLONE_SHARES_MEMORY) {
		args.flags |= CLONE_VM;
		args.stack = (uintptr_t)spawner->stack;
		args.stack_size = STACK_SIZE;
	}
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return clone_child(&args, child);
}

/* Puts the session's stdio (or, with NULL, /dev/null) on the kept descriptors. */
static int set_stage(struct spawner *spawner, const int *stdio)
{
	for (int i = 0; i < 3; i++)
		if (dup3(stdio ? stdio[i] : spawner->null_fd, spawner->stage[i], O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static int reap_failed(int pidfd)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int spawn(struct spawner *spawner, const struct spawn_request *request, pid_t *ret_pid,
	int *ret_pidfd, const char **ret_step)
{
	_cleanup_close_ int pidfd = -EBADF;
	struct child child = { .request = request, .spawner = spawner };
	const char *step = "cannot create a process";
	sigset_t all, before;
	long pid = -EAGAIN;
	int r;

	for (int i = 0; i < 3; i++)
		if ((unsigned int)spawner->stage[i] >= child.keep)
			child.keep = (unsigned int)spawner->stage[i] + 1;
	*spawner->report = (struct spawn_report){};
	r = set_stage(spawner, request->stdio);
	if (r == 0) {
		/* none of our handlers may run in the child: it has our memory */
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_SETMASK, &all, &before);
		pid = clone_in_cgroup(spawner, &child, request->cgroup_fd, &pidfd);
		if (pid < 0 && request->cgroup_fd >= 0 && pid != -EAGAIN && pid != -ENOMEM)
			/* the cgroup is gone or can't hold processes: better none than no session
			 */
			pid = clone_in_cgroup(spawner, &child, -EBADF, &pidfd);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		r = pid < 0 ? (int)pid : 0;
	}
	(void)set_stage(spawner, NULL);
	if (r == 0 && spawner->report->step) {
		step = spawner->report->step;
		r = -spawner->report->error;
		(void)reap_failed(pidfd);
	}
	if (r < 0) {
		if (ret_step)
			*ret_step = step;
		return r;
	}
	*ret_pid = (pid_t)pid;
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}
