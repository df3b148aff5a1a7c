/* SPDX-License-Identifier: MIT */
#include "child.h"

#include "cleanup.h"
#include "clock.h"
#include "interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define TICK_MS 100
#define PATIENCE_MS 10000

/* In the child: becomes the program, or writes -errno to error_fd. */
static _Noreturn void become(const struct child *child, int error_fd)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static const int defaults[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		(void)signal(defaults[i], SIG_DFL);
	/* the directory first: it goes along into the new namespace, a descriptor would not */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0 && setpgid(0, 0) == 0 &&
		(child->cwd_fd < 0 || fchdir(child->cwd_fd) == 0) && unshare(CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
		dup2(child->stdin_fd >= 0 ? child->stdin_fd : null, STDIN_FILENO) >= 0 &&
		dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
		(void)execvp(child->argv[0], child->argv);
	r = -errno;
	(void)!write(error_fd, &r, sizeof(r));
	_exit(127);
}

/* The program has ended, or is killed here; so is what it left to us (we are their subreaper). */
static void kill_orphans(void)
{
	for (;;) {
		_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/children", "re");
		int pid;

		while (f && fscanf(f, "%d", &pid) == 1)
			(void)kill(pid, SIGKILL);
		if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
			return;
	}
}

/* Waits for its end, politely interrupting it when we are interrupted. */
static void wait_for(const struct child *child, pid_t pid, int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	int64_t deadline = 0;

	if (child->progress)
		child->progress(child->userdata);
	while (poll(&ended, 1, TICK_MS) <= 0) {
		if (interrupt_caught() && deadline == 0) {
			deadline = clock_ms() + PATIENCE_MS;
			(void)kill(-pid, SIGTERM);
		}
		if (deadline && clock_ms() > deadline)
			(void)kill(-pid, SIGKILL);
		if (child->progress && !deadline)
			child->progress(child->userdata);
	}
}

int child_run(const struct child *child)
{
	_cleanup_close_ int error_fd = -EBADF, pidfd = -EBADF;
	int pipe_fds[2], status, error = 0;
	siginfo_t info = {};
	pid_t pid;

	if (interrupt_caught())
		return -EINTR;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	error_fd = pipe_fds[0];
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid = fork();
	if (pid == 0)
		become(child, pipe_fds[1]);
	status = -errno;
	(void)close(pipe_fds[1]);
	if (pid < 0)
		return status;
	pidfd = pidfd_open(pid, 0);
	while (read(error_fd, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	/* without one, an interrupt waits for the child's own end */
	if (pidfd >= 0)
		wait_for(child, pid, pidfd);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
		;
	kill_orphans();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	if (error < 0)
		return error;
	if (interrupt_caught())
		return -EINTR;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
