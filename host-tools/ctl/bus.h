/* SPDX-License-Identifier: MIT */
#pragma once

/* systemd of the host over D-Bus: org.freedesktop.systemd1(5). */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#define UNIT_NAME_SIZE (sizeof("container-.service") + 63)

void unit_name(const char *container, char ret[UNIT_NAME_SIZE]);

/*
 * Connects to systemd; as root without dbus-daemon, which need not be there. -EOPNOTSUPP when
 * another program is PID 1. Logs, and says what to do. *ret: sd_bus_flush_close_unref().
 */
int bus_open(sd_bus **ret);

/* Whether systemd is PID 1. */
bool bus_is_possible(void);

/* systemctl daemon-reload: makes the units of /etc/narthex anew. Logs. 0 or -errno. */
int bus_reload(sd_bus *bus);

/* What systemd has to say of a unit. */
struct unit_state {
	char load[16];	 /* "loaded", "not-found", … */
	char active[16]; /* "active", "activating", "deactivating", "inactive", "failed" */
	char sub[32];
	char result[32]; /* of a service: "success", "exit-code", "timeout", … */
	int main_status; /* how the launcher ended last: its status or signal */
	unsigned main_pid;
	bool need_reload; /* the configuration has changed since systemd read it */
};

/* 0 or -errno; a unit that isn't there is "not-found" and "inactive". Doesn't log. */
int unit_get_state(sd_bus *bus, const char *container, struct unit_state *ret);

/* One row of a list of units. */
struct unit_row {
	char name[UNIT_NAME_SIZE];
	char active[16];
	char sub[32];
};

/* All units container-*.service that systemd has in memory. *ret: caller frees. Returns their
 * number or -errno. Doesn't log. */
int units_list(sd_bus *bus, struct unit_row **ret);

/* One job of systemd and how it ended. */
struct unit_job {
	const char *container;
	char path[128];
	char result[32]; /* "done", "failed", "canceled", "timeout", "dependency", "skipped", … */
};

/*
 * Calls method (StartUnit, StopUnit, RestartUnit) for each job's container and waits until every
 * job is done; whoever failed to get one has an empty result and has been logged with verb. Returns
 * -errno only when nothing can be said of any.
 */
int units_run(sd_bus *bus, const char *verb, const char *method, struct unit_job *jobs, size_t n);

/* Sends a signal to the launcher of a unit; -errno. Doesn't log. */
int unit_signal_launcher(sd_bus *bus, const char *container, int signal_number);

/* Logs an error that systemd has answered with; r: of the call. Returns r. */
int bus_log_error(const char *verb, const char *container, const sd_bus_error *error, int r);
