/* SPDX-License-Identifier: MIT */
#include "spawn.h"

#include "cleanup.h"
#include "syscalls.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
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
 * While the agent waits for the exec it may be killed, and on a busy machine that wait is long. So
 * the child's first act is the message with which the session is kept (struct spawn_first).
 *
 * Where we know no assembly the child gets a copy of the memory instead; all else stays the same.
 *
 * While a vfork child is on its way the agent stands still, and whoever can stop the child stops
 * the agent: a user whose uid it has already (SIGSTOP can't be blocked), a directory or a program
 * on a file system whose server doesn't answer. spawn_apart() is for these: its child has a copy of
 * memory and descriptors and reports through a pipe that its exec closes.
 */

#define STACK_SIZE (64 * 1024)

/* where there is assembly, clone_child() */
#if defined(__x86_64__) || defined(__aarch64__)
#define CLONE_SHARES_MEMORY 1
#else
#define CLONE_SHARES_MEMORY 0
#endif

#define UNINSTRUMENTED __attribute__((no_sanitize("address", "undefined")))

enum { STAGE_STDIO = 3, STAGE_REPORT = STAGE_STDIO };

struct spawn_report {
	int error;
	enum spawn_step step; /* 0: none */
};

struct child {
	const struct spawn_request *request;
	const struct spawner *spawner;
	unsigned int keep; /* descriptors from here on are not the session's */
	bool apart;
};

const char *spawn_step_text(enum spawn_step step)
{
	static const char *const texts[] = {
		[SPAWN_PROCESS] = "cannot create a process",
		[SPAWN_DESCRIPTORS] = "cannot place its descriptors",
		[SPAWN_SESSION] = "cannot start a session",
		[SPAWN_TERMINAL] = "cannot take its terminal",
		[SPAWN_LIMIT] = "cannot set its limit of descriptors",
		[SPAWN_IDENTITY] = "cannot become its user",
		[SPAWN_DIRECTORY] = "cannot enter its directory",
		[SPAWN_PROGRAM] = "cannot execute it",
	};

	return texts[step];
}

static uint64_t ignored_signals(void)
{
	/* The kernel's layout begins with the handler on every architecture. Not sigaction(3): it
	 * refuses the two that threads use inside the C library. */
	unsigned long action[4];
	uint64_t ignored = 0;

	for (int sig = 1; sig < _NSIG; sig++)
		if (syscall(SYS_rt_sigaction, sig, NULL, action, (size_t)_NSIG / 8) == 0 &&
			action[0] == (unsigned long)SIG_IGN)
			ignored |= UINT64_C(1) << (sig - 1);
	return ignored;
}

int spawner_init(struct spawner *spawner)
{
	*spawner = SPAWNER_NULL;
	spawner->ignored = ignored_signals();
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

void spawner_settle(struct spawner *spawner)
{
	for (size_t i = 0; i < ARRAY_SIZE(spawner->stage); i++) {
		_cleanup_close_ int lower = fcntl(spawner->null_fd, F_DUPFD_CLOEXEC, 3);

		if (lower < 0 || lower > spawner->stage[i])
			continue;
		close_fdp(&spawner->stage[i]);
		spawner->stage[i] = TAKE_FD(lower);
	}
}

UNINSTRUMENTED _Noreturn static void child_fail(const struct child *child, enum spawn_step step)
{
	const struct spawn_report report = { .error = errno, .step = step };

	if (child->apart)
		(void)syscall(
			SYS_write, child->spawner->stage[STAGE_REPORT], &report, sizeof(report));
	else
		*child->spawner->report = report;
	for (;;)
		(void)syscall(SYS_exit_group, 127);
}

/* Ignored signals survive an exec and CLONE_CLEAR_SIGHAND: SIGPIPE above all must not. */
UNINSTRUMENTED static void child_reset_signals(uint64_t ignored)
{
	/* all zeroes is SIG_DFL, without flags or mask, in every architecture's layout */
	static const char default_action[128];

	for (int sig = 1; ignored != 0; sig++, ignored >>= 1)
		if (ignored & 1)
			(void)syscall(SYS_rt_sigaction, sig, default_action, NULL, _NSIG / 8);
}

UNINSTRUMENTED static void child_take_descriptors(const struct child *child)
{
	const int *stage = child->spawner->stage;

	if (syscall(SYS_close_range, child->keep, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		child_fail(child, SPAWN_DESCRIPTORS);
	for (int i = 0; i < STAGE_STDIO; i++)
		if (syscall(SYS_dup3, stage[i], i, 0) < 0)
			child_fail(child, SPAWN_DESCRIPTORS);
	/* the report's is needed until the exec; among the low ones there may be some without it */
	if (syscall(SYS_close_range, 3U, ~0U, child->apart ? CLOSE_RANGE_CLOEXEC : 0U) < 0)
		child_fail(child, SPAWN_DESCRIPTORS);
}

/* glibc's functions would do this in every thread; these are for the child alone. */
UNINSTRUMENTED static bool child_become(const struct spawn_identity *identity)
{
	return syscall(SYS_setgroups, identity->n_groups, identity->groups) == 0 &&
	       syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) == 0 &&
	       syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid) == 0;
}

/* What of several failures is told: that a program is there but can't be executed, if so. */
UNINSTRUMENTED static void child_execute(const struct spawn_request *request)
{
	int error = ENOENT;

	if (!request->paths) {
		(void)syscall(SYS_execve, request->path, request->argv, request->envp);
		return;
	}
	for (size_t i = 0; request->paths[i]; i++) {
		(void)syscall(SYS_execve, request->paths[i], request->argv, request->envp);
		if (errno == EACCES)
			error = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG &&
			 errno != ELOOP)
			return;
	}
	errno = error;
}

/* Before the descriptors are gone. */
UNINSTRUMENTED static void child_send_first(struct spawn_first *first)
{
	*first->pid = (int)syscall(SYS_getpid);
	first->sent =
		syscall(SYS_sendmsg, first->fd, first->message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

UNINSTRUMENTED static int child_main(void *arg)
{
	const struct child *child = arg;
	const struct spawn_request *request = child->request;
	const uint64_t no_signals = 0;

	if (CLONE_SHARES_MEMORY && request->first && !child->apart)
		child_send_first(request->first);
	child_take_descriptors(child);
	child_reset_signals(child->spawner->ignored);
	if (syscall(SYS_setsid) < 0)
		child_fail(child, SPAWN_SESSION);
	if (request->tty && syscall(SYS_ioctl, 0, TIOCSCTTY, 0) < 0)
		child_fail(child, SPAWN_TERMINAL);
	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &child->spawner->nofile, NULL) < 0)
		child_fail(child, SPAWN_LIMIT);
	(void)syscall(SYS_umask, 022);
	if (request->identity && !child_become(request->identity))
		child_fail(child, SPAWN_IDENTITY);
	if (syscall(SYS_chdir, request->cwd) < 0 &&
		(request->cwd_only || syscall(SYS_chdir, "/") < 0))
		child_fail(child, SPAWN_DIRECTORY);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof(no_signals));
	child_execute(request);
	child_fail(child, SPAWN_PROGRAM);
}

/*
 * clone3(2) whose child calls child_main(child) on args' stack. glibc has no wrapper for it, and a
 * child that shares our memory must not return through a frame of ours, hence assembly.
 */
#if defined(__x86_64__)
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
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};

	if (!child->apart)
		args.flags |= CLONE_VFORK | CLONE_FILES;
	if (CLONE_SHARES_MEMORY) {
		args.flags |= child->apart ? 0 : CLONE_VM;
		args.stack = (uintptr_t)spawner->stack;
		args.stack_size = STACK_SIZE;
	}
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return clone_child(&args, child);
}

/* Puts the session's stdio and report (or, with NULL, /dev/null) on the kept descriptors. */
static int set_stage(struct spawner *spawner, const int *stdio, int report)
{
	for (int i = 0; i < STAGE_STDIO; i++)
		if (dup3(stdio ? stdio[i] : spawner->null_fd, spawner->stage[i], O_CLOEXEC) < 0)
			return -errno;
	if (report >= 0 && dup3(report, spawner->stage[STAGE_REPORT], O_CLOEXEC) < 0)
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

/* The child's pid, or -errno. */
static long create(struct spawner *spawner, struct child *child, int *ret_pidfd)
{
	int cgroup_fd = child->request->cgroup_fd;
	sigset_t all, before;
	long pid;

	for (size_t i = 0; i < ARRAY_SIZE(spawner->stage); i++)
		if ((unsigned int)spawner->stage[i] >= child->keep)
			child->keep = (unsigned int)spawner->stage[i] + 1;
	/* none of our handlers may run in the child: it has our memory */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone_in_cgroup(spawner, child, cgroup_fd, ret_pidfd);
	if (pid < 0 && cgroup_fd >= 0 && pid != -EAGAIN && pid != -ENOMEM)
		/* the cgroup is gone or can't hold processes: better none than no session */
		pid = clone_in_cgroup(spawner, child, -EBADF, ret_pidfd);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int spawn(struct spawner *spawner, const struct spawn_request *request, pid_t *ret_pid,
	int *ret_pidfd, enum spawn_step *ret_step)
{
	_cleanup_close_ int pidfd = -EBADF;
	struct child child = { .request = request, .spawner = spawner };
	enum spawn_step step = SPAWN_PROCESS;
	long pid = -EAGAIN;
	int r;

	*spawner->report = (struct spawn_report){};
	r = set_stage(spawner, request->stdio, -EBADF);
	if (r < 0) {
		step = SPAWN_DESCRIPTORS;
	} else {
		/* the kernel puts it where the child needs it */
		pid = create(spawner, &child, request->first ? request->first->pidfd : &pidfd);
		r = pid < 0 ? (int)pid : 0;
		if (request->first && r == 0) {
			pidfd = *request->first->pidfd;
			*request->first->pid = (int)pid;
		}
	}
	(void)set_stage(spawner, NULL, -EBADF);
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

int spawn_apart(struct spawner *spawner, const struct spawn_request *request, pid_t *ret_pid,
	int *ret_pidfd, int *ret_report, enum spawn_step *ret_step)
{
	_cleanup_close_ int pidfd = -EBADF, read_end = -EBADF, write_end = -EBADF;
	struct child child = { .request = request, .spawner = spawner, .apart = true };
	int r, fds[2];
	long pid;

	if (ret_step)
		*ret_step = SPAWN_PROCESS;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_end = fds[0];
	write_end = fds[1];
	r = set_stage(spawner, request->stdio, write_end);
	if (r < 0 && ret_step)
		*ret_step = SPAWN_DESCRIPTORS;
	pid = r < 0 ? r : create(spawner, &child, &pidfd);
	(void)set_stage(spawner, NULL, spawner->null_fd);
	if (pid < 0)
		return (int)pid;
	*ret_pid = (pid_t)pid;
	*ret_pidfd = TAKE_FD(pidfd);
	*ret_report = TAKE_FD(read_end);
	return 0;
}

int spawn_outcome(int report, enum spawn_step *ret_step)
{
	struct pollfd readable = { .fd = report, .events = POLLIN };
	struct spawn_report told;
	ssize_t n;

	if (poll(&readable, 1, 0) == 0)
		return -EINPROGRESS;
	n = read(report, &told, sizeof(told));
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(told))
		return 0;
	if (ret_step)
		*ret_step = told.step;
	return -told.error;
}
