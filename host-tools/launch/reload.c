/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* What fits into one message; nobody reads more lines either. */
#define ANSWER_MAX (128 * 1024)

static void send_answer(int client, const char *verdict, const char *text)
{
	_cleanup_free_ char *answer = NULL;
	size_t len;

	if (asprintf(&answer, "%s\n%s", verdict, text ? text : "") < 0) {
		answer = NULL;
		return;
	}
	len = strlen(answer);
	if (fd_send_message(
		    client, answer, len < ANSWER_MAX ? len : ANSWER_MAX, NULL, 0, MSG_DONTWAIT) < 0)
		log_debug("cannot answer on the control socket");
}

/* --- systemd is told -------------------------------------------------------------------------- */

/* sd_notify(3): a reload begins and ends, in a unit that runs. */
static void notify_begin(const struct reload *reload)
{
	struct timespec now;
	char message[128];

	if (!reload->launch->service || reload->dry_run)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(message, sizeof(message),
		"RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	(void)notify_systemd(message);
}

static void notify_end(const struct reload *reload)
{
	if (reload->launch->service && !reload->dry_run)
		(void)notify_systemd("READY=1\nSTATUS=Running");
}

/* --- the end ---------------------------------------------------------------------------------- */

static const char *prefix_of(const struct reload *reload, enum reload_class class)
{
	if (class == RELOAD_RESTART)
		return "needs a restart";
	if (reload->dry_run)
		return "would be applied";
	return class == RELOAD_UNIT ? "unit" : "applied";
}

static void list_changes(struct reload *reload)
{
	static const enum reload_class order[] = { RELOAD_NETWORK, RELOAD_BINDS, RELOAD_MEMORY,
		RELOAD_UNIT, RELOAD_RESTART };
	const struct reload_plan *plan = &reload->plan;

	for (size_t o = 0; o < ARRAY_SIZE(order); o++)
		for (size_t i = 0; i < plan->n_changes; i++)
			if (plan->changes[i].class == order[o])
				(void)fprintf(reload->answer, "%s: %s\n",
					prefix_of(reload, order[o]), plan->changes[i].text);
}

static void finish(struct reload *reload, bool ok)
{
	log_copy_to(NULL);
	if (ok) {
		list_changes(reload);
		if (!reload->dry_run) {
			struct container_config old = reload->launch->config;

			reload->launch->config = reload->plan.merged;
			reload->plan.merged = old;
		}
	}
	if (fclose(reload->answer) == 0)
		send_answer(reload->client, ok ? "ok" : "failed", reload->text);
	notify_end(reload);
	reload_plan_done(&reload->plan);
	close_fdp(&reload->client);
	free(reload->text);
	*reload = RELOAD_NULL;
}

/* --- the beginning ---------------------------------------------------------------------------- */

static int make_plan(struct reload *reload)
{
	const struct launch *launch = reload->launch;
	_cleanup_(config_done) struct container_config wanted = {};
	const char *where = launch->config_file ? launch->config_file : launch->config.name;
	int r;

	if (!launch->has_file) {
		log_error("container '%s' was started with options, not from a file: there is "
			  "nothing to read again",
			launch->config.name);
		return -EOPNOTSUPP;
	}
	r = config_load(launch->config.name, launch->config_file, &wanted);
	if (r < 0)
		return r;
	r = reload_plan_make(&launch->config, &wanted, launch->service, where, &reload->plan);
	if (r == -EINVAL)
		log_error("the changes of container '%s' can't be applied without its restart",
			launch->config.name);
	else if (r < 0)
		log_errno(r, "cannot compare the configurations");
	return r;
}

void reload_start(struct reload *reload, struct event_base *base, struct launch *launch,
	const struct reload_guest *guest, bool dry_run, int client)
{
	int r = 0;

	if (reload->launch || !guest->is_running) {
		char line[128];

		(void)snprintf(line, sizeof(line), "error: %s\n",
			reload->launch ? "another reload is under way: try again when it has ended"
				       : "the container is starting or stopping: try again when "
					 "it runs");
		send_answer(client, "failed", line);
		(void)close(client);
		return;
	}
	*reload = (struct reload){
		.launch = launch,
		.base = base,
		.dry_run = dry_run,
		.client = client,
	};
	reload->answer = open_memstream(&reload->text, &reload->size);
	if (!reload->answer) {
		close_fdp(&reload->client);
		*reload = RELOAD_NULL;
		return;
	}
	notify_begin(reload);
	log_copy_to(reload->answer);
	r = make_plan(reload);
	finish(reload, r >= 0);
}

void reload_abort(struct reload *reload)
{
	if (!reload->launch)
		return;
	log_error("the container has ended while it was changed");
	finish(reload, false);
}
