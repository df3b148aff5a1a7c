/* SPDX-License-Identifier: MIT */
#include "restart.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>

/*
 * SIGTERM is the same for a stop and for a restart. systemd keeps what is in the fd store over a
 * restart only, so it matters which of them it is: PID 1 knows by the job that it is carrying out.
 * It is asked on its private socket, where it answers root without a D-Bus daemon.
 */

#define PRIVATE_BUS "unix:path=/run/systemd/private"
#define SERVICE "org.freedesktop.systemd1"
#define TIMEOUT_USEC 2000000

/* Caller frees with sd_bus_unref(); NULL: there is no systemd. */
static sd_bus *connect_to_systemd(void)
{
	sd_bus *bus = NULL;

	if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, PRIVATE_BUS) < 0 ||
		sd_bus_set_method_call_timeout(bus, TIMEOUT_USEC) < 0 || sd_bus_start(bus) < 0)
		return sd_bus_close_unref(bus);
	return bus;
}

/* The path of our own unit's job ("/" when there is none), caller frees; NULL: can't be told. */
static char *find_job(sd_bus *bus, const char *unit)
{
	sd_bus_message *reply = NULL;
	const char *job, *path;
	char *copy = NULL;

	if (sd_bus_call_method(bus, SERVICE, "/org/freedesktop/systemd1", SERVICE ".Manager",
		    "GetUnit", NULL, &reply, "s", unit) >= 0 &&
		sd_bus_message_read(reply, "o", &path) >= 0) {
		sd_bus_message *property = NULL;

		if (sd_bus_get_property(bus, SERVICE, path, SERVICE ".Unit", "Job", NULL, &property,
			    "(uo)") >= 0 &&
			sd_bus_message_read(property, "(uo)", NULL, &job) >= 0)
			copy = strdup(job);
		(void)sd_bus_message_unref(property);
	}
	(void)sd_bus_message_unref(reply);
	return copy;
}

bool restart_is_pending(void)
{
	char *unit = NULL, *job = NULL, *type = NULL;
	sd_bus *bus = NULL;
	bool pending = false;

	if (getenv("NOTIFY_SOCKET") && sd_pid_get_unit(0, &unit) >= 0)
		bus = connect_to_systemd();
	if (bus)
		job = find_job(bus, unit);
	if (job && sd_bus_get_property_string(
			   bus, SERVICE, job, SERVICE ".Job", "JobType", NULL, &type) >= 0)
		pending = strcmp(type, "restart") == 0 || strcmp(type, "try-restart") == 0;
	free(type);
	free(job);
	free(unit);
	(void)sd_bus_close_unref(bus);
	return pending;
}
