/* SPDX-License-Identifier: MIT */
#include "hangup.h"

#include "cleanup.h"

#include <sys/epoll.h>
#include <sys/socket.h>

/*
 * Theory of operation
 *
 * A client that half-closes (shutdown(SHUT_WR)) still reads what its program writes; one that is
 * gone doesn't. The kernel tells the two apart, EPOLLRDHUP and EPOLLHUP, but libevent reports
 * both as EV_CLOSED, or as readable and writable, which no socket of a root shell may be watched
 * for: its bytes are the shell's. So the sockets are watched in an epoll instance of their own,
 * which libevent watches: it is readable when one of its members has something to tell. A member
 * asks for EPOLLRDHUP until that has come, then for nothing: the kernel delivers EPOLLHUP and
 * EPOLLERR all the same.
 *
 * That a peer has ended its side is noted on the socket itself, by a priority, which means nothing
 * for AF_UNIX: an agent that takes the session over, and finds the peer gone, knows how it went.
 *
 * One member is fetched at a time, and a told one is removed before its callback runs: a callback
 * may stop any other watch without leaving a stale pointer in an array of ours.
 */

#define PER_TURN 64
#define PRIORITY_ENDED 1

static void note_ended(struct hangup_watch *watch)
{
	const int priority = PRIORITY_ENDED;

	watch->ended = true;
	(void)setsockopt(watch->fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
}

static bool was_ended(int fd)
{
	int priority = 0;
	socklen_t size = sizeof(priority);

	return getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, &size) == 0 &&
	       priority == PRIORITY_ENDED;
}

static void hangups_ready(evutil_socket_t fd, short what, void *arg)
{
	struct epoll_event event;

	(void)what;
	(void)arg;
	for (int i = 0; i < PER_TURN && epoll_wait(fd, &event, 1, 0) == 1; i++) {
		struct hangup_watch *watch = event.data.ptr;

		if (!(event.events & (EPOLLHUP | EPOLLERR))) {
			struct epoll_event only_gone = { .data.ptr = watch };

			note_ended(watch);
			(void)epoll_ctl(fd, EPOLL_CTL_MOD, watch->fd, &only_gone);
			continue;
		}
		(void)epoll_ctl(fd, EPOLL_CTL_DEL, watch->fd, NULL);
		watch->fd = -EBADF;
		watch->gone(watch->arg);
	}
}

int hangups_init(struct hangups *hangups, struct event_base *base)
{
	_cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (event_assign(&hangups->event, base, fd, EV_READ | EV_PERSIST, hangups_ready, NULL) <
			0 ||
		event_add(&hangups->event, NULL) < 0)
		return -ENOMEM;
	hangups->epoll_fd = TAKE_FD(fd);
	return 0;
}

void hangups_done(struct hangups *hangups)
{
	if (hangups->epoll_fd < 0)
		return;
	(void)event_del(&hangups->event);
	close_fdp(&hangups->epoll_fd);
}

int hangup_start(struct hangups *hangups, struct hangup_watch *watch, int fd,
	void (*gone)(void *arg), void *arg)
{
	struct epoll_event event = { .events = EPOLLRDHUP, .data.ptr = watch };

	*watch =
		(struct hangup_watch){ .fd = fd, .ended = was_ended(fd), .gone = gone, .arg = arg };
	if (epoll_ctl(hangups->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		watch->fd = -EBADF;
		return -errno;
	}
	return 0;
}

void hangup_stop(struct hangups *hangups, struct hangup_watch *watch)
{
	if (watch->fd >= 0)
		(void)epoll_ctl(hangups->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -EBADF;
}
