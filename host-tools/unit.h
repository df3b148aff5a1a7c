/* SPDX-License-Identifier: MIT */
#pragma once

/* The systemd units of containers, as text. */

#include "config/config.h"

#include <stdio.h>

/* What the units of one run of the generator have in common. */
struct unit_programs {
	const char *launcher; /* absolute paths */
	const char *generator;
	const char *ctl;
};

/*
 * Writes container-NAME.service; source: the file it comes from. Errors of f are left to its
 * fclose(). wrong: config is what is right of it. A start says what isn't and fails; a container
 * that runs already keeps its limits, device policy and way to end, which systemd takes from the
 * unit as it is now.
 */
void unit_write(FILE *f, const struct container_config *config, bool wrong, const char *source,
	const struct unit_programs *programs);

/* Writes a machines.target for hosts that have none (it belongs to systemd's container package). */
void unit_write_machines_target(FILE *f);
