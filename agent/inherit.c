/* SPDX-License-Identifier: MIT */
#include "inherit.h"

#include "cleanup.h"
#include "crashes.h"
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/*
 * Theory of operation
 *
 * systemd passes the sockets of the doors and, after a restart, everything that the last agent had
 * stored, as descriptors 3 and up with names. What is passed to an agent that executes itself anew
 * (SIGUSR2; the only way where there is no systemd) looks the same.
 *
 * Thousands of stored descriptors would leave the low numbers to them, and the cost of a spawn
 * grows with the numbers of the descriptors that a child has to keep. So they are moved up first.
 */

#define MOVE_UP_TO 64

static void free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

/* 0 or -errno: a socket is the caller's business no more. */
static int take_socket(struct listeners *listeners, const char *name, int fd, int *n)
{
	int r = listeners_take(listeners, name, fd);

	if (r == 0)
		(*n)++;
	return r;
}

static void adopt_sessions(struct sessions *sessions, char **names, int *fds, int n)
{
	size_t adopted = 0;

	for (int i = 0; i < n; i++) {
		int up = fds[i] < 0 ? -EBADF : fcntl(fds[i], F_DUPFD_CLOEXEC, MOVE_UP_TO);

		if (up < 0)
			continue;
		(void)close(fds[i]);
		fds[i] = up;
	}
	spawner_settle(&sessions->spawner);
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			adopted += sessions_adopt(sessions, fds[i], names[i]);
	if (adopted > 0)
		log_info("goes on with %zu session%s of the agent before", adopted,
			adopted == 1 ? "" : "s");
}

int inherit(struct listeners *listeners, struct sessions *sessions)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), sockets = 0, r = 0;
	_cleanup_free_ int *fds = NULL;

	if (n < 0)
		return log_errno(n, "cannot take the sockets that systemd passed");
	fds = calloc((size_t)n + 1, sizeof(int));
	if (!fds)
		r = log_errno(-ENOMEM, "cannot take the sockets that systemd passed");
	for (int i = 0; i < n && fds; i++) {
		fds[i] = SD_LISTEN_FDS_START + i;
		if (store_is_slot(names[i]))
			continue;
		if (crashes_is_count(names[i])) {
			crashes_take(TAKE_FD(fds[i]));
			continue;
		}
		/* after the first failure the rest is only closed */
		if (r == 0)
			r = take_socket(listeners, names[i], fds[i], &sockets);
		else
			(void)close(fds[i]);
		fds[i] = -EBADF;
	}
	crashes_start();
	sessions->crashed = crashes_too_many();
	if (fds)
		adopt_sessions(sessions, names, fds, n);
	sessions->crashed = false;
	free_names(names);
	return r < 0 ? r : sockets;
}

/* --- to the next one ------------------------------------------------------------------------- */

struct passed {
	int *fds;
	size_t n;
	FILE *names;
};

static void pass(struct passed *passed, const char *name, int fd)
{
	(void)fprintf(passed->names, "%s%s", passed->n > 0 ? ":" : "", name);
	passed->fds[passed->n++] = fd;
}

static size_t count(const struct listeners *listeners, const struct store *store)
{
	const struct store_slot *slot;
	size_t n = 0;

	for (const struct listener *l = listeners->first; l; l = l->next)
		n++;
	for (slot = LIST_FIRST(&store->used); slot; slot = LIST_NEXT(slot, entry))
		n++;
	return n;
}

/* Onto 3 and up, without O_CLOEXEC. 0 or -errno. */
static int place(int *fds, size_t n)
{
	int first = SD_LISTEN_FDS_START;

	for (size_t i = 0; i < n; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, first + (int)n);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(fds[i], first + (int)i) < 0)
			return -errno;
	return 0;
}

static int set_environment(size_t n, const char *names)
{
	char number[16], pid[16];

	(void)snprintf(number, sizeof(number), "%zu", n);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", number, 1) < 0 ||
			       setenv("LISTEN_FDNAMES", names, 1) < 0
		       ? -errno
		       : 0;
}

/* The file that this program was executed from, or what has taken its place. 0 or -errno. */
static int find_program(char path[PATH_MAX])
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	size_t suffix = sizeof(gone) - 1;

	if (n < 0)
		return -errno;
	path[n] = '\0';
	if ((size_t)n > suffix && strcmp(path + n - suffix, gone) == 0)
		path[(size_t)n - suffix] = '\0';
	return access(path, X_OK) < 0 ? -errno : 0;
}

int inherit_by_exec(const struct listeners *listeners, const struct sessions *sessions, char **argv)
{
	_cleanup_free_ char *names = NULL;
	struct passed passed = {
		.fds = calloc(count(listeners, &sessions->store) + 1, sizeof(int)),
	};
	const struct store_slot *slot;
	char path[PATH_MAX];
	size_t size;
	int r = find_program(path);

	passed.names = open_memstream(&names, &size);
	if (r < 0 || !passed.fds || !passed.names) {
		free(passed.fds);
		fclose_p(&passed.names);
		return log_errno(r < 0 ? r : -ENOMEM, "cannot execute the agent anew");
	}
	for (const struct listener *l = listeners->first; l; l = l->next)
		pass(&passed, l->door->name, l->fd);
	for (slot = LIST_FIRST(&sessions->store.used); slot; slot = LIST_NEXT(slot, entry))
		pass(&passed, slot->name, slot->out);
	(void)fclose(passed.names);
	r = place(passed.fds, passed.n);
	if (r >= 0)
		r = set_environment(passed.n, names);
	if (r >= 0) {
		(void)execv(path, argv);
		r = -errno;
	}
	(void)log_errno(r, "cannot execute %s anew", path);
	exit(EXIT_FAILURE);
}
