/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/*
 * Theory of operation
 *
 * A listener stays readable while a connection waits, so an accept that fails for want of
 * descriptors or memory would come back at once, for ever. All listeners then pause for a moment;
 * clients wait in the backlog meanwhile.
 */

#define PAUSE_USEC 100000
#define BACKLOG 4096

static void set_accepting(struct listeners *listeners, bool on)
{
	for (struct listener *l = listeners->first; l; l = l->next)
		if (on)
			(void)event_add(&l->event, NULL);
		else
			(void)event_del(&l->event);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	set_accepting(arg, true);
}

static void pause_accepting(struct listeners *listeners, int r)
{
	static const struct timeval later = { .tv_usec = PAUSE_USEC };

	log_warning("cannot accept, waiting a moment: %s", strerror(-r));
	set_accepting(listeners, false);
	if (event_add(&listeners->resume, &later) < 0)
		set_accepting(listeners, true);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	int client;

	(void)what;
	/* one a turn: an accept4() that finds nobody costs more than to be called again */
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (client >= 0)
		session_start(listener->all->sessions, listener->door, client);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		pause_accepting(listener->all, -errno);
	/* everything else: whoever it was is gone, or comes again */
}

void listeners_pause(struct listeners *listeners)
{
	(void)event_del(&listeners->resume);
	set_accepting(listeners, false);
}

void listeners_resume(struct listeners *listeners)
{
	set_accepting(listeners, true);
}

int listeners_init(struct listeners *listeners, struct event_base *base, struct sessions *sessions)
{
	*listeners = (struct listeners){ .sessions = sessions, .base = base };
	return event_assign(&listeners->resume, base, -1, 0, on_resume, listeners) < 0 ? -ENOMEM
										       : 0;
}

void listeners_done(struct listeners *listeners)
{
	struct listener *next;

	if (listeners->base)
		(void)event_del(&listeners->resume);
	for (struct listener *l = listeners->first; l; l = next) {
		next = l->next;
		(void)event_del(&l->event);
		if (l->path)
			(void)unlink(l->path);
		close_fdp(&l->fd);
		free(l->path);
		free(l);
	}
	*listeners = (struct listeners){};
}

/* fd: consumed, also on failure. path: copied, may be NULL. */
static int add_listener(
	struct listeners *listeners, const struct door *door, int fd, const char *path)
{
	_cleanup_close_ int owned = fd;
	_cleanup_free_ char *copy = path ? strdup(path) : NULL;
	struct listener *listener = calloc(1, sizeof(*listener));
	int flags = fcntl(fd, F_GETFL);

	if (!listener || (path && !copy) ||
		event_assign(&listener->event, listeners->base, fd, EV_READ | EV_PERSIST,
			on_connection, listener) < 0) {
		free(listener);
		return -ENOMEM;
	}
	/* a client that went away between epoll and accept must not block us */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		free(listener);
		return -errno;
	}
	listener->door = door;
	listener->fd = TAKE_FD(owned);
	listener->path = TAKE_PTR(copy);
	listener->all = listeners;
	listener->next = listeners->first;
	listeners->first = listener;
	return 0;
}

int listeners_take(struct listeners *listeners, const char *name, int fd)
{
	_cleanup_close_ int owned = fd;
	const struct door *door = door_find(name);
	int r;

	if (!door) {
		log_error("unknown socket '%s': FileDescriptorName= must be a door's name: login, "
			  "root-login, root-shell, exec",
			name);
		return -EINVAL;
	}
	r = door_check_socket(door, fd);
	if (r < 0)
		return log_errno(r, "socket '%s' is not what its door needs (a listening %s)", name,
			door->socket_type == SOCK_STREAM ? "ListenStream= Unix socket"
							 : "ListenSequentialPacket= Unix socket");
	r = add_listener(listeners, door, TAKE_FD(owned), NULL);
	if (r < 0)
		return log_errno(r, "cannot listen at door %s", name);
	return 0;
}

/* Whether somebody accepts connections at address: 0, or 1; -errno when it can't be told. */
static int is_served(const struct sockaddr_un *address, int type)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return 1;
	return errno == ECONNREFUSED ? 0 : -errno;
}

static int remove_stale(const struct sockaddr_un *address, int type)
{
	struct stat st;
	int r;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	r = is_served(address, type);
	if (r < 0)
		return r;
	if (r > 0)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int bind_socket(const struct door *door, const char *path)
{
	_cleanup_close_ int fd =
		socket(AF_UNIX, door->socket_type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = remove_stale(&address, door->socket_type);
	if (r < 0)
		return r;
	/* by umask, so that there is no moment with another mode */
	mask = umask(0777 & ~door->mode);
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (r < 0)
		return r;
	if (listen(fd, BACKLOG) < 0) {
		r = -errno;
		(void)unlink(path);
		return r;
	}
	return TAKE_FD(fd);
}

/* Of an agent that has executed itself anew: it is bound already. */
static struct listener *find_bound(
	struct listeners *listeners, const struct door *door, const char *path)
{
	for (struct listener *l = listeners->first; l; l = l->next) {
		struct sockaddr_un address = {};
		socklen_t len = sizeof(address) - 1;

		if (l->door == door && !l->path &&
			getsockname(l->fd, (struct sockaddr *)&address, &len) == 0 &&
			strcmp(address.sun_path, path) == 0)
			return l;
	}
	return NULL;
}

int listeners_bind(struct listeners *listeners, const struct door *door, const char *path)
{
	struct listener *bound = find_bound(listeners, door, path);
	int r;

	if (bound) {
		bound->path = strdup(path);
		return bound->path ? 0 : log_errno(-ENOMEM, "cannot listen at '%s'", path);
	}
	r = bind_socket(door, path);
	if (r >= 0)
		r = add_listener(listeners, door, r, path);
	if (r < 0)
		return log_errno(r, "cannot listen at '%s'", path);
	return 0;
}

int listeners_start(struct listeners *listeners)
{
	for (struct listener *l = listeners->first; l; l = l->next)
		if (event_add(&l->event, NULL) < 0)
			return -ENOMEM;
	return 0;
}
