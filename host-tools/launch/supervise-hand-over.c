/* SPDX-License-Identifier: MIT */

/*
 * What a running guest's launcher knows that can't be found out again. Everything else the next
 * one makes anew: watches of the host, the system call filter, the loop. A change here is a change
 * of HAND_OVER_VERSION.
 */

#include "cleanup.h"
#include "log.h"
#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 65536

static void hand_over_range(struct hand_over *h, struct uid_range *range)
{
	range->base = (uint32_t)hand_over_number(h, "uid-base", range->base);
	range->count = (uint32_t)hand_over_number(h, "uid-count", range->count);
	range->n_locks =
		(unsigned int)hand_over_count(h, "uid-locks", range->n_locks, UID_RANGE_LOCKS_MAX);
	for (unsigned int i = 0; i < range->n_locks; i++) {
		range->locked[i] = (uint32_t)hand_over_number(h, "uid-number", range->locked[i]);
		range->lock_fds[i] = hand_over_fd(h, "uid-lock", range->lock_fds[i]);
	}
}

static size_t count_lines(const struct container_config *config)
{
	size_t n = 0;

	while (config->lines && config->lines[n])
		n++;
	return n;
}

/* The configuration that runs, which a reload may have left behind the files. */
static void hand_over_config(struct hand_over *h, struct container_config *config)
{
	size_t n = hand_over_count(h, "lines", count_lines(config), LINES_MAX);
	char *name = hand_over_text(h, "name", config->name);

	if (h->reading && h->error == 0)
		h->error = config_default(name, config);
	if (h->reading)
		free(name);
	for (size_t i = 0; i < n && h->error == 0; i++) {
		char *line = hand_over_text(h, "line", h->reading ? NULL : config->lines[i]);

		if (!h->reading)
			continue;
		if (line) {
			h->error = config_set_line(config, "the running configuration", line);
			h->field = "line";
		}
		free(line);
	}
	for (size_t i = 0; i < UNIT_SECTION_MAX_ && h->error == 0; i++) {
		char *text = hand_over_text(h, "unit", config->unit_text[i]);

		if (!h->reading)
			continue;
		free(config->unit_text[i]);
		config->unit_text[i] = text;
	}
	if (h->reading && h->error == 0) {
		h->error = config_check(config, "the running configuration");
		h->field = "lines";
	}
}

static void hand_over_launch(struct hand_over *h, struct launch *launch)
{
	struct state *state = &launch->state;

	hand_over_config(h, &launch->config);
	launch->service = hand_over_number(h, "service", launch->service) != 0;
	launch->boots = (unsigned int)hand_over_number(h, "boots", launch->boots);
	launch->system = hand_over_text(h, "system", launch->system);
	state->name = hand_over_text(h, "name", state->name);
	state->lock_fd = hand_over_fd(h, "lock", state->lock_fd);
	state->dir_fd = hand_over_fd(h, "directory", state->dir_fd);
	state->private_fd = hand_over_fd(h, "private", state->private_fd);
	hand_over_range(h, &launch->range);
	launch->cgroup.fd = hand_over_fd(h, "cgroup", launch->cgroup.fd);
	launch->cgroup.path = hand_over_text(h, "cgroup-path", launch->cgroup.path);
	launch->notify_fd = hand_over_fd(h, "notify", launch->notify_fd);
}

void supervise_hand_over(struct supervisor *s, struct hand_over *h)
{
	const struct container_config *config = &s->launch->config;

	hand_over_launch(h, s->launch);
	s->phase = (enum phase)hand_over_count(h, "phase", s->phase, RUNNING);
	s->init = (enum init_kind)hand_over_count(h, "init", s->init, INIT_COMMAND);
	s->since_usec = hand_over_number(h, "since", s->since_usec);
	s->ready = hand_over_number(h, "ready", s->ready) != 0;
	s->announced = hand_over_number(h, "announced", s->announced) != 0;
	s->machined.boots = (unsigned int)hand_over_number(h, "registered", s->machined.boots);
	s->leader = (pid_t)hand_over_number(h, "leader", (uint64_t)s->leader);
	s->leader_fd = hand_over_fd(h, "leader-fd", s->leader_fd);
	s->devpts_fd = hand_over_fd(h, "devpts", s->devpts_fd);
	s->console_master = hand_over_fd(h, "console", s->console_master);
	console_hand_over(&s->console, h);
	live_binds_hand_over(&s->live_binds, h, config->n_binds);
	ports_hand_over(&s->ports, h, config->ports, config->n_ports);
	control_hand_over(&s->control, h);
	s->upgrade.client = hand_over_fd(h, "asker", s->upgrade.client);
	s->upgrade.version = hand_over_text(h, "version", (char *)NARTHEX_VERSION);
}
