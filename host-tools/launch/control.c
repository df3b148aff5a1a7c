/* SPDX-License-Identifier: MIT */
#include "control.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define REQUEST_MAX (PATH_MAX + 32)
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

enum control_request control_parse(const char *request, size_t len, const char **ret_argument)
{
	static const struct {
		const char *word;
		bool has_argument;
	} words[] = {
		[CONTROL_STATUS] = { "status", false },
		[CONTROL_PTY] = { "pty", false },
		[CONTROL_RELOAD] = { "reload", false },
		[CONTROL_RELOAD_DRY_RUN] = { "reload dry-run", false },
		[CONTROL_UPGRADE] = { "upgrade ", true },
		[CONTROL_UPGRADE_DRY_RUN] = { "upgrade-dry-run ", true },
	};

	*ret_argument = "";
	if (strlen(request) != len)
		return CONTROL_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i].word);

		if (strncmp(words[i].word, request, n) != 0 ||
			(request[n] != '\0') != words[i].has_argument)
			continue;
		*ret_argument = request + n;
		return (enum control_request)i;
	}
	return CONTROL_UNKNOWN;
}

static void answer(struct client *client, int fd, const char *request, size_t len)
{
	struct control *control = client->control;
	const char *argument;
	enum control_request what = control_parse(request, len, &argument);

	switch (what) {
	case CONTROL_STATUS:
		reply_status(control, fd);
		break;
	case CONTROL_PTY:
		reply_pty(control, fd);
		break;
	case CONTROL_RELOAD:
	case CONTROL_RELOAD_DRY_RUN:
		control->reload(control->arg, what == CONTROL_RELOAD_DRY_RUN, TAKE_FD(client->fd));
		break;
	case CONTROL_UPGRADE:
	case CONTROL_UPGRADE_DRY_RUN:
		control->upgrade(control->arg, argument, what == CONTROL_UPGRADE_DRY_RUN,
			TAKE_FD(client->fd));
		break;
	case CONTROL_UNKNOWN:
		reply(fd, "error: unknown request: status, pty, reload or upgrade", NULL, 0);
		break;
	}
}

static void on_request(int fd, short what, void *arg)
{
	struct client *client = arg;
	char request[REQUEST_MAX];
	/* at the deadline, too: a request may have come while we were held up */
	ssize_t n = recv(fd, request, sizeof(request) - 1, MSG_DONTWAIT);

	(void)what;
	if (n > 0) {
		request[n] = '\0';
		answer(client, fd, request, (size_t)n);
	}
	client_free(client);
}

static void add_client(struct control *control, int fd_consumed)
{
	_cleanup_close_ int fd = fd_consumed;
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return;
	client->control = control;
	client->readable = event_new(control->base, fd, EV_READ, on_request, client);
	if (!client->readable || event_add(client->readable, &request_deadline) < 0) {
		if (client->readable)
			event_free(client->readable);
		free(client);
		return;
	}
	client->fd = TAKE_FD(fd);
	client->next = control->clients;
	client->at = &control->clients;
	if (client->next)
		client->next->at = &client->next;
	control->clients = client;
}

static void on_connection(int fd, short what, void *arg)
{
	struct control *control = arg;
	_cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred ucred;
	socklen_t len = sizeof(ucred);

	(void)what;
	if (peer < 0 || getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &ucred, &len) < 0 ||
		ucred.uid != 0)
		return;
	add_client(control, TAKE_FD(peer));
}

static int listen_on(struct control *control, struct event_base *base)
{
	control->base = base;
	control->listening =
		event_new(base, control->fd, EV_READ | EV_PERSIST, on_connection, control);
	if (!control->listening || event_add(control->listening, NULL) < 0)
		return log_errno(-ENOMEM, "cannot watch the control socket");
	return 0;
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
			      listen(fd, CONTROL_BACKLOG) < 0))
		r = -errno;
	(void)umask(mask);
	if (r < 0)
		return log_errno(r, "cannot listen on " RUN_DIR "/%s/launcher.socket", state->name);
	control->fd = TAKE_FD(fd);
	return listen_on(control, base);
}

void control_hand_over(struct control *control, struct hand_over *h)
{
	const struct client *client = control->clients;
	size_t n = 0;

	while (n < CONTROL_BACKLOG && client) {
		client = client->next;
		n++;
	}
	control->fd = hand_over_fd(h, "control", control->fd);
	n = hand_over_count(h, "clients", n, CONTROL_BACKLOG);
	client = control->clients;
	for (size_t i = 0; i < n; i++) {
		int fd = hand_over_fd(h, "client", client ? client->fd : -EBADF);

		if (h->reading)
			control->adopted[control->n_adopted++] = fd;
		else if (client)
			client = client->next;
	}
}

int control_resume(struct control *control, struct event_base *base)
{
	int r = listen_on(control, base);

	for (size_t i = 0; i < control->n_adopted; i++)
		add_client(control, TAKE_FD(control->adopted[i]));
	control->n_adopted = 0;
	return r;
}

void control_stop(struct control *control)
{
	while (control->clients)
		client_free(control->clients);
	if (control->listening)
		event_free(TAKE_PTR(control->listening));
	close_fdp(&control->fd);
}
