/* SPDX-License-Identifier: MIT */

/*
 * narthex switch, narthex rollback.
 *
 * The profile first, since it holds the new system; then the host's side, which narthex reload
 * applies; then the guest's. When the guest refuses, the profile goes back to what runs, so that
 * the next boot is no surprise.
 */

#include "../containers.h"
#include "../launcher-status.h"
#include "../system-links.h"
#include "activate.h"
#include "bus.h"
#include "cleanup.h"
#include "ctl.h"
#include "interrupt.h"
#include "lifecycle.h"
#include "log.h"
#include "profile.h"

#include <stdio.h>
#include <string.h>

const struct verb_option switch_options[] = {
	{ "path", "SYSTEM", NULL, .help = "set the container's profile to this system first" },
	{ "reboot", NULL, NULL, .help = "reboot or restart it where nothing less will do" },
	{},
};

const struct verb_option rollback_options[] = {
	{ "reboot", NULL, NULL, .help = "reboot or restart it where nothing less will do" },
	{},
};

struct switching {
	const char *verb, *name;
	const char *system; /* of --path */
	bool reboot;
	bool is_running;
	struct container_config config;
	struct launcher_status launcher;
	unsigned before;    /* the profile's generation, 0: it had none */
	unsigned made;	    /* the generation that this made, 0: none */
	bool profile_moved; /* by this */
};

static int look(struct switching *s)
{
	int r;

	if (geteuid() != 0) {
		log_error("%s: only root can do this", s->verb);
		return -EACCES;
	}
	if (!container_is_known(s->verb, s->name))
		return -ENOENT;
	if (!container_is_configured(s->name)) {
		log_error(
			"%s: container '%s' has no configuration in " CONFIG_DIR, s->verb, s->name);
		return -ENOENT;
	}
	r = config_load(s->name, NULL, &s->config);
	if (r < 0)
		return r;
	r = launcher_ask(s->name, &s->launcher);
	if (r < 0 && r != -ENOENT)
		return log_errno(r, "%s: cannot reach container '%s'", s->verb, s->name);
	s->is_running = r == 0;
	return 0;
}

/* --- the profile --------------------------------------------------------------------------- */

static int read_profile(const struct switching *s, struct profile *ret)
{
	int r = profile_read(s->config.path, ret);

	return r < 0 ? log_errno(r, "%s: cannot read profile %s", s->verb, s->config.path) : 0;
}

static bool has_profile(const struct switching *s)
{
	if (s->config.path)
		return profile_is_usable(s->verb, s->config.path);
	log_error("%s: container '%s' has no profile: set Path= in its configuration", s->verb,
		s->name);
	return false;
}

static int set_profile(struct switching *s)
{
	_cleanup_(profile_done) struct profile before = {}, after = {};
	const struct generation *g;
	int r;

	if (!has_profile(s))
		return -EINVAL;
	r = read_profile(s, &before);
	if (r == 0)
		r = profile_set(s->verb, s->config.path, s->system);
	if (r == 0)
		r = read_profile(s, &after);
	if (r < 0)
		return r;
	g = profile_current(&before);
	s->before = g ? g->number : 0;
	g = profile_current(&after);
	s->profile_moved = g && g->number != s->before;
	/* nix-env takes the last generation again where that is the same system */
	if (g && (before.n == 0 || g->number > before.generations[before.n - 1].number))
		s->made = g->number;
	return 0;
}

static int set_profile_back(struct switching *s)
{
	_cleanup_(profile_done) struct profile profile = {};
	const struct generation *current, *earlier = NULL;
	int r;

	if (!has_profile(s))
		return -EINVAL;
	r = read_profile(s, &profile);
	if (r < 0)
		return r;
	current = profile_current(&profile);
	for (size_t i = 0; current && i < profile.n; i++)
		if (profile.generations[i].number < current->number)
			earlier = &profile.generations[i];
	if (!earlier) {
		log_error("%s: container '%s' has no earlier generation: see 'narthex generations "
			  "%s'",
			s->verb, s->name, s->name);
		return -ENOENT;
	}
	s->before = current->number;
	s->profile_moved = true;
	return profile_switch(s->verb, s->config.path, earlier->number);
}

/* After a failure the profile leads to what runs. */
static void restore_profile(const struct switching *s)
{
	_cleanup_(profile_done) struct profile profile = {};
	_cleanup_free_ char *running = NULL;
	const struct generation *g = NULL;
	unsigned number = s->before;

	if (!s->config.path || profile_read(s->config.path, &profile) < 0)
		return;
	if (!s->profile_moved) {
		/* somebody else moved it on */
		if (system_link_get(s->name, SYSTEM_CURRENT, &running) == 0)
			g = profile_find(&profile, running);
		number = g && !g->is_current ? g->number : 0;
	}
	if (number == 0) {
		log_warning("%s: the profile stays at what could not be activated", s->verb);
		return;
	}
	if (profile_switch(s->verb, s->config.path, number) < 0)
		return;
	log_info("the profile is back at generation %u", number);
	if (s->made > 0)
		(void)profile_forget(s->verb, s->config.path, &s->made, 1);
}

/* --- the container ------------------------------------------------------------------------- */

static int restart(const struct switching *s)
{
	sd_bus *bus = NULL;
	char *names[] = { (char *)s->name };
	int r = bus_open(&bus);

	if (r >= 0)
		r = containers_start(bus, s->verb, "RestartUnit", names, 1);
	sd_bus_flush_close_unref(bus);
	return r < 0 ? STATUS_FAILED : 0;
}

static int activate(struct switching *s)
{
	bool changed = false;
	int status;

	if (!s->config.path)
		return activate_run(&s->config, NULL, s->launcher.init);
	status = activate_system(s->verb, &s->config, &changed);
	if (status == 0 && !changed)
		(void)printf("container '%s' has what its profile leads to already\n", s->name);
	return status;
}

/* Host first: what the guest's new units need has to be there. */
static int switch_running(struct switching *s)
{
	bool needs_restart = false;
	int status;

	if (container_reload(s->name, false, true, &needs_restart) < 0)
		return STATUS_FAILED;
	if (needs_restart && s->reboot)
		return restart(s);
	status = activate(s);
	if (status == ACTIVATE_NEEDS_REBOOT && s->config.path) {
		if (s->reboot)
			return container_reboot(s->name) < 0 ? STATUS_FAILED : 0;
		log_warning("%s: what is new in container '%s' needs its reboot: 'narthex reboot "
			    "%s', or --reboot",
			s->verb, s->name, s->name);
	}
	return status;
}

static int do_switch(struct switching *s)
{
	int status;

	if (!s->is_running) {
		_cleanup_free_ char *system =
			s->config.path ? realpath(s->config.path, NULL) : NULL;

		if (system)
			(void)printf("container '%s' is not running: it will start with %s\n",
				s->name, system);
		else
			log_error("%s: container '%s' is not running", s->verb, s->name);
		return system ? 0 : STATUS_FAILED;
	}
	status = switch_running(s);
	if (status != 0 && status != ACTIVATE_NEEDS_REBOOT) {
		int interrupted = interrupt_take();

		log_error("%s: container '%s' has not been switched", s->verb, s->name);
		restore_profile(s);
		interrupt_die(interrupted);
	}
	return status;
}

/* --- the verbs ----------------------------------------------------------------------------- */

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct switching *s = userdata;

	if (strcmp(option->name, "reboot") == 0) {
		s->reboot = true;
		return 0;
	}
	if (*arg != '/') {
		log_error("switch: --path=%s: must be an absolute path", arg);
		return STATUS_USAGE;
	}
	s->system = arg;
	return 0;
}

static int run(const struct verb *verb, int argc, char **argv, bool back)
{
	struct switching s = { .verb = verb->name, .launcher = LAUNCHER_STATUS_NULL };
	int first, r, status = verb_parse(verb, argc, argv, on_option, &s, &first);

	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	s.name = argv[first];
	r = look(&s);
	interrupt_catch();
	if (r == 0 && back)
		r = set_profile_back(&s);
	else if (r == 0 && s.system)
		r = set_profile(&s);
	status = r < 0 ? STATUS_FAILED : do_switch(&s);
	launcher_status_done(&s.launcher);
	config_done(&s.config);
	return status;
}

int cmd_switch(const struct verb *verb, int argc, char **argv)
{
	return run(verb, argc, argv, false);
}

int cmd_rollback(const struct verb *verb, int argc, char **argv)
{
	return run(verb, argc, argv, true);
}
