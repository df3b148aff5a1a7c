/* SPDX-License-Identifier: MIT */
#pragma once

/* Starting and stopping containers, whether systemd runs them or a caller in the foreground. */

#include "bus.h"

#include <stdbool.h>

/* What keeps a container running. */
enum runner {
	RUNNER_NONE,	   /* it doesn't run */
	RUNNER_UNIT,	   /* container-NAME.service, which may be starting or stopping */
	RUNNER_FOREGROUND, /* somebody's `narthex run` or narthex-launch */
	RUNNER_UNKNOWN,	   /* it runs, and only root may know how */
};

/*
 * Finds out. bus: NULL on a host without systemd. ret_launcher (may be NULL) gets a pidfd of the
 * launcher where it runs in the foreground, else -EBADF. Logs. -errno when systemd doesn't answer.
 */
int runner_find(
	sd_bus *bus, const char *verb, const char *container, enum runner *ret, int *ret_launcher);

/*
 * Stops containers and waits for their ends; one that doesn't run is fine. at_once: the guest is
 * killed instead of asked. bus: as above. Logs. 0, or -errno when any of them still runs.
 */
int containers_stop(sd_bus *bus, const char *verb, char *const *containers, size_t n, bool at_once);

/*
 * Starts or restarts (method: StartUnit, RestartUnit) containers and waits for them; says why one
 * did not start. Units are made anew first where the configuration has changed. Logs. 0, or -EIO
 * when any of them failed.
 */
int containers_start(
	sd_bus *bus, const char *verb, const char *method, char *const *containers, size_t n);
