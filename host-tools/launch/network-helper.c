/* SPDX-License-Identifier: MIT */

#include "network-helper.h"

#include "cleanup.h"
#include "fd.h"
#include "helper.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM "narthex-network"

bool network_helper_is_needed(const struct container_config *config)
{
	return config->veth || config->n_links > 0;
}

bool network_helper_leaves_traces(const struct container_config *config)
{
	return config->zone[0];
}

/* The lines that are about the network; their number. */
static size_t add_lines(char **argv, const struct container_config *config)
{
	size_t n = 0;

	for (char **line = config->lines; line && *line; line++)
		if (strncmp(*line, "Network/", 8) == 0 || strncmp(*line, "Link ", 5) == 0)
			argv[n++] = *line;
	return n;
}

int network_helper_start(struct network_helper *helper, const struct container_config *config)
{
	_cleanup_free_ char **argv = NULL;
	_cleanup_close_ int theirs = -EBADF;
	size_t n = 0;
	int sockets[2];

	while (config->lines && config->lines[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	if (!argv)
		return log_errno(-ENOMEM, "cannot start " PROGRAM);
	argv[0] = (char *)PROGRAM;
	argv[1] = config->name;
	(void)add_lines(argv + 2, config);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return log_errno(-errno, "cannot make a socket pair");
	helper->socket = sockets[0];
	theirs = sockets[1];
	helper->pidfd = helper_start(PROGRAM, argv, theirs);
	if (helper->pidfd < 0) {
		close_fdp(&helper->socket);
		return log_errno(helper->pidfd, "cannot start " PROGRAM);
	}
	return 0;
}

int network_helper_go(struct network_helper *helper, int netns_fd)
{
	return fd_send(helper->socket, 'n', &netns_fd, 1);
}

int network_helper_finish(struct network_helper *helper)
{
	int status = -EIO;

	close_fdp(&helper->socket);
	if (helper->pidfd >= 0) {
		/* one that has ended doesn't mind */
		(void)pidfd_send_signal(helper->pidfd, SIGKILL, NULL, 0);
		status = helper_reap(TAKE_FD(helper->pidfd));
	}
	return status == 0 ? 0 : -EIO;
}

int network_helper_cleanup(const char *name)
{
	char *argv[] = { (char *)PROGRAM, (char *)"--cleanup", (char *)name, NULL };
	int r = helper_start(PROGRAM, argv, -EBADF);

	if (r < 0)
		return log_errno(r, "cannot start " PROGRAM);
	return helper_reap(r) == 0 ? 0 : -EIO;
}
