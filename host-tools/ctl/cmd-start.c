/* SPDX-License-Identifier: MIT */

/* narthex start, narthex restart. */

#include "ctl.h"
#include "lifecycle.h"

static int run(const struct verb *verb, int argc, char **argv, const char *method)
{
	int first, status, r;
	sd_bus *bus = NULL;

	status = verb_parse(verb, argc, argv, NULL, NULL, &first);
	if (status >= 0)
		return status;
	if (first == argc)
		return verb_usage(verb);
	r = bus_open(&bus);
	if (r >= 0)
		r = containers_start(bus, verb->name, method, argv + first, (size_t)(argc - first));
	sd_bus_flush_close_unref(bus);
	return r < 0 ? STATUS_FAILED : 0;
}

int cmd_start(const struct verb *verb, int argc, char **argv)
{
	return run(verb, argc, argv, "StartUnit");
}

int cmd_restart(const struct verb *verb, int argc, char **argv)
{
	return run(verb, argc, argv, "RestartUnit");
}
