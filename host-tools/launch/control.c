/* SPDX-License-Identifier: MIT */
#include "control.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define REQUEST_MAX 256
#define BACKLOG 16
static const struct timeval request_deadline = { .tv_sec = 5 };

struct client {
	struct control *control;
	struct client *next, **at; /* in control->clients */
	struct event *readable;
	int fd;
};

static void client_free(struct client *client)
{
	*client->at = client->next;
	if (client->next)
		client->next->at = client->at;
	event_free(client->readable);
	close_fdp(&client->fd);
	free(client);
}

static void reply(int fd, const char *text, const int *fds, size_t n)
{
	if (fd_send_message(fd, text, strlen(text), fds, n, MSG_DONTWAIT) < 0)
		log_debug("cannot answer on the control socket");
}

static void reply_status(struct control *control, int fd)
{
	_cleanup_free_ char *text = NULL;

	if (control->status(control->arg, &text) < 0)
		reply(fd, "error: no status", NULL, 0);
	else
		reply(fd, text, NULL, 0);
}

static void reply_pty(struct control *control, int fd)
{
	int fds[2], r = control->pty(control->arg, fds);
	char text[128];

	if (r < 0) {
		(void)snprintf(text, sizeof(text), "error: cannot open a pty: %s", strerror(-r));
		reply(fd, text, NULL, 0);
		return;
	}
	reply(fd, "ok", fds, 2);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

enum control_request control_parse(const char *request, size_t len)
{
	static const char *const words[] = {
		[CONTROL_STATUS] = "status",
		[CONTROL_PTY] = "pty",
		[CONTROL_RELOAD] = "reload",
		[CONTROL_RELOAD_DRY_RUN] = "reload dry-run",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], request, len) == 0)
			return (enum control_request)i;
	return CONTROL_UNKNOWN;
}

static void answer(struct client *client, int fd, enum control_request request)
{
	struct control *control = client->control;

	switch (request) {
	case CONTROL_STATUS:
		reply_status(control, fd);
		break;
	case CONTROL_PTY:
		reply_pty(control, fd);
		break;
	case CONTROL_RELOAD:
	case CONTROL_RELOAD_DRY_RUN:
		control->reload(
			control->arg, request == CONTROL_RELOAD_DRY_RUN, TAKE_FD(client->fd));
		break;
	case CONTROL_UNKNOWN:
		reply(fd, "error: unknown request: status, pty or reload", NULL, 0);
		break;
	}
}

static void on_request(int fd, short what, void *arg)
{
	struct client *client = arg;
	char request[REQUEST_MAX];
	ssize_t n = what & EV_TIMEOUT ? 0 : recv(fd, request, sizeof(request), MSG_DONTWAIT);

	if (n > 0)
		answer(client, fd, control_parse(request, (size_t)n));
	client_free(client);
}

static void on_connection(int fd, short what, void *arg)
{
	struct control *control = arg;
	_cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred ucred;
	socklen_t len = sizeof(ucred);
	struct client *client;

	(void)what;
	if (peer < 0 || getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &ucred, &len) < 0 ||
		ucred.uid != 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client)
		return;
	client->control = control;
	client->readable = event_new(control->base, peer, EV_READ, on_request, client);
	if (!client->readable || event_add(client->readable, &request_deadline) < 0) {
		if (client->readable)
			event_free(client->readable);
		free(client);
		return;
	}
	client->fd = TAKE_FD(peer);
	client->next = control->clients;
	client->at = &control->clients;
	if (client->next)
		client->next->at = &client->next;
	control->clients = client;
}

int control_start(struct control *control, struct event_base *base, const struct state *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	int r = fd < 0 ? -errno : 0;

	(void)snprintf(address.sun_path, sizeof(address.sun_path),
		"/proc/self/fd/%d/launcher.socket", state->dir_fd);
	if (r >= 0 && (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
			      listen(fd, BACKLOG) < 0))
		r = -errno;
	(void)umask(mask);
	if (r < 0)
		return log_errno(r, "cannot listen on " RUN_DIR "/%s/launcher.socket", state->name);
	control->base = base;
	control->listening = event_new(base, fd, EV_READ | EV_PERSIST, on_connection, control);
	if (!control->listening || event_add(control->listening, NULL) < 0)
		return log_errno(-ENOMEM, "cannot watch the control socket");
	control->fd = TAKE_FD(fd);
	return 0;
}

void control_stop(struct control *control)
{
	while (control->clients)
		client_free(control->clients);
	if (control->listening)
		event_free(TAKE_PTR(control->listening));
	close_fdp(&control->fd);
}
