/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Another launcher in the place of the running one, with the same pid and the same guest: asked
 * for by a request on the control socket, since a signal would be the end of an older launcher.
 *
 * The answer to whoever asked is as that of a reload (reload.h): "ok" without more when the
 * launcher is that one already; from the new launcher, "applied: launcher …" when it has taken
 * over; "failed" and why when the old one goes on.
 */

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct upgrade {
	char *path; /* the new launcher; NULL: no upgrade is under way */
	bool dry_run;
	int client; /* who asked */
	FILE *answer;
	char *text; /* of answer */
	size_t size;
	char *version; /* in the new launcher: of the old one */

	/* the new launcher, executed for a look at what it would get */
	int pidfd, words_fd;
	struct event *end_event, *deadline;
};

#define UPGRADE_NULL ((struct upgrade){ .client = -EBADF, .pidfd = -EBADF, .words_fd = -EBADF })
