/* SPDX-License-Identifier: MIT */
#pragma once

/* A machine of systemd-nspawn's as a container. */

#include "../config/config.h"

#define MACHINES_DIR "/var/lib/machines"

/* One setting, "SECTION.KEY" and its value, for the caller to keep. 0 or -errno, which ends it. */
typedef int from_nspawn_setting(void *userdata, const char *setting, const char *value);

/*
 * Hands what the machine's .nspawn file says to callback, if it has one, and what its tree needs
 * besides: the range that its owners are shifted to, systemd-nspawn's names of a link. Logs.
 */
int from_nspawn(
	const char *machine, const char *tree, from_nspawn_setting *callback, void *userdata);
