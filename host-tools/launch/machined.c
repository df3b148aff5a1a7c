/* SPDX-License-Identifier: MIT */

/*
 * The registration is one call over D-Bus, and D-Bus is a library that the launcher doesn't want to
 * carry for as long as its container runs. So a child does it, in the background, when the guest is
 * up and nobody waits any more. machined itself sees the end of the unit, so nobody has to tell it.
 */

#include "machined.h"

#include "../program.h"
#include "cleanup.h"
#include "guest.h"
#include "log.h"

#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define SYSTEM_BUS "/run/dbus/system_bus_socket"

void machined_stop(struct machined *machined)
{
	siginfo_t info;

	if (machined->ended)
		event_free(TAKE_PTR(machined->ended));
	if (machined->helper_fd >= 0) {
		(void)pidfd_send_signal(machined->helper_fd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)machined->helper_fd, &info, WEXITED);
	}
	close_fdp(&machined->helper_fd);
}

static void on_helper_end(int fd, short what, void *arg)
{
	struct machined *machined = arg;

	(void)fd;
	(void)what;
	machined_stop(machined);
}

/* Returns the child's process id or -errno. */
static pid_t spawn(const char *program, char *const *argv)
{
	posix_spawnattr_t attributes;
	sigset_t all;
	pid_t pid;
	int r = posix_spawnattr_init(&attributes);

	if (r != 0)
		return -r;
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(&pid, program, NULL, &attributes, argv, environ);
	(void)posix_spawnattr_destroy(&attributes);
	return r != 0 ? -r : pid;
}

static int start_helper(const struct launch *launch, pid_t leader)
{
	const struct container_config *config = &launch->config;
	_cleanup_free_ char *program = NULL;
	char pid[16], uuid[33], live_root[PATH_MAX];
	pid_t helper;
	int r = program_find("narthex-ctl", &program);

	if (r < 0)
		return r;
	(void)snprintf(pid, sizeof(pid), "%d", leader);
	(void)snprintf(live_root, sizeof(live_root), RUN_DIR "/%s/root", config->name);
	guest_uuid(config, uuid);
	helper = spawn(program, (char *[]){ "register-machine", config->name, pid, uuid,
					config->ephemeral ? live_root : config->root, NULL });
	if (helper < 0)
		return helper;
	r = pidfd_open(helper, 0);
	return r < 0 ? -errno : r;
}

void machined_register(struct machined *machined, struct event_base *base,
	const struct launch *launch, pid_t leader)
{
	if (machined->boots == launch->boots)
		return;
	machined->boots = launch->boots;
	machined_stop(machined);
	if (!launch->service || access(SYSTEM_BUS, F_OK) < 0)
		return;
	machined->helper_fd = start_helper(launch, leader);
	if (machined->helper_fd < 0) {
		log_errno(machined->helper_fd,
			"cannot register container '%s' with systemd-machined",
			launch->config.name);
		return;
	}
	machined->ended = event_new(base, machined->helper_fd, EV_READ, on_helper_end, machined);
	if (!machined->ended || event_add(machined->ended, NULL) < 0)
		machined_stop(machined);
}
