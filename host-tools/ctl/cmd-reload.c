/* SPDX-License-Identifier: MIT */

/*
 * narthex reload. The launcher does it (launch/reload.h); what is the unit's, systemd does when it
 * reads its units again, which is asked for here. `systemctl reload` runs this verb, too.
 */

#include "../containers.h"
#include "../launcher-status.h"
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
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	(void)option;
	(void)arg;
	*(bool *)userdata = true;
	return 0;
}

/* The line's text behind its label, NULL when it has another. */
static const char *labelled(const char *line, const char *label)
{
	size_t n = strlen(label);

	return strncmp(line, label, n) == 0 && strncmp(line + n, ": ", 2) == 0 ? line + n + 2
									       : NULL;
}

/* systemd reads the units again when the file that one was made of is newer. Logs. */
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

/* The guest's side: another system behind Path=, or another Path=. Logs. */
static int activate(const char *name)
{
	_cleanup_(config_done) struct container_config config = {};
	int status;

	if (!container_is_configured(name) || config_load(name, NULL, &config) < 0)
		return -EIO;
	status = activate_system("reload", &config, NULL);
	if (status == ACTIVATE_NEEDS_REBOOT)
		log_warning("reload: what is new in container '%s' needs its reboot", name);
	else if (status != 0)
		log_error("reload: container '%s' runs the system that it had", name);
	return status == 0 ? 0 : -EIO;
}

static int reload_one(const char *name, bool dry_run)
{
	bool needs_restart;
	int r = container_reload(name, dry_run, false, &needs_restart);

	return r < 0 || dry_run ? r : activate(name);
}

int cmd_reload(const struct verb *verb, int argc, char **argv)
{
	bool dry_run = false;
	int first, status = verb_parse(verb, argc, argv, on_option, &dry_run, &first);

	if (status >= 0)
		return status;
	if (first == argc)
		return verb_usage(verb);
	status = 0;
	for (; first < argc; first++)
		if (reload_one(argv[first], dry_run) < 0)
			status = STATUS_FAILED;
	return status;
}
