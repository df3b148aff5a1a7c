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
 * fclose().
 */
void unit_write(FILE *f, const struct container_config *config, const char *source,
	const struct unit_programs *programs);

/* Writes the service of a container whose configuration is wrong: its start says so and fails. */
void unit_write_refusal(
	FILE *f, const char *name, const char *source, const struct unit_programs *programs);

/* Writes a machines.target for hosts that have none (it belongs to systemd's container package). */
void unit_write_machines_target(FILE *f);
