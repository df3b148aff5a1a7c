/* SPDX-License-Identifier: MIT */

/*
 * From the start of a builder to the exec of the init: what builder and leader say, and what the
 * supervisor does for them meanwhile.
 */

#include "supervisor.h"

#include "../client/trust.h"
#include "builder.h"
#include "cleanup.h"
#include "escape.h"
#include "fd.h"
#include "helper.h"
#include "log.h"
#include "mnt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* The leader's pipe: a line says what went wrong, end of file alone says that the init was
 * executed. */
static void on_leader_words(int fd, short what, void *arg)
{
	struct supervisor *s = arg;
	char text[512], escaped[1024];
	ssize_t n = read(fd, text, sizeof(text));

	(void)what;
	if (n > 0) {
		(void)escape_text(escaped, sizeof(escaped), text, (size_t)n);
		log_error("container '%s': %s", s->launch->config.name, escaped);
		s->heard = s->failed = true;
		return;
	}
	supervise_free_event(&s->error_event);
	close_fdp(&s->error_fd);
	if (!s->failed && s->builder_fd < 0)
		supervise_executed(s);
}

void supervise_hear_last_words(struct supervisor *s)
{
	struct pollfd p = { .fd = s->error_fd, .events = POLLIN };

	if (s->failed && p.fd >= 0 && poll(&p, 1, 0) > 0)
		on_leader_words(s->error_fd, EV_READ, s);
}

static void take_init_kind(struct supervisor *s, int fd)
{
	unsigned char kind = INIT_OTHER;

	if (read(fd, &kind, 1) == 1 && kind <= INIT_COMMAND)
		s->init = kind;
	(void)close(fd);
}

static void on_leader_end(int fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	/* while the builder runs, its end says more, and looks here again */
	if (s->builder_fd >= 0)
		(void)event_del(s->leader_event);
	else
		(void)event_base_loopbreak(s->base);
}

/* Tells clients whom they have to find behind the doors. */
static int note_leader(struct supervisor *s)
{
	struct launch *launch = s->launch;
	struct trust trust = {
		.uid_base = launch->range.base,
		.uid_count = launch->range.base > 0 ? launch->range.count : UINT32_MAX,
	};
	int r = trust_note(&trust, s->leader, s->leader_fd);

	if (r >= 0)
		r = trust_write(launch->state.dir_fd, &trust);
	return r < 0 ? log_errno(
			       r, "cannot write %s/%s/%s", RUN_DIR, launch->config.name, TRUST_FILE)
		     : 0;
}

static void give_up_building(struct supervisor *s)
{
	s->failed = true;
	if (s->builder_fd >= 0)
		(void)pidfd_send_signal(s->builder_fd, SIGKILL, NULL, 0);
}

/* Logs. The end of one that is gone says more. */
static int tell_builder(const struct supervisor *s, enum build_tag tag, const int *fds, size_t n)
{
	int r = fd_send(s->build_socket, (char)tag, fds, n);

	return r < 0 && r != -EPIPE && r != -ECONNRESET
		       ? log_errno(r, "cannot report to the process that builds the container")
		       : 0;
}

static void on_network(int fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	supervise_free_event(&s->network_event);
	if (network_helper_finish(&s->network) < 0 || tell_builder(s, BUILD_NETWORK, NULL, 0) < 0)
		give_up_building(s);
	else
		address_follow_start(&s->follow, s->base, &s->launch->config, s->leader);
}

static bool log_killed(const struct supervisor *s, const char *who, int pidfd)
{
	int number = pidfd < 0 ? 0 : helper_signal(pidfd);

	if (number > 0 && !s->killed)
		log_error("container '%s': %s was killed by signal %d while it was started",
			s->launch->config.name, who, number);
	return number > 0;
}

/* Before it had a network. It has said why, or was killed, or has seen the builder die. */
static void log_leader_end(struct supervisor *s)
{
	s->failed = true;
	supervise_hear_last_words(s);
	if (!s->heard && !log_killed(s, "the process that builds it", s->builder_fd) &&
		!log_killed(s, "its first process", s->leader_fd))
		log_error("container '%s': its first process has ended while it was started",
			s->launch->config.name);
}

/* What is to be in the leader's network namespace is made while the builder makes the tree. */
static int make_network(struct supervisor *s)
{
	_cleanup_close_ int netns = -EBADF;
	char path[64];
	int r;

	/* the one that has it and the one that tells who it is are two processes */
	if (!s->unshared || s->leader_fd < 0)
		return 0;
	if (s->network.pidfd < 0)
		return tell_builder(s, BUILD_NETWORK, NULL, 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", s->leader);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0 && errno == ENOENT) {
		log_leader_end(s);
		return -ESRCH;
	}
	if (netns < 0)
		return log_errno(-errno, "cannot open the container's network namespace");
	r = network_helper_go(&s->network, netns);
	/* a helper that has died says why by its end */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return log_errno(r, "cannot give the network namespace to narthex-network");
	return supervise_watch(s, &s->network_event, s->network.pidfd, on_network);
}

int supervise_watch_leader(struct supervisor *s)
{
	return supervise_watch(s, &s->leader_event, s->leader_fd, on_leader_end);
}

static int take_leader(struct supervisor *s, int pidfd)
{
	int r;

	s->leader_fd = pidfd;
	s->leader = pidfd_to_pid(pidfd);
	r = supervise_watch_leader(s);
	if (r >= 0)
		r = note_leader(s);
	return r < 0 ? r : make_network(s);
}

/* One message of the builder. 1, 0 when there is none now, or -errno. */
static int take_build_message(struct supervisor *s)
{
	int fds[2] = { -EBADF, -EBADF };
	char tag;
	int n = fd_receive(s->build_socket, &tag, fds, ARRAY_SIZE(fds));

	if (n == -EAGAIN || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return log_errno(n, "cannot hear the process that builds the container");
	if (tag == BUILD_LEADER && n == 1) {
		n = take_leader(s, fds[0]);
	} else if (tag == BUILD_UNSHARED && n == 0) {
		s->unshared = true;
		n = make_network(s);
	} else if (tag == BUILD_ROOT && n == 1) {
		n = state_mount_root(&s->launch->state, fds[0]);
	} else if (tag == BUILD_BIND && n <= 1 && s->n_binds_told < s->live_binds.n) {
		s->live_binds.mounts[s->n_binds_told++] = n == 1 ? fds[0] : -EBADF;
		n = 0;
	} else if (tag == BUILD_TERMINALS && n == 2) {
		s->devpts_fd = fds[0];
		s->console_master = fds[1];
		n = console_start(&s->console, s->console_master);
	} else if (tag == BUILD_DONE && n == 1) {
		take_init_kind(s, fds[0]);
		n = 0;
	} else {
		close_fdp(&fds[0]);
		close_fdp(&fds[1]);
		n = log_errno(-EPROTO, "unexpected message from the builder");
	}
	return n < 0 ? n : 1;
}

static void on_build_message(int fd, short what, void *arg)
{
	struct supervisor *s = arg;
	int r = take_build_message(s);

	(void)fd;
	(void)what;
	if (r < 0)
		give_up_building(s);
	if (r <= 0)
		(void)event_del(s->socket_event);
}

static void on_builder_end(int fd, short what, void *arg)
{
	struct supervisor *s = arg;
	siginfo_t info = {};

	(void)what;
	while (!s->failed && take_build_message(s) > 0)
		;
	if (!s->failed) {
		/* whoever is killed says nothing */
		(void)log_killed(s, "the process that builds it", fd);
		(void)log_killed(s, "its first process", s->leader_fd);
	}
	supervise_reap(s, fd, &info);
	supervise_free_event(&s->builder_event);
	supervise_free_event(&s->socket_event);
	close_fdp(&s->build_socket);
	close_fdp(&s->builder_fd);
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		s->failed = true;
	if (s->failed && s->leader_fd >= 0)
		(void)pidfd_send_signal(s->leader_fd, SIGKILL, NULL, 0);
	if (s->failed && s->leader_fd < 0)
		(void)event_base_loopbreak(s->base);
	if (s->leader_event)
		(void)event_add(s->leader_event, NULL);
	if (!s->failed && s->error_fd < 0)
		supervise_executed(s);
}

int supervise_start_builder(struct supervisor *s)
{
	struct launch *launch = s->launch;
	int r = builder_start(
		launch, &s->console.guest, &s->builder_fd, &s->build_socket, &s->error_fd);

	if (r >= 0 && network_helper_is_needed(&launch->config))
		r = network_helper_start(&s->network, &launch->config);
	if (r >= 0)
		r = supervise_watch(s, &s->socket_event, s->build_socket, on_build_message);
	if (r >= 0)
		r = supervise_watch(s, &s->builder_event, s->builder_fd, on_builder_end);
	if (r >= 0)
		r = supervise_watch(s, &s->error_event, s->error_fd, on_leader_words);
	return r;
}

int supervise_send_doors(struct supervisor *s)
{
	_cleanup_close_ int mount = mnt_clone(s->launch->state.dir_fd, "doors", false);

	if (mount < 0)
		return log_errno(mount, "cannot clone the doors' mount");
	return tell_builder(s, BUILD_DOORS, &mount, 1);
}
