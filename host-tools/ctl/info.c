/* SPDX-License-Identifier: MIT */
#include "info.h"

#include "../containers.h"
#include "../launch/state.h"
#include "../name.h"
#include "cleanup.h"
#include "fd.h"
#include "guest-addresses.h"
#include "log.h"
#include "tree-size.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>

/* A Debian tree takes a twentieth of that with warm caches. */
#define MEASURE_DEADLINE_MS 3000

int info_source_open(struct info_source *ret)
{
	struct info_source source = {};
	sd_bus *bus = NULL;
	int r;

	*ret = source;
	if (!bus_is_possible())
		return 0;
	r = bus_open(&bus);
	if (r < 0)
		return r;
	r = units_list(bus, &source.units);
	sd_bus_flush_close_unref(bus);
	if (r < 0)
		return log_errno(r, "cannot ask systemd for its units");
	source.n_units = (size_t)r;
	*ret = source;
	return 0;
}

void info_source_close(struct info_source *source)
{
	free(source->units);
	*source = (struct info_source){};
}

static const struct unit_row *find_unit(const struct info_source *source, const char *container)
{
	char unit[UNIT_NAME_SIZE];

	unit_name(container, unit);
	for (size_t i = 0; i < source->n_units; i++)
		if (strcmp(source->units[i].name, unit) == 0)
			return &source->units[i];
	return NULL;
}

/* What systemd's word for a unit means for a container. */
static const char *state_of_unit(const struct unit_row *unit)
{
	static const struct {
		const char *active, *state;
	} states[] = {
		{ "active", "running" },
		{ "reloading", "running" },
		{ "activating", "starting" },
		{ "deactivating", "stopping" },
		{ "failed", "failed" },
	};

	if (unit && strcmp(unit->sub, "auto-restart") == 0)
		return "restarting";
	for (size_t i = 0; unit && i < ARRAY_SIZE(states); i++)
		if (strcmp(unit->active, states[i].active) == 0)
			return states[i].state;
	return "stopped";
}

/* --- the container's cgroup ---------------------------------------------------------------- */

/* The payload's cgroup, as the launcher has noted it; root only. */
static int open_cgroup(const char *name)
{
	_cleanup_free_ char *path = NULL, *cgroup = NULL;
	int fd;

	if (asprintf(&path, RUN_DIR "/%s/private/cgroup", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (file_read_all(AT_FDCWD, path, O_NOFOLLOW, PATH_MAX, &cgroup) <= 0)
		return -ENOENT;
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static uint64_t read_memory(int cgroup)
{
	_cleanup_free_ char *text = NULL;

	if (file_read_all(cgroup, "memory.current", 0, 64, &text) <= 0)
		return INFO_UNKNOWN;
	return strtoull(text, NULL, 10);
}

/* --- one container ------------------------------------------------------------------------- */

static void collect_configuration(struct container_info *info)
{
	const struct config_address *addresses[] = {
		&info->config.local_address,
		&info->config.local_address6,
	};

	info->configured = container_is_configured(info->name);
	info->config_usable = info->configured && config_load(info->name, NULL, &info->config) == 0;
	for (size_t i = 0; info->config_usable && i < ARRAY_SIZE(addresses); i++)
		if (addresses[i]->family != 0)
			(void)inet_ntop(addresses[i]->family, &addresses[i]->v4, info->addresses[i],
				sizeof(info->addresses[i]));
}

static void collect_runtime(struct container_info *info)
{
	_cleanup_close_ int cgroup = open_cgroup(info->name);

	if (cgroup >= 0)
		info->memory = read_memory(cgroup);
	/* a single command has no doors */
	info->sessions_known =
		strcmp(info->launcher.init, "command") != 0 &&
		open_sessions_read(info->name, &info->sessions, &info->n_sessions) == 0;
	info->n_kept = kept_list(info->name, info->kept);
}

void info_collect(const struct info_source *source, const char *name, struct container_info *ret)
{
	struct container_info info = {
		.name = name,
		.launcher = LAUNCHER_STATUS_NULL,
		.memory = INFO_UNKNOWN,
		.disk = INFO_UNKNOWN,
		.n_kept = -1,
	};
	const struct unit_row *unit = find_unit(source, name);
	bool unit_is_up;
	int r;

	info.state = state_of_unit(unit);
	unit_is_up = strcmp(info.state, "stopped") != 0 && strcmp(info.state, "failed") != 0;
	collect_configuration(&info);
	r = launcher_ask(name, &info.launcher);
	info.answered = r == 0;
	if (info.answered) {
		info.state = info.launcher.state;
		collect_runtime(&info);
		guest_addresses(name, &info.launcher, info.addresses);
	} else if (r == -EACCES && !unit_is_up) {
		info.state = "running";
	}
	info.foreground = (info.answered || r == -EACCES) && !unit_is_up;
	if (!info.answered && !unit_is_up && info.configured && !info.config_usable)
		info.state = "invalid";
	*ret = info;
	/* the state may be in the copy */
	if (ret->answered)
		ret->state = ret->launcher.state;
}

void info_measure(struct container_info *info)
{
	char path[sizeof(RUN_DIR) + NAME_MAX_LEN + sizeof("/root")];
	const char *root = info->config_usable ? info->config.root : path;
	_cleanup_close_ int fd = -EBADF;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/root", info->name);
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || tree_size(fd, MEASURE_DEADLINE_MS, &info->disk) < 0)
		info->disk = INFO_UNKNOWN;
}

void info_done(struct container_info *info)
{
	if (info->config_usable)
		config_done(&info->config);
	launcher_status_done(&info->launcher);
	free(TAKE_PTR(info->sessions));
}

/* --- showing it ---------------------------------------------------------------------------- */

static void number_or_null(struct json *json, const char *key, bool known, uint64_t number)
{
	if (known)
		json_number(json, key, number);
	else
		json_null(json, key);
}

static void write_launcher(const struct container_info *info, struct json *json)
{
	const struct launcher_status *l = &info->launcher;
	bool known = info->answered;

	json_string(json, "init", known ? l->init : NULL);
	number_or_null(json, "leader", known && l->leader > 0, (uint64_t)l->leader);
	number_or_null(json, "launcher", known, (uint64_t)l->launcher);
	number_or_null(json, "boots", known, l->boots);
	number_or_null(json, "since_usec", known, l->since_usec);
	number_or_null(json, "uid_base", known, l->uid_base);
	number_or_null(json, "uid_count", known, l->uid_count);
}

static void write_sessions(const struct container_info *info, struct json *json)
{
	if (!info->sessions_known) {
		json_null(json, "open_sessions");
		return;
	}
	json_open(json, "open_sessions", '[');
	for (size_t i = 0; i < info->n_sessions; i++) {
		const struct session_record *session = &info->sessions[i];

		json_open(json, NULL, '{');
		json_string(json, "door", session->door);
		json_string(json, "user", session->user[0] ? session->user : NULL);
		json_number(json, "since_usec", session->since_usec);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void write_kept(const struct container_info *info, struct json *json)
{
	if (info->n_kept < 0) {
		json_null(json, "kept_sessions");
		return;
	}
	json_open(json, "kept_sessions", '[');
	for (ssize_t i = 0; i < info->n_kept; i++) {
		const struct kept_state *kept = &info->kept[i];

		json_open(json, NULL, '{');
		json_number(json, "id", kept->id);
		json_string(json, "user", kept->silent ? NULL : kept->user);
		number_or_null(json, "since_usec", !kept->silent, kept->since_usec);
		if (kept->silent)
			json_null(json, "attached");
		else
			json_bool(json, "attached", kept->attached != 0);
		number_or_null(json, "status", kept->status >= 0, (uint64_t)kept->status);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void info_write_json(const struct container_info *info, struct json *json)
{
	char unit[UNIT_NAME_SIZE];

	unit_name(info->name, unit);
	json_open(json, NULL, '{');
	json_string(json, "name", info->name);
	json_string(json, "state", info->state);
	json_bool(json, "foreground", info->foreground);
	json_bool(json, "configured", info->configured);
	json_string(json, "unit", info->configured ? unit : NULL);
	if (info->config_usable) {
		json_bool(json, "auto_start", info->config.auto_start);
		json_bool(json, "ephemeral", info->config.ephemeral);
		json_bool(json, "private_network", info->config.private_network);
		json_string(json, "root", info->config.root);
	} else {
		json_null(json, "auto_start");
		json_null(json, "ephemeral");
		json_null(json, "private_network");
		json_null(json, "root");
	}
	write_launcher(info, json);
	json_open(json, "addresses", '[');
	for (size_t i = 0; i < ARRAY_SIZE(info->addresses); i++)
		if (info->addresses[i][0])
			json_string(json, NULL, info->addresses[i]);
	json_close(json, ']');
	number_or_null(json, "memory_bytes", info->memory != INFO_UNKNOWN, info->memory);
	number_or_null(json, "disk_bytes", info->disk != INFO_UNKNOWN, info->disk);
	number_or_null(json, "sessions", info->sessions_known, info->n_sessions);
	write_sessions(info, json);
	write_kept(info, json);
	json_close(json, '}');
}

void info_format_age(uint64_t since_usec, char *buf, size_t size)
{
	struct timespec now;
	uint64_t s;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	s = (uint64_t)now.tv_sec;
	s = s > since_usec / 1000000 ? s - since_usec / 1000000 : 0;
	if (s < 60)
		(void)snprintf(buf, size, "%" PRIu64 "s", s);
	else if (s < 3600)
		(void)snprintf(buf, size, "%" PRIu64 "min %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(buf, size, "%" PRIu64 "h %" PRIu64 "min", s / 3600, s / 60 % 60);
	else
		(void)snprintf(buf, size, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s / 3600 % 24);
}

void info_format_bytes(uint64_t bytes, char *buf, size_t size)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= 1024 && units[i + 1]; i++)
		value /= 1024;
	(void)snprintf(buf, size, i == 0 ? "%.0f%c" : "%.1f%c", value, units[i]);
}
