/* SPDX-License-Identifier: MIT */
#pragma once

/* Tells when the other end of a stream socket has gone for good; a half-close doesn't count. */

#include <stdbool.h>

#include <event2/event.h>
#include <event2/event_struct.h>

struct hangups {
	int epoll_fd;
	struct event event;
};

struct hangup_watch {
	int fd;	    /* borrowed; negative: not watching */
	bool ended; /* the peer ended its side first (a half-close) and then went */
	void (*gone)(void *arg);
	void *arg;
};

/* Null states: safe for hangups_done() and hangup_stop(). */
#define HANGUPS_NULL ((struct hangups){ .epoll_fd = -EBADF })
#define HANGUP_WATCH_NULL ((struct hangup_watch){ .fd = -EBADF })

/* 0 or -errno. */
int hangups_init(struct hangups *hangups, struct event_base *base);
void hangups_done(struct hangups *hangups);

/*
 * Calls gone(arg) from the loop, once, when fd's peer is gone; watch->ended says how, though
 * another process may have watched fd when it ended. fd: borrowed, must stay open until
 * hangup_stop() or gone(). watch: must stay in its place as long. 0 or -errno.
 */
int hangup_start(struct hangups *hangups, struct hangup_watch *watch, int fd,
	void (*gone)(void *arg), void *arg);
void hangup_stop(struct hangups *hangups, struct hangup_watch *watch);
