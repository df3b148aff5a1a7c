/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a reload has to do: two configurations of one container compared key by key, as they are
 * written. Nothing here touches the container, or logs.
 */

#include "config.h"

/* How a change of a key reaches a running container. */
enum reload_class {
	RELOAD_UNKNOWN,	 /* somebody forgot the key in reload-keys.c */
	RELOAD_RESTART,	 /* not at all */
	RELOAD_MEMORY,	 /* the launcher only has to know of it */
	RELOAD_UNIT,	 /* by systemd, from the unit that the generator makes anew */
	RELOAD_NETWORK,	 /* narthex-network changes it */
	RELOAD_HOSTNAME, /* the launcher sets it in the guest's namespace */
	RELOAD_BINDS,	 /* the launcher mounts and unmounts it */
};

/* section: "Link" for any [Link NAME]. */
enum reload_class reload_class(const char *section, const char *key);

/* Whether systemd applies a key of [Service] to a unit that runs when it reads the unit again. */
bool reload_service_key_is_live(const char *key);

struct reload_change {
	enum reload_class class;
	char *text; /* "[Network] MTU=1400 (was 1500)" */
};

struct reload_plan {
	/* what runs afterwards: keys that need a restart are the running ones still */
	struct container_config merged;
	struct reload_change *changes;
	size_t n_changes;
};

/*
 * Compares. service: the container is a unit; of others the sections that go into it mean nothing.
 * 0, or -EINVAL when what could be changed makes no sense with what needs a restart (logged; where:
 * named in it), or -ENOMEM.
 */
int reload_plan_make(const struct container_config *running, const struct container_config *wanted,
	bool service, const char *where, struct reload_plan *ret);

/* Whether any change is of that class. */
bool reload_plan_has(const struct reload_plan *plan, enum reload_class class);

/* NULL is fine. */
void reload_plan_done(struct reload_plan *plan);
