/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * A configuration remembers its lines. Those that an empty value of their key has taken back don't
 * count; of the others each is there in both configurations or in one. The configuration that runs
 * afterwards is made of lines again: the running ones of keys that need a restart, the wanted ones
 * of all others. So a key that waits for its restart is found waiting by the next reload, too, and
 * a reboot of the guest builds what the last reload left.
 */

#include "reload-plan.h"

#include "cleanup.h"
#include "config-value.h"
#include "reload-binds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One line that counts. */
struct line {
	const char *text;	   /* SECTION/KEY=VALUE */
	size_t section, key, name; /* lengths: "Link eth1", "MTU", both with the '/' */
	const char *value;
	bool is_common;	 /* the other configuration has it, too */
	bool is_told;	 /* in the list of changes */
	bool is_waiting; /* a change that needs a restart */
};

struct lines {
	struct line *of;
	size_t n;
};

static struct line parse_line(const char *text)
{
	struct line line = { .text = text, .section = strcspn(text, "/") };

	line.key = strcspn(text + line.section + 1, "=");
	line.name = line.section + 1 + line.key;
	line.value = text + line.name + 1;
	return line;
}

static bool same_key(const struct line *a, const struct line *b)
{
	return a->name == b->name && strncmp(a->text, b->text, a->name) == 0;
}

static int read_lines(const struct container_config *config, struct lines *ret)
{
	size_t n = 0, kept = 0;

	while (config->lines && config->lines[n])
		n++;
	ret->of = calloc(n + 1, sizeof(*ret->of));
	if (!ret->of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct line line = parse_line(config->lines[i]);
		size_t left = 0;

		if (*line.value != '\0') {
			ret->of[kept++] = line;
			continue;
		}
		for (size_t j = 0; j < kept; j++)
			if (!same_key(&ret->of[j], &line))
				ret->of[left++] = ret->of[j];
		kept = left;
	}
	ret->n = kept;
	return 0;
}

/* Each line finds at most one like it. */
static void find_common(struct lines *a, struct lines *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++) {
			if (b->of[j].is_common || strcmp(a->of[i].text, b->of[j].text) != 0)
				continue;
			a->of[i].is_common = b->of[j].is_common = true;
			break;
		}
}

/* --- what one line needs ---------------------------------------------------------------------- */

static enum reload_class class_of(const struct line *line)
{
	char section[64], key[64];
	bool is_link = strncmp(line->text, "Link ", 5) == 0;

	(void)snprintf(
		section, sizeof(section), "%.*s", is_link ? 4 : (int)line->section, line->text);
	(void)snprintf(key, sizeof(key), "%.*s", (int)line->key, line->text + line->section + 1);
	return reload_class(section, key);
}

struct planner {
	const struct container_config *running, *wanted;
	struct lines old, new;
	struct reload_plan *plan;
	bool network_differs;
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether what the links are in is another one, or what their names follow from. */
static bool network_differs(const struct container_config *a, const struct container_config *b)
{
	return a->private_network != b->private_network || a->nspawn_names != b->nspawn_names ||
	       !same_text(a->namespace_path, b->namespace_path);
}

/* The bind that a line makes, as the configuration has it. NULL: it has none, or there is no memory
 * to tell. */
static const struct config_bind *bind_of(
	const struct container_config *config, const struct line *line)
{
	_cleanup_(config_done) struct container_config scratch = {};

	if (config_default(config->name, &scratch) < 0 ||
		config_set_line(&scratch, "reload", line->text) < 0 || scratch.n_binds != 1)
		return NULL;
	for (size_t i = 0; i < config->n_binds; i++)
		if (bind_is_same(&config->binds[i], &scratch.binds[0]))
			return &config->binds[i];
	return NULL;
}

static bool is_live_bind(const struct planner *p, const struct line *line)
{
	const struct container_config *config = p->wanted, *other = p->running;
	const struct config_bind *bind = bind_of(config, line);

	if (!bind) {
		config = p->running;
		other = p->wanted;
		bind = bind_of(config, line);
	}
	return bind && bind_is_live(config, bind) && bind_place_is_free(other, bind->target) &&
	       other->n_binds <= LIVE_BINDS_MAX;
}

/* The launcher's copy of the host's file is shown before and after: only its text changes. */
static bool is_live_resolver(const struct planner *p, const struct line *line)
{
	return strncmp(line->text, "Exec/ResolvConf=", 16) == 0 &&
	       p->running->resolv_action == RESOLV_BIND && p->wanted->resolv_action == RESOLV_BIND;
}

static enum reload_class class_of_change(const struct planner *p, const struct line *line)
{
	enum reload_class class = class_of(line);

	if (is_live_resolver(p, line))
		return RELOAD_MEMORY;

	if (class == RELOAD_NETWORK && p->network_differs)
		return RELOAD_RESTART;
	if (class == RELOAD_BINDS && !is_live_bind(p, line))
		return RELOAD_RESTART;
	return class;
}

/* --- the list of changes ---------------------------------------------------------------------- */

/* text: consumed; NULL is a failure to allocate. */
static int add_change(struct reload_plan *plan, enum reload_class class, char *text)
{
	struct reload_change *bigger =
		reallocarray(plan->changes, plan->n_changes + 1, sizeof(*bigger));

	if (bigger)
		plan->changes = bigger;
	if (!bigger || !text) {
		free(text);
		return -ENOMEM;
	}
	plan->changes[plan->n_changes++] = (struct reload_change){ class, text };
	return 0;
}

/* The only line of a key that differs; NULL when there are more, or none. */
static struct line *only_change(struct lines *lines, const struct line *key)
{
	struct line *found = NULL;

	for (size_t i = 0; i < lines->n; i++) {
		if (lines->of[i].is_common || !same_key(&lines->of[i], key))
			continue;
		if (found)
			return NULL;
		found = &lines->of[i];
	}
	return found;
}

static int tell(struct planner *p, struct line *line, bool is_new)
{
	struct line *old = is_new ? only_change(&p->old, line) : NULL;
	enum reload_class class = class_of_change(p, line);
	char *text;
	int n;

	line->is_told = true;
	if (old && only_change(&p->new, line) && class_of_change(p, old) == class) {
		old->is_told = true;
		old->is_waiting = class == RELOAD_RESTART;
		n = asprintf(&text, "[%.*s] %s (was %s)", (int)line->section, line->text,
			line->text + line->section + 1, old->value);
	} else {
		n = asprintf(&text, "[%.*s] %s%s", (int)line->section, line->text,
			line->text + line->section + 1, is_new ? "" : " removed");
	}
	line->is_waiting = class == RELOAD_RESTART;
	return add_change(p->plan, class, n < 0 ? NULL : text);
}

static int tell_all(struct planner *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->new.n; i++)
		if (!p->new.of[i].is_common)
			r = tell(p, &p->new.of[i], true);
	for (size_t i = 0; r == 0 && i < p->old.n; i++)
		if (!p->old.of[i].is_common && !p->old.of[i].is_told)
			r = tell(p, &p->old.of[i], false);
	return r;
}

/* The sections of the unit are kept as text. other: in which a line is looked for. */
static int tell_unit_section(struct planner *p, const char *section, const char *text,
	const char *other, const char *suffix)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);
		enum reload_class class = RELOAD_UNIT;
		const char *found = len > 0 ? other : NULL;
		char *change;

		while (found && (found = strstr(found, line)) &&
			(found[len] != '\n' || (found > other && found[-1] != '\n')))
			found++;
		if (len == 0 || found)
			continue;
		if (strcmp(section, "Service") == 0 && !reload_service_key_is_live(line))
			class = RELOAD_RESTART;
		if (asprintf(&change, "[%s] %s%s", section, line, suffix) < 0)
			change = NULL;
		r = add_change(p->plan, class, change);
	}
	return r;
}

static int tell_unit(struct planner *p)
{
	static const char *const names[UNIT_SECTION_MAX_] = {
		[UNIT_UNIT] = "Unit",
		[UNIT_SERVICE] = "Service",
		[UNIT_INSTALL] = "Install",
	};
	int r = 0;

	for (enum unit_section i = 0; r == 0 && i < UNIT_SECTION_MAX_; i++) {
		const char *old = p->running->unit_text[i], *new = p->wanted->unit_text[i];

		r = tell_unit_section(p, names[i], new, old, "");
		if (r == 0)
			r = tell_unit_section(p, names[i], old, new, " removed");
	}
	return r;
}

/* --- what runs afterwards --------------------------------------------------------------------- */

static int copy_unit_texts(struct container_config *to, const struct container_config *from)
{
	for (size_t i = 0; i < UNIT_SECTION_MAX_; i++) {
		free(to->unit_text[i]);
		to->unit_text[i] = strdup(from->unit_text[i]);
		if (!to->unit_text[i])
			return -ENOMEM;
	}
	return 0;
}

static int merge(struct planner *p, const char *where)
{
	struct container_config *merged = &p->plan->merged;
	int r = config_default(p->running->name, merged);

	for (size_t i = 0; r == 0 && i < p->old.n; i++)
		if (class_of_change(p, &p->old.of[i]) == RELOAD_RESTART &&
			(p->old.of[i].is_common || p->old.of[i].is_waiting))
			r = config_set_line(merged, where, p->old.of[i].text);
	for (size_t i = 0; r == 0 && i < p->new.n; i++)
		if (class_of_change(p, &p->new.of[i]) != RELOAD_RESTART)
			r = config_set_line(merged, where, p->new.of[i].text);
	if (r == 0)
		r = copy_unit_texts(merged, p->wanted);
	return r == 0 ? config_check(merged, where) : r;
}

int reload_plan_make(const struct container_config *running, const struct container_config *wanted,
	bool service, const char *where, struct reload_plan *ret)
{
	struct reload_plan plan = {};
	struct planner p = {
		.running = running,
		.wanted = wanted,
		.plan = &plan,
		.network_differs = network_differs(running, wanted),
	};
	int r = read_lines(running, &p.old);

	if (r == 0)
		r = read_lines(wanted, &p.new);
	if (r == 0) {
		find_common(&p.old, &p.new);
		r = tell_all(&p);
	}
	if (r == 0 && service)
		r = tell_unit(&p);
	if (r == 0)
		r = merge(&p, where);
	free(p.old.of);
	free(p.new.of);
	if (r < 0)
		reload_plan_done(&plan);
	else
		*ret = plan;
	return r;
}

bool reload_plan_has(const struct reload_plan *plan, enum reload_class class)
{
	for (size_t i = 0; i < plan->n_changes; i++)
		if (plan->changes[i].class == class)
			return true;
	return false;
}

void reload_plan_done(struct reload_plan *plan)
{
	if (!plan)
		return;
	config_done(&plan->merged);
	for (size_t i = 0; i < plan->n_changes; i++)
		free(plan->changes[i].text);
	free(plan->changes);
	*plan = (struct reload_plan){};
}
