/* SPDX-License-Identifier: MIT */
#pragma once

/* A new configuration in a running container, without a reboot of it. */

#include "../config/config.h"

#include <stdbool.h>

/* A status of NixOS's switch-to-configuration: only a reboot can do it. */
#define ACTIVATE_NEEDS_REBOOT 100

/*
 * Runs what activates the configuration in the guest, with our stdout and stderr: SwitchCommand=,
 * or switch-to-configuration of system, or where there is none (system: NULL) what is usual for
 * init
 * ("systemd"). Returns its status, as exec_client() does. Logs.
 */
int activate_run(const struct container_config *config, const char *system, const char *init);

/*
 * Activates what Path= leads to now in a running container, if that isn't what it has already (then
 * 0 at once). On success it is the current one. What happened is one entry of the journal. A
 * configuration without Path= has nothing to activate here. Returns 0, the status of what was run
 * in the guest, or STATUS_FAILED. Logs. *ret_changed (may be NULL): whether anything was run.
 */
int activate_system(const char *verb, const struct container_config *config, bool *ret_changed);

/* One entry of the journal on the container's way from one system to another. from: may be NULL. */
void activate_note(const char *name, const char *from, const char *to, int status);
