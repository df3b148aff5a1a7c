/* SPDX-License-Identifier: MIT */

/*
 * narthex reboot. The guest's init is asked by a signal, which no guest needs a bus or a door for;
 * its launcher builds it again in place. Inits that have no signal for it are restarted from
 * outside.
 */

#include "../containers.h"
#include "../launcher-status.h"
#include "cleanup.h"
#include "ctl.h"
#include "lifecycle.h"
#include "log.h"

#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>

/* A guest may take as long to go down as systemd waits for a unit, and as long to come up. */
#define DEADLINE_SEC 180
#define REPEAT_SEC 2

/* 0: there is none */
static int reboot_signal(const char *init)
{
	if (strcmp(init, "systemd") == 0)
		return SIGRTMIN + 5; /* systemd(1): reboot.target */
	if (strcmp(init, "busybox") == 0)
		return SIGTERM;
	return 0;
}

static time_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/*
 * Waits until the guest has been built again and is up. Logs. leader: borrowed. busybox's init can
 * lose a signal that comes just before it waits for a child: repeated_signal is sent to it again.
 */
static int wait_for_boot(const char *name, uint32_t boots, int leader, int repeated_signal)
{
	static const struct timespec pause = { .tv_nsec = 100 * 1000000L };
	time_t end = now() + DEADLINE_SEC, repeat = now() + REPEAT_SEC;

	while (now() < end) {
		_cleanup_(launcher_status_done) struct launcher_status status =
			LAUNCHER_STATUS_NULL;
		int r = launcher_ask(name, &status);

		if (r == -ENOENT) {
			log_error("reboot: container '%s' has ended instead: see 'narthex logs %s'",
				name, name);
			return -EIO;
		}
		if (r == 0 && status.boots > boots && strcmp(status.state, "running") == 0)
			return 0;
		if (repeated_signal > 0 && now() > repeat) {
			(void)pidfd_send_signal(leader, repeated_signal, NULL, 0);
			repeat = now() + REPEAT_SEC;
		}
		(void)nanosleep(&pause, NULL);
	}
	log_error("reboot: container '%s' is not up again after %d s", name, DEADLINE_SEC);
	return -ETIME;
}

/* For inits that know no signal for a reboot. */
static int restart(const char *name)
{
	enum runner runner = RUNNER_NONE;
	sd_bus *bus = NULL;
	int r = bus_open(&bus);

	if (r >= 0)
		r = runner_find(bus, "reboot", name, &runner, NULL);
	if (r >= 0 && runner != RUNNER_UNIT) {
		log_error("reboot: the init of container '%s' can't be asked to, and it runs in "
			  "the foreground: stop it and run it again",
			name);
		r = -EOPNOTSUPP;
	}
	if (r >= 0)
		r = containers_start(bus, "reboot", "RestartUnit", (char *[]){ (char *)name }, 1);
	sd_bus_flush_close_unref(bus);
	return r;
}

int container_reboot(const char *name)
{
	_cleanup_(launcher_status_done) struct launcher_status status = LAUNCHER_STATUS_NULL;
	_cleanup_close_ int leader = -EBADF;
	int r, signal_number = 0;

	if (!container_is_known("reboot", name))
		return -ENOENT;
	r = launcher_ask(name, &status);
	if (r == 0 && (signal_number = reboot_signal(status.init)) == 0)
		return restart(name);
	if (r == 0)
		r = leader = launcher_open_leader(name, &status);
	if (r >= 0 && pidfd_send_signal(leader, signal_number, NULL, 0) < 0)
		r = -errno;
	if (r == -ENOENT || r == -ESRCH)
		log_error("reboot: container '%s' is not running", name);
	else if (r == -EACCES)
		log_error("reboot: no permission for container '%s': become root", name);
	else if (r < 0)
		log_errno(r, "reboot: cannot reach container '%s'", name);
	return r < 0 ? r
		     : wait_for_boot(name, status.boots, leader,
			       strcmp(status.init, "busybox") == 0 ? signal_number : 0);
}

int cmd_reboot(const struct verb *verb, int argc, char **argv)
{
	int first, status = verb_parse(verb, argc, argv, NULL, NULL, &first);

	if (status >= 0)
		return status;
	if (first == argc)
		return verb_usage(verb);
	status = 0;
	for (; first < argc; first++)
		if (container_reboot(argv[first]) < 0)
			status = STATUS_FAILED;
	return status;
}
