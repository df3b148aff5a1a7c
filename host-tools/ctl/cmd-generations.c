/* SPDX-License-Identifier: MIT */

/* narthex generations: what a container's profile has led to. */

#include "../config/config.h"
#include "../containers.h"
#include "../system-links.h"
#include "cleanup.h"
#include "ctl.h"
#include "json.h"
#include "log.h"
#include "profile.h"

#include <stdio.h>
#include <string.h>

const struct verb_option generations_options[] = {
	{ "json", NULL, NULL, .help = "as JSON" },
	{ "prune", NULL, NULL, .help = "forget those that neither run nor start next" },
	{},
};

struct listing {
	const char *name;
	bool json, prune;
	char *booted, *current; /* NULL: it doesn't run */
	struct profile profile;
};

static bool is(const char *system, const struct generation *g)
{
	return system && strcmp(system, g->system) == 0;
}

static void show_json(const struct listing *l)
{
	struct json json = { .f = stdout };

	json_open(&json, NULL, '[');
	for (size_t i = 0; i < l->profile.n; i++) {
		const struct generation *g = &l->profile.generations[i];

		json_open(&json, NULL, '{');
		json_number(&json, "generation", g->number);
		json_string(&json, "system", g->system);
		json_number(&json, "since", (uint64_t)g->since);
		json_bool(&json, "profile", g->is_current);
		json_bool(&json, "current", is(l->current, g));
		json_bool(&json, "booted", is(l->booted, g));
		json_close(&json, '}');
	}
	json_close(&json, ']');
	(void)putchar('\n');
}

static void show(const struct listing *l)
{
	for (size_t i = 0; i < l->profile.n; i++) {
		const struct generation *g = &l->profile.generations[i];
		char since[32] = "";
		struct tm tm;

		if (localtime_r(&g->since, &tm))
			(void)strftime(since, sizeof(since), "%Y-%m-%d %H:%M", &tm);
		(void)printf("%4u  %s  %s%s%s%s\n", g->number, since, g->system,
			g->is_current ? "  profile" : "", is(l->current, g) ? "  current" : "",
			is(l->booted, g) ? "  booted" : "");
	}
}

static int prune(const struct listing *l)
{
	_cleanup_free_ unsigned *numbers = calloc(l->profile.n + 1, sizeof(*numbers));
	size_t n = 0;

	if (!numbers)
		return log_errno(-ENOMEM, "generations");
	for (size_t i = 0; i < l->profile.n; i++) {
		const struct generation *g = &l->profile.generations[i];

		if (!g->is_current && !is(l->current, g) && !is(l->booted, g))
			numbers[n++] = g->number;
	}
	return profile_forget("generations", l->profile.path, numbers, n);
}

static int list(struct listing *l)
{
	_cleanup_(config_done) struct container_config config = {};
	int r;

	if (!container_is_known("generations", l->name))
		return -ENOENT;
	r = config_load(l->name, NULL, &config);
	if (r < 0)
		return r == -ENOENT ? log_errno(r, "generations: container '%s'", l->name) : r;
	if (!config.path) {
		log_error("generations: container '%s' has no profile (Path=)", l->name);
		return -EINVAL;
	}
	if (l->prune && !profile_is_usable("generations", config.path))
		return -EINVAL;
	r = profile_read(config.path, &l->profile);
	if (r < 0)
		return log_errno(r, "generations: cannot read profile %s", config.path);
	(void)system_link_get(l->name, SYSTEM_CURRENT, &l->current);
	(void)system_link_get(l->name, SYSTEM_BOOTED, &l->booted);
	if (l->prune)
		return prune(l);
	if (l->json)
		show_json(l);
	else
		show(l);
	return 0;
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct listing *l = userdata;

	(void)arg;
	if (strcmp(option->name, "json") == 0)
		l->json = true;
	else
		l->prune = true;
	return 0;
}

int cmd_generations(const struct verb *verb, int argc, char **argv)
{
	struct listing l = {};
	int first, r, status = verb_parse(verb, argc, argv, on_option, &l, &first);

	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	l.name = argv[first];
	r = list(&l);
	profile_done(&l.profile);
	free(l.booted);
	free(l.current);
	return r < 0 ? STATUS_FAILED : 0;
}
