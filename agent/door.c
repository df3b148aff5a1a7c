/* SPDX-License-Identifier: MIT */
#include "door.h"

#include "cleanup.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

static const struct door doors[] = {
	{
		.kind = DOOR_LOGIN,
		.name = "login",
		.socket_type = SOCK_STREAM,
		.mode = 0666,
		.pty = true,
	},
	{
		.kind = DOOR_ROOT_LOGIN,
		.name = "root-login",
		.socket_type = SOCK_STREAM,
		.mode = 0600,
		.pty = true,
	},
	{
		.kind = DOOR_ROOT_SHELL,
		.name = "root-shell",
		.socket_type = SOCK_STREAM,
		.mode = 0600,
	},
	{
		.kind = DOOR_EXEC,
		.name = "exec",
		.socket_type = SOCK_SEQPACKET,
		.mode = 0600,
	},
};

static_assert(ARRAY_SIZE(doors) == DOOR_MAX_, "a row a kind");

const struct door *door_get(enum door_kind kind)
{
	return &doors[kind];
}

const struct door *door_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		if (strcmp(doors[i].name, name) == 0)
			return &doors[i];
	return NULL;
}

static int socket_option(int fd, int option, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, option, ret, &len) < 0 ? -errno : 0;
}

int door_check_socket(const struct door *door, int fd)
{
	int domain, type, listening, r;

	r = socket_option(fd, SO_DOMAIN, &domain);
	if (r < 0)
		return r;
	r = socket_option(fd, SO_TYPE, &type);
	if (r < 0)
		return r;
	r = socket_option(fd, SO_ACCEPTCONN, &listening);
	if (r < 0)
		return r;
	if (domain != AF_UNIX || type != door->socket_type)
		return -EPROTOTYPE;
	return listening ? 0 : -EINVAL;
}
