/* SPDX-License-Identifier: MIT */

/*
 * Files are replaced by others of their name as often as they are written, and by a link as often
 * as not, so their directories are watched, not they themselves. All are asked for again after each
 * event: a directory that has come since is among them then.
 */

#include "cleanup.h"
#include "hosts.h"
#include "log.h"
#include "resolv.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>

static void watch_directories(const struct resolv_watch *watch)
{
	const uint32_t changes = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE;
	char path[PATH_MAX];

	(void)inotify_add_watch(watch->fd, "/etc", changes | IN_ONLYDIR);
	(void)inotify_add_watch(watch->fd, "/run/systemd", IN_CREATE | IN_ONLYDIR);
	(void)inotify_add_watch(watch->fd, "/run/systemd/resolve", changes | IN_ONLYDIR);
	/* where the link of a network manager leads */
	if (realpath("/etc/resolv.conf", path)) {
		*strrchr(path, '/') = '\0';
		(void)inotify_add_watch(watch->fd, path, changes | IN_ONLYDIR);
	}
}

static void on_change(int fd, short what, void *arg)
{
	struct resolv_watch *watch = arg;
	char events[4096];

	(void)what;
	while (read(fd, events, sizeof(events)) > 0)
		;
	watch_directories(watch);
	(void)resolv_refresh(watch->launch);
	(void)hosts_refresh(&watch->launch->config, watch->launch->state.dir_fd);
}

void resolv_watch_start(
	struct resolv_watch *watch, struct event_base *base, const struct launch *launch)
{
	if (faccessat(launch->state.dir_fd, RESOLV_FILE, F_OK, 0) < 0 && !launch->config.hosts)
		return; /* it has no copy */
	watch->launch = launch;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->event = watch->fd < 0
			       ? NULL
			       : event_new(base, watch->fd, EV_READ | EV_PERSIST, on_change, watch);
	if (!watch->event || event_add(watch->event, NULL) < 0) {
		log_warning("cannot watch the host's resolvers: container '%s' keeps those of now",
			launch->config.name);
		resolv_watch_stop(watch);
		return;
	}
	watch_directories(watch);
	/* what has happened until now */
	(void)resolv_refresh(launch);
	(void)hosts_refresh(&launch->config, launch->state.dir_fd);
}

void resolv_watch_stop(struct resolv_watch *watch)
{
	if (watch->event)
		event_free(watch->event);
	close_fdp(&watch->fd);
	*watch = RESOLV_WATCH_NULL;
}
