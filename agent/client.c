/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_LEN 512

struct refused_client {
	LIST_ENTRY(refused_client) entry;
	struct refused_clients *all;
	struct event *event;
	struct event *deadline;
	int fd;
	size_t thrown_away; /* bytes */
};

void client_finish(int fd)
{
	char scratch[4096];

	(void)shutdown(fd, SHUT_RD);
	while (recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) > 0)
		;
	(void)shutdown(fd, SHUT_RDWR);
	(void)close(fd);
}

static void refused_client_free(struct refused_client *client)
{
	if (client->event)
		event_free(client->event);
	if (client->deadline)
		event_free(client->deadline);
	client_finish(client->fd);
	LIST_REMOVE(client, entry);
	client->all->count--;
	free(client);
}

static void on_refused_client(evutil_socket_t fd, short what, void *arg)
{
	struct refused_client *client = arg;
	char scratch[4096];
	ssize_t n = 0;

	if (what & EV_READ)
		n = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT);
	if (n > 0)
		client->thrown_away += (size_t)n;
	if (n <= 0 || client->thrown_away >= CLIENT_LINGER_BYTES)
		refused_client_free(client);
}

/* Whether it will be ended later. */
static bool linger(struct refused_clients *refused, int fd)
{
	static const struct timeval deadline = { .tv_sec = CLIENT_LINGER_SEC };
	struct refused_client *client;

	if (!refused || refused->count >= CLIENT_LINGER_MAX || shutdown(fd, SHUT_WR) < 0)
		return false;
	client = calloc(1, sizeof(*client));
	if (!client)
		return false;
	client->all = refused;
	client->fd = fd;
	LIST_INSERT_HEAD(&refused->list, client, entry);
	refused->count++;
	client->event =
		event_new(refused->base, fd, EV_READ | EV_PERSIST, on_refused_client, client);
	client->deadline = evtimer_new(refused->base, on_refused_client, client);
	if (!client->event || event_add(client->event, NULL) < 0 || !client->deadline ||
		event_add(client->deadline, &deadline) < 0)
		refused_client_free(client);
	return true;
}

void client_refuse(struct refused_clients *refused, int fd, const char *format, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line) - 2, format, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 3)
		n = (int)sizeof(line) - 3;
	line[n++] = '\r';
	line[n++] = '\n';
	(void)send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!linger(refused, fd))
		client_finish(fd);
}

void refused_clients_done(struct refused_clients *refused)
{
	struct refused_client *client;

	while ((client = LIST_FIRST(&refused->list)))
		refused_client_free(client);
}
