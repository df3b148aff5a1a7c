/* SPDX-License-Identifier: MIT */

/*
 * narthex reload. The launcher does it (launch/reload.h); what is the unit's, systemd does when it
 * reads its units again, which is asked for here. `systemctl reload` runs this verb, too.
 */

#include "../containers.h"
#include "../launcher-status.h"
#include "../program.h"
#include "activate.h"
#include "bus.h"
#include "cleanup.h"
#include "ctl.h"
#include "escape.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

/* More than the launcher gives its helpers. */
#define DEADLINE_SEC 120

const struct verb_option reload_options[] = {
	{ "dry-run", NULL, NULL, .help = "change nothing, say what would be done", .letter = 'n' },
	{ "launcher", NULL, NULL, .help = "only replace the launcher; without NAME of all" },
	{},
};

struct options {
	bool dry_run, launcher;
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct options *options = userdata;

	(void)arg;
	if (strcmp(option->name, "launcher") == 0)
		options->launcher = true;
	else
		options->dry_run = true;
	return 0;
}

/* The line's text behind its label, NULL when it has another. */
static const char *labelled(const char *line, const char *label)
{
	size_t n = strlen(label);

	return strncmp(line, label, n) == 0 && strncmp(line + n, ": ", 2) == 0 ? line + n + 2
									       : NULL;
}

/* systemd reads the units again when a file that one was made of is newer. Logs. */
static int reload_unit(const char *name)
{
	struct unit_state state;
	sd_bus *bus = NULL;
	int r;

	if (!bus_is_possible())
		return 0;
	r = bus_open(&bus);
	if (r >= 0) {
		r = unit_get_state(bus, name, &state);
		if (r < 0)
			bus_log_error("reload", name, &SD_BUS_ERROR_NULL, r);
		else if (state.need_reload)
			r = bus_reload(bus);
	}
	sd_bus_flush_close_unref(bus);
	return r;
}

static void show(const char *line)
{
	char text[4096];
	const char *rest;

	(void)escape_text(text, sizeof(text), line, strlen(line));
	if ((rest = labelled(text, "error")))
		log_error("reload: %s", rest);
	else if ((rest = labelled(text, "warning")))
		log_warning("reload: %s", rest);
	else if ((rest = labelled(text, "unit")))
		(void)printf("applied: %s\n", rest);
	else if (*text)
		(void)printf("%s\n", text);
}

/* Shows what the launcher has answered. 0, or -EIO when nothing was applied. */
static int take_answer(
	const char *name, char *answer, bool dry_run, bool quiet, bool *ret_needs_restart)
{
	char *rest = answer;
	const char *verdict = strsep(&rest, "\n"), *line;
	bool ok = strcmp(verdict, "ok") == 0, any = false;
	int r = 0;

	if (!ok && strcmp(verdict, "failed") != 0) {
		show(verdict);
		log_error("reload: the launcher of container '%s' is older than this program: "
			  "restart the container",
			name);
		return -EIO;
	}
	if (ok && !dry_run)
		r = reload_unit(name);
	while ((line = strsep(&rest, "\n"))) {
		any |= *line != '\0';
		if (labelled(line, "needs a restart"))
			*ret_needs_restart = true;
		if (r < 0 && labelled(line, "unit"))
			log_error("reload: not applied: %s", labelled(line, "unit"));
		else
			show(line);
	}
	if (!ok)
		log_error("reload: container '%s' is as it was", name);
	else if (!any && !quiet)
		(void)printf("nothing has changed\n");
	return ok ? r : -EIO;
}

int container_reload(const char *name, bool dry_run, bool quiet, bool *ret_needs_restart)
{
	_cleanup_free_ char *answer = NULL;
	int r;

	*ret_needs_restart = false;
	if (!container_is_known("reload", name))
		return -ENOENT;
	r = launcher_request(name, dry_run ? "reload dry-run" : "reload", DEADLINE_SEC, &answer);
	if (r == 0)
		return take_answer(name, answer, dry_run, quiet, ret_needs_restart);
	if (r == -ENOENT)
		log_error("reload: container '%s' is not running", name);
	else if (r == -EACCES)
		log_error("reload: no permission for container '%s': become root", name);
	else
		log_errno(r, "reload: cannot reach container '%s'", name);
	return r;
}

/* The guest's side: another system behind Path=, or another Path=; a container of another file
 * (narthex-launch --config) has none that this could tell. Logs. */
static int activate(const char *name)
{
	_cleanup_(config_done) struct container_config config = {};
	int status;

	if (!container_is_configured(name))
		return 0;
	if (config_load(name, NULL, &config) < 0)
		return -EIO;
	status = activate_system("reload", &config, NULL);
	if (status == ACTIVATE_NEEDS_REBOOT)
		log_warning("reload: what is new in container '%s' needs its reboot", name);
	else if (status != 0)
		log_error("reload: container '%s' runs the system that it had", name);
	return status == 0 ? 0 : -EIO;
}

/* --- the launcher --------------------------------------------------------------------------- */

/* Shows what the launcher has answered. 1: it is another one now, 0: it is ours already, -EIO: it
 * stays, and the lines say why. */
static int take_upgrade_answer(char *answer, bool must)
{
	char *rest = answer;
	const char *verdict = strsep(&rest, "\n"), *line, *why;
	bool ok = strcmp(verdict, "ok") == 0, any = false;

	if (!ok && strcmp(verdict, "failed") != 0)
		return -EOPNOTSUPP;
	while ((line = strsep(&rest, "\n"))) {
		any |= *line != '\0';
		why = must ? NULL : labelled(line, "error");
		if (why) {
			char text[4096];

			(void)escape_text(text, sizeof(text), why, strlen(why));
			log_warning("reload: %s", text);
		} else {
			show(line);
		}
	}
	return ok ? any : -EIO;
}

/* must: that is what was asked for. Else a container whose launcher stays is no failure, and one
 * that doesn't run none yet. */
static int upgrade(const char *name, bool dry_run, bool must)
{
	_cleanup_free_ char *answer = NULL, *path = NULL, *request = NULL;
	int r = program_find("narthex-launch", &path);

	if (r >= 0 &&
		asprintf(&request, "%s %s", dry_run ? "upgrade-dry-run" : "upgrade", path) < 0)
		r = -ENOMEM;
	if (r >= 0)
		r = launcher_request(name, request, DEADLINE_SEC, &answer);
	if (r >= 0)
		r = take_upgrade_answer(answer, must);
	if (r == -EOPNOTSUPP)
		log_message(must ? LOG_ERR : LOG_WARNING,
			"reload: the launcher of container '%s' is older than this program: "
			"restart "
			"the container to replace it",
			name);
	else if (r < 0 && r != -EIO && must)
		log_errno(r, "reload: cannot reach container '%s'", name);
	return r;
}

/* After a new package was installed: whatever runs goes on under the new launcher. */
static int upgrade_all(bool dry_run)
{
	_cleanup_(containers_freep) char **names = NULL;
	int r = containers_list(&names), status = 0;

	if (r < 0)
		return log_errno(r, "reload: cannot list the containers");
	for (char **name = names; *name; name++) {
		struct launcher_status state = LAUNCHER_STATUS_NULL;

		/* one in the foreground is its caller's */
		if (!container_is_configured(*name) || launcher_ask(*name, &state) < 0)
			continue;
		launcher_status_done(&state);
		if (upgrade(*name, dry_run, true) < 0)
			status = -EIO;
	}
	return status;
}

static int reload_one(const char *name, const struct options *options)
{
	bool needs_restart, upgraded;
	int r;

	if (options->launcher)
		return container_is_known("reload", name) ? upgrade(name, options->dry_run, true)
							  : -ENOENT;
	/* the configuration may be for the new launcher */
	upgraded = upgrade(name, options->dry_run, false) > 0;
	r = container_reload(name, options->dry_run, upgraded, &needs_restart);
	return r < 0 || options->dry_run ? r : activate(name);
}

int cmd_reload(const struct verb *verb, int argc, char **argv)
{
	struct options options = {};
	int first, status = verb_parse(verb, argc, argv, on_option, &options, &first);

	if (status >= 0)
		return status;
	if (first == argc && !options.launcher)
		return verb_usage(verb);
	status = 0;
	if (first == argc && upgrade_all(options.dry_run) < 0)
		status = STATUS_FAILED;
	for (; first < argc; first++)
		if (reload_one(argv[first], &options) < 0)
			status = STATUS_FAILED;
	return status;
}
