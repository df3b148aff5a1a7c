/* SPDX-License-Identifier: MIT */

#include "helper.h"

#include "../program.h"
#include "cleanup.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_up(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions, int fd)
{
	sigset_t all, none;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigdefault(attributes, &all);
	(void)posix_spawnattr_setsigmask(attributes, &none);
	(void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	/* to itself, too: it loses O_CLOEXEC by that */
	return fd < 0 ? 0 : -posix_spawn_file_actions_adddup2(actions, fd, HELPER_FD);
}

int helper_start(const char *program, char *const *argv, int fd)
{
	_cleanup_free_ char *path = NULL;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int r = program_find(program, &path);

	if (r < 0)
		return r;
	r = -posix_spawnattr_init(&attributes);
	if (r < 0)
		return r;
	r = -posix_spawn_file_actions_init(&actions);
	if (r >= 0) {
		r = set_up(&attributes, &actions, fd);
		if (r >= 0)
			r = -posix_spawn(&pid, path, &actions, &attributes, argv, environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)posix_spawnattr_destroy(&attributes);
	if (r < 0)
		return r;
	r = pidfd_open(pid, 0);
	return r < 0 ? -errno : r;
}

int helper_signal(int pidfd)
{
	siginfo_t info = {};

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return 0;
	return info.si_pid == 0 || info.si_code == CLD_EXITED ? 0 : info.si_status;
}

int helper_reap(int pidfd)
{
	siginfo_t info;
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 ? -errno : 0;
	while (r == -EINTR);
	(void)close(pidfd);
	if (r < 0)
		return r;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
