/* SPDX-License-Identifier: MIT */

/*
 * poll() asks every file before it sleeps and again when it wakes up, and a terminal thinks about
 * it each time. Of a typed key's way to its echo, two sleeps of the client, that is a twentieth; an
 * epoll instance asks only who has called.
 */

#include "quick-poll.h"

#include "cleanup.h"

#include <errno.h>
#include <sys/epoll.h>

#define EVENTS_MAX 8

int quick_poll_open(const struct pollfd *fds, size_t n)
{
	_cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };

		if (fds[i].fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, fds[i].fd, &event) < 0)
			return -errno;
	}
	return TAKE_FD(fd);
}

int quick_poll(int fd, struct pollfd *fds, size_t n, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(fd, events, EVENTS_MAX, timeout_ms);

	for (size_t i = 0; i < n; i++)
		fds[i].revents = 0;
	for (int i = 0; i < count; i++)
		/* the bits are the same */
		fds[events[i].data.u64].revents = (short)events[i].events;
	return count;
}
