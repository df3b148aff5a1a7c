/* SPDX-License-Identifier: MIT */

/*
 * root talks to systemd at its private socket, as systemctl does, so that hosts without dbus-daemon
 * are served, too; others need the bus, where polkit decides about them. The two differ: on the
 * private connection there are no sender names, and every client gets all signals without asking.
 */

#include "bus.h"

#include "../config/config.h"
#include "cleanup.h"
#include "escape.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define UNIT "org.freedesktop.systemd1.Unit"
#define SERVICE "org.freedesktop.systemd1.Service"
#define PRIVATE_ADDRESS "unix:path=/run/systemd/private"
#define RELOAD_USEC (180 * UINT64_C(1000000)) /* a big host's takes longer than sd-bus waits */
#define GENERATED "/run/systemd/generator"

void unit_name(const char *container, char ret[UNIT_NAME_SIZE])
{
	(void)snprintf(ret, UNIT_NAME_SIZE, "container-%s.service", container);
}

static void copy(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
}

/* --- the connection ------------------------------------------------------------------------ */

bool bus_is_possible(void)
{
	return sd_booted() > 0;
}

static int open_private(sd_bus **ret)
{
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_bus_set_address(bus, PRIVATE_ADDRESS);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

static int open_public(sd_bus **ret)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		return r;
	(void)sd_bus_set_allow_interactive_authorization(bus, 1);
	r = sd_bus_call_method(
		bus, DESTINATION, MANAGER_PATH, MANAGER, "Subscribe", &error, NULL, NULL);
	sd_bus_error_free(&error);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

int bus_open(sd_bus **ret)
{
	int r;

	if (!bus_is_possible()) {
		log_error("systemd is not PID 1 of this host: only 'narthex run' works here");
		return -EOPNOTSUPP;
	}
	r = geteuid() == 0 ? open_private(ret) : -EACCES;
	if (r < 0)
		r = open_public(ret);
	return r < 0 ? log_errno(r, "cannot talk to systemd") : 0;
}

int bus_log_error(const char *verb, const char *container, const sd_bus_error *error, int r)
{
	char escaped[512];
	const char *text = error->message ?: strerror(-r);

	(void)escape_text(escaped, sizeof(escaped), text, strlen(text));
	if (r == -EACCES || r == -EPERM ||
		sd_bus_error_has_name(
			error, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"))
		log_error("%s: no permission for container '%s': become root (%s)", verb, container,
			escaped);
	else
		log_error("%s: container '%s': %s", verb, container, escaped);
	return r;
}

int bus_reload(sd_bus *bus)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(
		bus, &message, DESTINATION, MANAGER_PATH, MANAGER, "Reload");

	if (r >= 0)
		r = sd_bus_call(bus, message, RELOAD_USEC, &error, NULL);
	sd_bus_message_unref(message);
	if (r < 0)
		log_errno(r, "cannot make systemd read the configuration again: %s",
			error.message ?: "no reason given");
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* --- what systemd knows -------------------------------------------------------------------- */

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
	char *to, size_t size)
{
	_cleanup_free_ char *text = NULL;
	int r = sd_bus_get_property_string(
		bus, DESTINATION, path, interface, property, NULL, &text);

	if (r >= 0)
		copy(to, size, text);
	return r;
}

/* By its ctime: what has been moved or copied there can have an older mtime. */
static bool is_newer(int dir_fd, const char *path, const struct stat *unit)
{
	const struct timespec *a, *b = &unit->st_mtim;
	struct stat st;

	if (fstatat(dir_fd, path, &st, 0) < 0)
		return false;
	a = &st.st_ctim;
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec >= b->tv_nsec;
}

/* Whether something has been written, added or removed since the generator made the unit: systemd
 * itself looks at NAME.conf only, and not at its drop-ins. */
static bool configuration_is_newer(const char *container)
{
	char unit[UNIT_NAME_SIZE], path[sizeof(GENERATED) + UNIT_NAME_SIZE];
	char conf[sizeof(CONFIG_DIR) + UNIT_NAME_SIZE];
	const struct dirent *entry;
	bool newer = false;
	struct stat st;
	DIR *dir;

	unit_name(container, unit);
	(void)snprintf(path, sizeof(path), GENERATED "/%s", unit);
	if (stat(path, &st) < 0)
		return false;
	(void)snprintf(conf, sizeof(conf), CONFIG_DIR "/%s.conf", container);
	if (is_newer(AT_FDCWD, conf, &st))
		return true;
	(void)snprintf(conf, sizeof(conf), CONFIG_DIR "/%s.conf.d", container);
	dir = opendir(conf);
	if (!dir) /* it may have been removed, among other things */
		return errno == ENOENT && is_newer(AT_FDCWD, CONFIG_DIR, &st);
	while (!newer && (entry = readdir(dir)))
		if (strcmp(entry->d_name, "..") != 0)
			newer = is_newer(dirfd(dir), entry->d_name, &st);
	(void)closedir(dir);
	return newer;
}

static int read_state(sd_bus *bus, const char *path, struct unit_state *state)
{
	int need_reload = 0;
	int r = get_text(bus, path, UNIT, "LoadState", state->load, sizeof(state->load));

	if (r >= 0)
		r = get_text(bus, path, UNIT, "ActiveState", state->active, sizeof(state->active));
	if (r >= 0)
		r = get_text(bus, path, UNIT, "SubState", state->sub, sizeof(state->sub));
	if (r >= 0)
		r = sd_bus_get_property_trivial(
			bus, DESTINATION, path, UNIT, "NeedDaemonReload", NULL, 'b', &need_reload);
	state->need_reload = need_reload != 0;
	if (r >= 0)
		r = get_text(bus, path, SERVICE, "Result", state->result, sizeof(state->result));
	if (r >= 0)
		r = sd_bus_get_property_trivial(bus, DESTINATION, path, SERVICE, "ExecMainStatus",
			NULL, 'i', &state->main_status);
	if (r >= 0)
		r = sd_bus_get_property_trivial(
			bus, DESTINATION, path, SERVICE, "MainPID", NULL, 'u', &state->main_pid);
	return r;
}

int unit_get_state(sd_bus *bus, const char *container, struct unit_state *ret)
{
	struct unit_state state = {};
	sd_bus_message *reply = NULL;
	char unit[UNIT_NAME_SIZE];
	const char *path;
	int r;

	unit_name(container, unit);
	r = sd_bus_call_method(
		bus, DESTINATION, MANAGER_PATH, MANAGER, "LoadUnit", NULL, &reply, "s", unit);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		r = read_state(bus, path, &state);
	if (r >= 0 && configuration_is_newer(container))
		state.need_reload = true;
	sd_bus_message_unref(reply);
	if (r >= 0)
		*ret = state;
	return r < 0 ? r : 0;
}

static int read_rows(sd_bus_message *reply, struct unit_row **rows)
{
	const char *name, *description, *load, *active, *sub;
	int r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)"), n = 0;

	while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssssouso)", &name, &description, &load,
				  &active, &sub, NULL, NULL, NULL, NULL, NULL)) > 0) {
		struct unit_row *bigger = reallocarray(*rows, (size_t)n + 1, sizeof(**rows));

		if (!bigger)
			return -ENOMEM;
		*rows = bigger;
		copy(bigger[n].name, sizeof(bigger[n].name), name);
		copy(bigger[n].active, sizeof(bigger[n].active), active);
		copy(bigger[n].sub, sizeof(bigger[n].sub), sub);
		n++;
	}
	return r < 0 ? r : n;
}

int units_list(sd_bus *bus, struct unit_row **ret)
{
	_cleanup_free_ struct unit_row *rows = NULL;
	sd_bus_message *reply = NULL;
	/* no states: all; one pattern */
	int r = sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, "ListUnitsByPatterns",
		NULL, &reply, "asas", 0, 1, "container-*.service");

	if (r >= 0)
		r = read_rows(reply, &rows);
	sd_bus_message_unref(reply);
	if (r >= 0)
		*ret = TAKE_PTR(rows);
	return r;
}

/* --- jobs ---------------------------------------------------------------------------------- */

struct waiting {
	struct unit_job *jobs;
	size_t n, left;
};

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct waiting *waiting = userdata;
	const char *path, *unit, *result;

	(void)error;
	if (sd_bus_message_read(message, "uoss", NULL, &path, &unit, &result) < 0)
		return 0;
	for (size_t i = 0; i < waiting->n; i++) {
		struct unit_job *job = &waiting->jobs[i];

		if (!job->path[0] || job->result[0] || strcmp(job->path, path) != 0)
			continue;
		copy(job->result, sizeof(job->result), result);
		waiting->left--;
	}
	return 0;
}

/* Asks for one job. Logs. */
static int begin_job(sd_bus *bus, const char *verb, const char *method, struct unit_job *job)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	char unit[UNIT_NAME_SIZE];
	const char *path;
	int r;

	unit_name(job->container, unit);
	r = sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, method, &error, &reply,
		"ss", unit, "replace");
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r >= 0)
		copy(job->path, sizeof(job->path), path);
	else
		bus_log_error(verb, job->container, &error, r);
	sd_bus_error_free(&error);
	sd_bus_message_unref(reply);
	return r;
}

int units_run(sd_bus *bus, const char *verb, const char *method, struct unit_job *jobs, size_t n)
{
	struct waiting waiting = { .jobs = jobs, .n = n };
	sd_bus_slot *slot = NULL;
	/* before the first job; no sender: the private connection knows none */
	int r = sd_bus_match_signal(
		bus, &slot, NULL, MANAGER_PATH, MANAGER, "JobRemoved", on_job_removed, &waiting);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (begin_job(bus, verb, method, &jobs[i]) >= 0)
			waiting.left++;
	while (r >= 0 && waiting.left > 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	sd_bus_slot_unref(slot);
	return r < 0 ? log_errno(r, "%s: lost systemd", verb) : 0;
}

int unit_signal_launcher(sd_bus *bus, const char *container, int signal_number)
{
	char unit[UNIT_NAME_SIZE];

	unit_name(container, unit);
	return sd_bus_call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, "KillUnit", NULL, NULL,
		"ssi", unit, "main", signal_number);
}
