/* SPDX-License-Identifier: MIT */

/* narthex stop, narthex kill. */

#include "../containers.h"
#include "../launcher-status.h"
#include "cleanup.h"
#include "ctl.h"
#include "lifecycle.h"
#include "log.h"

#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

const struct verb_option kill_options[] = {
	{ "signal", "SIGNAL", NULL,
		.help = "send this to the container's PID 1 instead (TERM, 15, RTMIN+4)",
		.letter = 's' },
	{},
};

/* All names have to be known before anything happens to the first. */
static int stop(const struct verb *verb, char *const *names, size_t n, bool at_once)
{
	sd_bus *bus = NULL;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (!container_is_known(verb->name, names[i]))
			return STATUS_FAILED;
	if (bus_is_possible())
		r = bus_open(&bus);
	if (r >= 0)
		r = containers_stop(bus, verb->name, names, n, at_once);
	sd_bus_flush_close_unref(bus);
	return r < 0 ? STATUS_FAILED : 0;
}

int cmd_stop(const struct verb *verb, int argc, char **argv)
{
	int first, status = verb_parse(verb, argc, argv, NULL, NULL, &first);

	if (status >= 0)
		return status;
	if (first == argc)
		return verb_usage(verb);
	return stop(verb, argv + first, (size_t)(argc - first), false);
}

/* A decimal number up to max. -EINVAL: it is none. */
static int parse_number(const char *text, int max)
{
	int value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -EINVAL;
	}
	return value;
}

/* TERM, SIGTERM, 15, RTMIN+3. -EINVAL: there is no such signal. */
static int parse_signal(const char *text)
{
	int n = parse_number(text, SIGRTMAX);

	if (n > 0)
		return n;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncasecmp(text, "RTMIN+", 6) == 0) {
		n = parse_number(text + 6, SIGRTMAX - SIGRTMIN);
		return n < 0 ? n : SIGRTMIN + n;
	}
	for (n = 1; n < SIGRTMIN; n++) {
		const char *name = sigabbrev_np(n);

		if (name && strcasecmp(name, text) == 0)
			return n;
	}
	return -EINVAL;
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	int *signal_number = userdata;

	(void)option;
	*signal_number = parse_signal(arg);
	if (*signal_number > 0)
		return 0;
	log_error("kill: there is no signal '%s'", arg);
	return STATUS_USAGE;
}

/* Sends a signal to the PID 1 of one container. */
static int signal_leader(const char *name, int signal_number)
{
	_cleanup_(launcher_status_done) struct launcher_status status = LAUNCHER_STATUS_NULL;
	_cleanup_close_ int leader = -EBADF;
	int r;

	if (!container_is_known("kill", name))
		return -ENOENT;
	r = launcher_ask(name, &status);
	if (r == 0)
		r = leader = launcher_open_leader(name, &status);
	if (r >= 0 && pidfd_send_signal(leader, signal_number, NULL, 0) < 0)
		r = -errno;
	if (r == -ENOENT || r == -ESRCH) {
		log_error("kill: container '%s' is not running", name);
		return r;
	}
	if (r == -EACCES)
		log_error("kill: no permission for container '%s': become root", name);
	else if (r < 0)
		log_errno(r, "kill: cannot send a signal to container '%s'", name);
	return r;
}

int cmd_kill(const struct verb *verb, int argc, char **argv)
{
	int signal_number = SIGKILL, first, status;

	status = verb_parse(verb, argc, argv, on_option, &signal_number, &first);
	if (status >= 0)
		return status;
	if (first == argc)
		return verb_usage(verb);
	if (signal_number == SIGKILL)
		return stop(verb, argv + first, (size_t)(argc - first), true);
	status = 0;
	for (; first < argc; first++)
		if (signal_leader(argv[first], signal_number) < 0)
			status = STATUS_FAILED;
	return status;
}
