/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Applies a changed configuration to the running container, all of it or nothing.
 *
 * The answer to whoever asked is one message of text: "ok" or "failed", and lines that begin with
 *
 *   applied:            a change that is in effect now
 *   would be applied:   the same of a dry run
 *   unit:               one that takes effect when systemd reads its units again
 *   needs a restart:    one that waits for the container's next start
 *   error:, warning:    why it failed, and what else there is to know
 */

#include "../reload-plan.h"
#include "launch.h"

#include <event2/event.h>

struct reload {
	struct launch *launch; /* NULL: none is under way */
	struct event_base *base;
	bool dry_run;
	int client; /* who asked */
	FILE *answer;
	char *text; /* of answer */
	size_t size;
	struct reload_plan plan;

	/* the process that makes the changes */
	int pidfd, words_fd;
	struct event *end_event, *words_event;
	FILE *words_file; /* of what it says, */
	char *words;
	size_t words_size;
};

#define RELOAD_NULL ((struct reload){ .client = -EBADF, .pidfd = -EBADF, .words_fd = -EBADF })

/* The guest whose container is to be changed. */
struct reload_guest {
	bool is_running;
	int leader_fd; /* borrowed */
	pid_t leader;
};

/*
 * Reads the configuration again and begins to apply what has changed; answers on client (consumed)
 * when that has come to its end. One at a time. launch->config changes at the end of one that
 * succeeds. Logs.
 */
void reload_start(struct reload *reload, struct event_base *base, struct launch *launch,
	const struct reload_guest *guest, bool dry_run, int client);

/* The guest has ended: so does a reload that is under way. Safe on the null state. */
void reload_abort(struct reload *reload);
