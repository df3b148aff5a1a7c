/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * /run/narthex/NAME/launcher.socket: SOCK_SEQPACKET, mode 0600, peers with uid 0 only. One request
 * a connection, one message of text each way:
 *
 *   status   a JSON object
 *   pty      "ok", with two descriptors: master and slave of a new pty of the container's devpts
 *   reload, reload dry-run
 *            "ok" or "failed", and a line for each change and each error (reload.h)
 *   upgrade PATH, upgrade-dry-run PATH
 *            the same (upgrade.h)
 *
 * Anything else gets "error: ..." and the connection is closed.
 */

#include "hand-over.h"
#include "launch.h"

#include <event2/event.h>

enum control_request {
	CONTROL_STATUS,
	CONTROL_PTY,
	CONTROL_RELOAD,
	CONTROL_RELOAD_DRY_RUN,
	CONTROL_UPGRADE,
	CONTROL_UPGRADE_DRY_RUN,
	CONTROL_UNKNOWN,
};

/* What a client asks for. *ret_argument: what follows the word, "" for none. request has a NUL
 * behind its end. Pure. */
enum control_request control_parse(const char *request, size_t len, const char **ret_argument);

#define CONTROL_BACKLOG 16

struct control {
	struct event_base *base; /* borrowed */
	struct event *listening;
	struct client *clients; /* connected and not answered yet */
	int fd;
	int adopted[CONTROL_BACKLOG]; /* of an earlier launcher's clients, until there is a loop */
	size_t n_adopted;
	/* asks the supervisor; *ret: caller frees. 0 or -errno */
	int (*status)(void *arg, char **ret);
	int (*pty)(void *arg, int ret_fds[2]);
	/* answers on fd (consumed) when it is done */
	void (*reload)(void *arg, bool dry_run, int fd);
	void (*upgrade)(void *arg, const char *path, bool dry_run, int fd);
	void *arg;
};

#define CONTROL_NULL ((struct control){ .fd = -EBADF })

/* Binds and listens; the callbacks and arg are set by the caller before. Logs. 0 or -errno. */
int control_start(struct control *control, struct event_base *base, const struct state *state);

/* The next launcher listens, and answers those who are connected: there control_resume() follows
 * instead of control_start(). */
void control_hand_over(struct control *control, struct hand_over *h);
int control_resume(struct control *control, struct event_base *base);

/* Stops listening, lets waiting clients go. Safe on the null state. */
void control_stop(struct control *control);
