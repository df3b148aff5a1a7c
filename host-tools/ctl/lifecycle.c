/* SPDX-License-Identifier: MIT */
#include "lifecycle.h"

#include "../containers.h"
#include "../launcher-status.h"
#include "cleanup.h"
#include "journal.h"
#include "log.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>

/* Longer than the launcher waits for its guest before it kills it. */
#define FOREGROUND_DEADLINE_MS 100000
/* Between requests to stop, when it is to stop at once: two signals in a row would become one. */
#define HURRY_MS 200
/* A launcher that has not obeyed for so long is killed itself. */
#define HURRY_TIMES 50
#define EXPLAIN_LINES 12

int runner_find(
	sd_bus *bus, const char *verb, const char *container, enum runner *ret, int *ret_launcher)
{
	_cleanup_(launcher_status_done) struct launcher_status status = LAUNCHER_STATUS_NULL;
	struct unit_state unit = {};
	int r;

	if (ret_launcher)
		*ret_launcher = -EBADF;
	if (bus) {
		r = unit_get_state(bus, container, &unit);
		if (r < 0)
			return log_errno(
				r, "%s: systemd says nothing of container '%s'", verb, container);
		if (unit.active[0] && strcmp(unit.active, "inactive") != 0 &&
			strcmp(unit.active, "failed") != 0) {
			*ret = RUNNER_UNIT;
			return 0;
		}
	}
	r = launcher_ask(container, &status);
	if (r == -ENOENT) {
		*ret = RUNNER_NONE;
		return 0;
	}
	if (r == -EACCES) {
		*ret = RUNNER_UNKNOWN;
		return 0;
	}
	if (r < 0)
		return log_errno(
			r, "%s: the launcher of container '%s' doesn't answer", verb, container);
	*ret = RUNNER_FOREGROUND;
	if (ret_launcher)
		*ret_launcher = TAKE_FD(status.launcher_fd);
	return 0;
}

/* --- starting ------------------------------------------------------------------------------ */

/* What the unit has said since it was told to start. */
static void show_last_words(const char *container, uint64_t since_usec)
{
	char unit[UNIT_NAME_SIZE];

	unit_name(container, unit);
	journal_sync();
	(void)fflush(stdout);
	(void)journal_show(
		&(struct journal_query){
			.unit = unit,
			.since_usec = since_usec,
			.last = true,
			.lines = EXPLAIN_LINES,
			.prefix = "  ",
		},
		stderr);
}

static void explain_failure(
	sd_bus *bus, const char *verb, const struct unit_job *job, uint64_t since_usec)
{
	struct unit_state state = {};
	const char *name = job->container;

	if (unit_get_state(bus, name, &state) < 0)
		return;
	if (strcmp(job->result, "canceled") == 0)
		log_error("%s: container '%s' was stopped by somebody else meanwhile", verb, name);
	else if (strcmp(job->result, "dependency") == 0)
		log_error("%s: a unit that container '%s' needs has failed: see 'systemctl "
			  "list-dependencies container-%s'",
			verb, name, name);
	else if (strcmp(job->result, "timeout") == 0 || strcmp(state.result, "timeout") == 0)
		log_error("%s: container '%s' was not up in time; its last words:", verb, name);
	else if (strcmp(state.result, "exit-code") == 0)
		log_error("%s: container '%s' failed (status %d):", verb, name, state.main_status);
	else if (strcmp(state.result, "start-limit-hit") == 0)
		log_error("%s: container '%s' was started too often in a short time: try again in "
			  "a minute, or 'systemctl reset-failed container-%s'",
			verb, name, name);
	else
		log_error("%s: container '%s' failed (%s):", verb, name,
			state.result[0] ? state.result : job->result);
	show_last_words(name, since_usec);
	if (strcmp(state.sub, "auto-restart") == 0)
		log_error("%s: systemd goes on trying; 'narthex stop %s' ends that", verb, name);
}

/* Whether it may be started. Logs. */
static int prepare_start(sd_bus *bus, const char *verb, const char *name, bool *reload)
{
	struct unit_state state;
	enum runner runner;
	int r;

	if (!container_is_known(verb, name))
		return -ENOENT;
	r = runner_find(bus, verb, name, &runner, NULL);
	if (r < 0)
		return r;
	if (runner == RUNNER_FOREGROUND) {
		log_error("%s: container '%s' runs in the foreground: stop it first", verb, name);
		return -EBUSY;
	}
	if (!container_is_configured(name)) {
		log_error("%s: container '%s' has no configuration any more", verb, name);
		return -ENOENT;
	}
	if (runner == RUNNER_UNIT && strcmp(verb, "start") == 0)
		log_info("container '%s' is already running", name);
	r = unit_get_state(bus, name, &state);
	if (r < 0)
		return bus_log_error(verb, name, &SD_BUS_ERROR_NULL, r);
	if (state.need_reload || strcmp(state.load, "loaded") != 0)
		*reload = true;
	return 0;
}

int containers_start(
	sd_bus *bus, const char *verb, const char *method, char *const *containers, size_t n)
{
	_cleanup_free_ struct unit_job *jobs = calloc(n, sizeof(*jobs));
	bool failed = false, reload = false;
	struct timespec now;
	uint64_t since_usec;
	int r;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	since_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	if (!jobs)
		return log_errno(-ENOMEM, "%s", verb);
	for (size_t i = 0; i < n; i++) {
		r = prepare_start(bus, verb, containers[i], &reload);
		if (r < 0)
			return r;
		jobs[i].container = containers[i];
	}
	if (reload && geteuid() == 0 && bus_reload(bus) < 0)
		return -EIO;
	r = units_run(bus, verb, method, jobs, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(jobs[i].result, "done") == 0)
			continue;
		failed = true;
		if (jobs[i].result[0])
			explain_failure(bus, verb, &jobs[i], since_usec);
	}
	return failed ? -EIO : 0;
}

/* --- stopping ------------------------------------------------------------------------------ */

/* Waits until a process has ended. 0 or -ETIME. */
static int wait_for_end(int pidfd, int timeout_ms)
{
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : r < 0 ? -errno : -ETIME;
}

static int stop_foreground(const char *verb, const char *container, int launcher, bool at_once)
{
	int r = -ETIME;

	if (launcher < 0) {
		log_error("%s: this kernel doesn't tell which process runs container '%s' (Linux "
			  "6.5 does): end its 'narthex run' yourself",
			verb, container);
		return -EOPNOTSUPP;
	}
	/* the second request means: at once (narthex-launch(8), "Signals") */
	for (int i = 0; r == -ETIME && i < (at_once ? HURRY_TIMES : 1); i++) {
		if (pidfd_send_signal(launcher, SIGTERM, NULL, 0) < 0)
			return errno == ESRCH ? 0
					      : log_errno(-errno, "%s: cannot stop container '%s'",
							verb, container);
		r = wait_for_end(launcher, at_once ? HURRY_MS : FOREGROUND_DEADLINE_MS);
	}
	return r < 0 ? log_errno(r, "%s: container '%s' has not stopped", verb, container) : 0;
}

static bool has_ended(sd_bus *bus, const char *container)
{
	struct unit_state state;

	return unit_get_state(bus, container, &state) >= 0 &&
	       (strcmp(state.active, "inactive") == 0 || strcmp(state.active, "failed") == 0);
}

/*
 * Stop jobs keep systemd from starting the unit again, whatever its end looks like. The launcher
 * takes a repeated request for "at once" and cleans up behind its guest.
 */
static int kill_unit(sd_bus *bus, const char *verb, const char *container)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	char unit[UNIT_NAME_SIZE];
	int r;

	unit_name(container, unit);
	r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
		"org.freedesktop.systemd1.Manager", "StopUnit", &error, NULL, "ss", unit,
		"replace");
	if (r < 0)
		bus_log_error(verb, container, &error, r);
	sd_bus_error_free(&error);
	for (int i = 0; r >= 0 && !has_ended(bus, container); i++) {
		static const struct timespec pause = { .tv_nsec = HURRY_MS * 1000000L };

		(void)unit_signal_launcher(bus, container, i < HURRY_TIMES ? SIGTERM : SIGKILL);
		if (i > 2 * HURRY_TIMES)
			return log_errno(
				-ETIME, "%s: container '%s' has not ended", verb, container);
		(void)nanosleep(&pause, NULL);
	}
	return r < 0 ? r : 0;
}

/* Stops one container, unless it is a unit that is to be asked: *ret_ask. */
static int stop_one(
	sd_bus *bus, const char *verb, const char *container, bool at_once, bool *ret_ask)
{
	_cleanup_close_ int launcher = -EBADF;
	enum runner runner = RUNNER_NONE;
	int r = runner_find(bus, verb, container, &runner, &launcher);

	if (r < 0)
		return r;
	if (runner == RUNNER_UNKNOWN) {
		log_error("%s: no permission for container '%s': become root", verb, container);
		return -EACCES;
	}
	if (runner == RUNNER_NONE)
		log_info("container '%s' is not running", container);
	if (runner == RUNNER_FOREGROUND)
		return stop_foreground(verb, container, launcher, at_once);
	if (runner == RUNNER_UNIT && at_once)
		return kill_unit(bus, verb, container);
	*ret_ask = runner == RUNNER_UNIT;
	return 0;
}

int containers_stop(sd_bus *bus, const char *verb, char *const *containers, size_t n, bool at_once)
{
	_cleanup_free_ struct unit_job *jobs = calloc(n, sizeof(*jobs));
	int r, first_error = jobs ? 0 : log_errno(-ENOMEM, "%s", verb);
	size_t asked = 0;

	for (size_t i = 0; jobs && i < n; i++) {
		bool ask = false;

		r = stop_one(bus, verb, containers[i], at_once, &ask);
		if (ask)
			jobs[asked++].container = containers[i];
		first_error = first_error ?: r;
	}
	r = asked > 0 ? units_run(bus, verb, "StopUnit", jobs, asked) : 0;
	first_error = first_error ?: r;
	for (size_t i = 0; r == 0 && i < asked; i++) {
		if (strcmp(jobs[i].result, "done") == 0)
			continue;
		first_error = first_error ?: -EIO;
		if (jobs[i].result[0])
			log_error("%s: container '%s' has not stopped (%s)", verb,
				jobs[i].container, jobs[i].result);
	}
	return first_error;
}
