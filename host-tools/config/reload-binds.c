/* SPDX-License-Identifier: MIT */

#include "reload-binds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static bool is_at_or_below(const char *path, const char *dir)
{
	return strcmp(path, dir) == 0 || is_below(path, dir);
}

/*
 * A device that is bound by itself is one that the container may use from its start on: the unit
 * says so (unit.c), or the launcher itself.
 */
static bool is_device(const struct config_bind *bind)
{
	struct stat st;

	return strncmp(bind->source, "/dev/", 5) == 0 &&
	       (stat(bind->source, &st) < 0 || !S_ISDIR(st.st_mode));
}

/* Whether it is one of its own, made of a directory or file of the host's. */
static bool is_plain(const struct config_bind *bind)
{
	return !bind->inside && !bind->temporary && bind->ids != BIND_IDS_OWNER && !is_device(bind);
}

bool bind_place_is_free(const struct container_config *config, const char *target)
{
	for (size_t i = 0; i < config->n_tmpfs; i++)
		if (is_at_or_below(config->tmpfs[i].target, target))
			return false;
	for (size_t i = 0; i < config->n_overlays; i++)
		if (is_at_or_below(config->overlays[i].target, target))
			return false;
	for (char **path = config->inaccessible; path && *path; path++)
		if (is_at_or_below(*path, target))
			return false;
	for (size_t i = 0; i < config->n_binds; i++)
		if (!is_plain(&config->binds[i]) && is_at_or_below(config->binds[i].target, target))
			return false;
	return true;
}

bool bind_is_live(const struct container_config *config, const struct config_bind *bind)
{
	return config->n_binds <= LIVE_BINDS_MAX && is_plain(bind) &&
	       bind_place_is_free(config, bind->target);
}

bool bind_is_below_live(const struct container_config *config, const struct config_bind *bind)
{
	for (size_t i = 0; i < config->n_binds; i++)
		if (is_below(bind->target, config->binds[i].target) &&
			bind_is_live(config, &config->binds[i]))
			return true;
	return false;
}

bool bind_is_same(const struct config_bind *a, const struct config_bind *b)
{
	return strcmp(a->source, b->source) == 0 && strcmp(a->target, b->target) == 0 &&
	       a->read_only == b->read_only && a->recursive == b->recursive && a->ids == b->ids &&
	       a->inside == b->inside && a->temporary == b->temporary;
}

static int find_bind(const struct container_config *config, const struct config_bind *bind)
{
	for (size_t i = 0; i < config->n_binds; i++)
		if (bind_is_same(&config->binds[i], bind))
			return (int)i;
	return -1;
}

/* Whether something comes or goes above a place where a bind is. */
static bool is_disturbed(const char *target, const struct container_config *running,
	const struct container_config *wanted, const int *match)
{
	for (size_t i = 0; i < wanted->n_binds; i++)
		if (match[i] < 0 && is_below(target, wanted->binds[i].target))
			return true;
	for (size_t i = 0; i < running->n_binds; i++)
		if (is_below(target, running->binds[i].target) &&
			find_bind(wanted, &running->binds[i]) < 0)
			return true;
	return false;
}

/* Whether one that is there, in the configuration, has no mount and needs one. */
static bool is_missing(const struct container_config *running,
	const struct container_config *wanted, const int *mounts, size_t i, int match)
{
	return match >= 0 && mounts[match] < 0 && !wanted->binds[i].optional &&
	       bind_is_live(running, &running->binds[match]) &&
	       bind_is_live(wanted, &wanted->binds[i]);
}

int binds_match(const struct container_config *running, const struct container_config *wanted,
	const int *mounts, int **ret)
{
	int *match = calloc(wanted->n_binds + 1, sizeof(*match));
	bool changed = true;

	if (!match)
		return -ENOMEM;
	for (size_t i = 0; i < wanted->n_binds; i++) {
		match[i] = find_bind(running, &wanted->binds[i]);
		if (is_missing(running, wanted, mounts, i, match[i]))
			match[i] = -1;
	}
	/* one that is mounted again disturbs those below it */
	while (changed) {
		changed = false;
		for (size_t i = 0; i < wanted->n_binds; i++)
			if (match[i] >= 0 &&
				is_disturbed(wanted->binds[i].target, running, wanted, match)) {
				match[i] = -1;
				changed = true;
			}
	}
	*ret = match;
	return 0;
}
