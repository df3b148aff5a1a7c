/* SPDX-License-Identifier: MIT */

/*
 * The registration is one call over D-Bus, and D-Bus is a library that the launcher doesn't want to
 * carry for as long as its container runs. So a child does it, in the background, when the guest is
 * up and nobody waits any more. machined itself sees the end of the unit, so nobody has to tell it.
 */

#include "machined.h"

#include "cleanup.h"
#include "guest.h"
#include "helper.h"
#include "log.h"

#include <limits.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define SYSTEM_BUS "/run/dbus/system_bus_socket"

void machined_stop(struct machined *machined)
{
	if (machined->ended)
		event_free(TAKE_PTR(machined->ended));
	if (machined->helper_fd >= 0) {
		(void)pidfd_send_signal(machined->helper_fd, SIGKILL, NULL, 0);
		(void)helper_reap(TAKE_FD(machined->helper_fd));
	}
}

static void on_helper_end(int fd, short what, void *arg)
{
	struct machined *machined = arg;

	(void)fd;
	(void)what;
	machined_stop(machined);
}

static int start_helper(const struct launch *launch, pid_t leader)
{
	const struct container_config *config = &launch->config;
	char pid[16], uuid[33], live_root[PATH_MAX];

	(void)snprintf(pid, sizeof(pid), "%d", leader);
	(void)snprintf(live_root, sizeof(live_root), RUN_DIR "/%s/root", config->name);
	guest_uuid(config, uuid);
	return helper_start("narthex-ctl",
		(char *[]){ "register-machine", config->name, pid, uuid,
			config_root_is_temporary(config) ? live_root : config->root, NULL },
		-EBADF);
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
