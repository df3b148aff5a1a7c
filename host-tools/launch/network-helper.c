/* SPDX-License-Identifier: MIT */

#include "network-helper.h"

#include "cleanup.h"
#include "fd.h"
#include "helper.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM "narthex-network"
#define CHANGE_DEADLINE_MS 30000 /* the kernel takes 30 ms to delete a pair */

bool network_helper_is_needed(const struct container_config *config)
{
	return config->veth || config->n_links > 0;
}

bool network_helper_leaves_traces(const struct container_config *config)
{
	return config->zone[0] || config->n_ports > 0 || config->masquerade;
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

static size_t count_lines(const struct container_config *config)
{
	size_t n = 0;

	while (config->lines && config->lines[n])
		n++;
	return n;
}

/* The words of a task that needs the configuration alone. Freed by the caller, not what is in it.
 */
static char **task(const char *option, const struct container_config *config)
{
	char **argv = calloc(count_lines(config) + 4, sizeof(*argv));

	if (!argv)
		return NULL;
	argv[0] = (char *)PROGRAM;
	argv[1] = (char *)option;
	argv[2] = config->name;
	(void)add_lines(argv + 3, config);
	return argv;
}

static int start(struct network_helper *helper, char **argv)
{
	_cleanup_close_ int theirs = -EBADF;
	int sockets[2];

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

int network_helper_start(struct network_helper *helper, const struct container_config *config)
{
	_cleanup_free_ char **argv = calloc(count_lines(config) + 3, sizeof(*argv));

	if (!argv)
		return log_errno(-ENOMEM, "cannot start " PROGRAM);
	argv[0] = (char *)PROGRAM;
	argv[1] = config->name;
	(void)add_lines(argv + 2, config);
	return start(helper, argv);
}

int network_helper_go(struct network_helper *helper, int netns_fd)
{
	return fd_send(helper->socket, 'n', &netns_fd, 1);
}

/* It says what is wrong itself, if it can. */
static void log_killed(int pidfd)
{
	int number = helper_signal(pidfd);

	if (number > 0)
		log_error(PROGRAM " was killed by signal %d", number);
}

/* Nor has one said what is wrong that could not even begin. */
static void log_status(int status)
{
	if (status < 0)
		(void)log_errno(status, "cannot hear how " PROGRAM " has ended");
	else if (status > 128)
		log_error(PROGRAM " was killed by signal %d", status - 128);
	else if (status > 1)
		log_error(PROGRAM " has ended with status %d", status);
}

int network_helper_finish(struct network_helper *helper)
{
	int status = -EIO;

	close_fdp(&helper->socket);
	if (helper->pidfd >= 0) {
		log_killed(helper->pidfd);
		/* one that has ended doesn't mind */
		(void)pidfd_send_signal(helper->pidfd, SIGKILL, NULL, 0);
		status = helper_reap(TAKE_FD(helper->pidfd));
		if (status < 128)
			log_status(status); /* a signal may have been ours */
	}
	return status == 0 ? 0 : -EIO;
}

int network_helper_change(
	const struct container_config *old, const struct container_config *new, int netns_fd)
{
	_cleanup_free_ char **argv = calloc(count_lines(old) + count_lines(new) + 5, sizeof(*argv));
	struct network_helper helper = NETWORK_HELPER_NULL;
	struct pollfd end = { .events = POLLIN };
	size_t n = 3;
	int r;

	if (!argv)
		return log_errno(-ENOMEM, "cannot start " PROGRAM);
	argv[0] = (char *)PROGRAM;
	argv[1] = (char *)"--change";
	argv[2] = new->name;
	n += add_lines(argv + n, old);
	argv[n++] = (char *)"--";
	(void)add_lines(argv + n, new);
	r = start(&helper, argv);
	if (r < 0)
		return r;
	/* a helper that has died says why by its end */
	(void)network_helper_go(&helper, netns_fd);
	end.fd = helper.pidfd;
	do
		r = poll(&end, 1, CHANGE_DEADLINE_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		log_error(PROGRAM " takes too long: the network is half changed; restart the "
				  "container");
	return network_helper_finish(&helper);
}

int network_helper_attach(const struct container_config *config)
{
	_cleanup_free_ char **argv = task("--attach", config);
	int r;

	if (!argv)
		return log_errno(-ENOMEM, "cannot start " PROGRAM);
	r = helper_start(PROGRAM, argv, -EBADF);
	return r < 0 ? log_errno(r, "cannot start " PROGRAM) : r;
}

int network_helper_follow(
	struct network_helper *helper, const struct container_config *config, int netns_fd)
{
	_cleanup_free_ char **argv = task("--follow", config);
	int r;

	if (!argv)
		return log_errno(-ENOMEM, "cannot start " PROGRAM);
	r = start(helper, argv);
	/* one that has died says why by its end */
	if (r >= 0)
		(void)network_helper_go(helper, netns_fd);
	return r;
}

int network_helper_cleanup(const char *name)
{
	char *argv[] = { (char *)PROGRAM, (char *)"--cleanup", (char *)name, NULL };
	int r = helper_start(PROGRAM, argv, -EBADF), status;

	if (r < 0)
		return log_errno(r, "cannot start " PROGRAM);
	status = helper_reap(r);
	log_status(status);
	return status == 0 ? 0 : -EIO;
}
