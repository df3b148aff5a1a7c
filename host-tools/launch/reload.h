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

#include "../config/reload-plan.h"
#include "launch.h"
#include "live-binds.h"

#include <event2/event.h>

struct reload {
	struct launch *launch; /* NULL: none is under way */
	struct event_base *base;
	bool dry_run;
	int client; /* who asked */
	pid_t leader;
	FILE *answer;
	char *text; /* of answer */
	size_t size;
	struct reload_plan plan;
	struct live_binds *live_binds; /* the guest's, borrowed */
	int *match;		       /* binds_match() */
	struct live_binds after;       /* room for those of the new configuration */

	/* the process that makes the changes */
	int pidfd, words_fd, socket;
	struct event *end_event, *words_event, *mount_event;
	struct live_binds told; /* mounts that came over the socket, as many as there is room, */
	size_t n_told;
	FILE *words_file; /* of what it says, */
	char *words;
	size_t words_size;
};

#define RELOAD_NULL                                                                                \
	((struct reload){ .client = -EBADF, .pidfd = -EBADF, .words_fd = -EBADF, .socket = -EBADF })

/* The guest whose container is to be changed. */
struct reload_guest {
	bool is_running;
	int leader_fd; /* borrowed */
	pid_t leader;
	enum init_kind init;
	struct live_binds *live_binds; /* follow the configuration */
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
