/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * Reading and comparing take no time and are done here. The changes are made by a process of their
 * own, step by step, so that the launcher goes on serving its guest, and what a guest can delay
 * hangs nobody. What that process has to say comes through a pipe, as it would to the journal; its
 * exit status says whether the changes were made or all taken back. Only then does the launcher's
 * own configuration change, so a guest that is built again meanwhile is the old one.
 */

#include "reload.h"

#include "../config/reload-binds.h"
#include "address-follow.h"
#include "bridge-watch.h"
#include "cleanup.h"
#include "fd.h"
#include "helper.h"
#include "hosts.h"
#include "log.h"
#include "network-helper.h"
#include "notify.h"
#include "ports.h"
#include "reload-apply.h"
#include "resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

/* What fits into one message; nobody reads more lines either. */
#define ANSWER_MAX (128 * 1024)

static void send_answer(int client, const char *verdict, const char *text)
{
	_cleanup_free_ char *answer = NULL;
	size_t len;

	if (asprintf(&answer, "%s\n%s", verdict, text ? text : "") < 0) {
		answer = NULL;
		return;
	}
	len = strlen(answer);
	if (fd_send_message(
		    client, answer, len < ANSWER_MAX ? len : ANSWER_MAX, NULL, 0, MSG_DONTWAIT) < 0)
		log_debug("cannot answer on the control socket");
}

/* --- systemd is told -------------------------------------------------------------------------- */

/* sd_notify(3): a reload begins and ends, in a unit that runs. */
static void notify_begin(const struct reload *reload)
{
	struct timespec now;
	char message[128];

	if (!reload->launch->service || reload->dry_run)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(message, sizeof(message),
		"RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	(void)notify_systemd(message);
}

static void notify_end(const struct reload *reload)
{
	char message[64];

	if (!reload->launch->service || reload->dry_run)
		return;
	(void)snprintf(
		message, sizeof(message), "READY=1\nSTATUS=Running, leader PID %d", reload->leader);
	(void)notify_systemd(message);
}

/* --- the end ---------------------------------------------------------------------------------- */

static const char *prefix_of(const struct reload *reload, enum reload_class class)
{
	if (class == RELOAD_RESTART)
		return "needs a restart";
	if (reload->dry_run)
		return "would be applied";
	return class == RELOAD_UNIT ? "unit" : "applied";
}

static void list_changes(struct reload *reload)
{
	static const enum reload_class order[] = { RELOAD_NETWORK, RELOAD_BINDS, RELOAD_HOSTNAME,
		RELOAD_MEMORY, RELOAD_UNIT, RELOAD_RESTART };
	const struct reload_plan *plan = &reload->plan;

	for (size_t o = 0; o < ARRAY_SIZE(order); o++)
		for (size_t i = 0; i < plan->n_changes; i++)
			if (plan->changes[i].class == order[o])
				(void)fprintf(reload->answer, "%s: %s\n",
					prefix_of(reload, order[o]), plan->changes[i].text);
}

/* What the process has said: lines with their priorities (sd-daemon(3)). */
static void take_words(struct reload *reload)
{
	char *rest, *line;

	if (!reload->words_file)
		return;
	(void)fclose(reload->words_file);
	rest = reload->words;
	while (rest && (line = strsep(&rest, "\n")))
		log_relay(line);
	free(reload->words);
}

/* --- binds --------------------------------------------------------------------------------------
 */

static bool stays(const struct reload *reload, size_t old)
{
	for (size_t i = 0; i < reload->plan.merged.n_binds; i++)
		if (reload->match[i] == (int)old)
			return true;
	return false;
}

/* The guest's mounts become those of the new configuration: kept ones, and those that came. */
static void adopt_binds(struct reload *reload)
{
	struct live_binds *binds = reload->live_binds;
	size_t next = 0;

	for (size_t i = 0; i < reload->after.n; i++) {
		if (reload->match[i] >= 0)
			reload->after.mounts[i] = TAKE_FD(binds->mounts[reload->match[i]]);
		else if (next < reload->n_told)
			reload->after.mounts[i] = TAKE_FD(reload->told.mounts[next++]);
	}
	live_binds_close(binds);
	*binds = reload->after;
	reload->after = (struct live_binds){};
}

/* A change of the binds was undone: what was unmounted meanwhile is there as new mounts. */
static void restore_binds(struct reload *reload)
{
	size_t next = 0;

	for (size_t i = 0; i < reload->live_binds->n && next < reload->n_told; i++) {
		int *mount = &reload->live_binds->mounts[i];

		if (*mount < 0 || stays(reload, i))
			continue;
		close_fdp(mount);
		*mount = TAKE_FD(reload->told.mounts[next++]);
	}
}

static void release_process(struct reload *reload)
{
	if (reload->mount_event)
		event_free(reload->mount_event);
	close_fdp(&reload->socket);
	live_binds_close(&reload->told);
	live_binds_close(&reload->after);
	free(TAKE_PTR(reload->match));
	if (reload->end_event)
		event_free(reload->end_event);
	if (reload->words_event)
		event_free(reload->words_event);
	close_fdp(&reload->words_fd);
	close_fdp(&reload->pidfd);
}

static void finish(struct reload *reload, bool ok)
{
	log_copy_to(reload->answer);
	take_words(reload);
	if (ok && !reload->dry_run)
		adopt_binds(reload);
	else
		restore_binds(reload);
	release_process(reload);
	log_copy_to(NULL);
	if (ok) {
		list_changes(reload);
		if (!reload->dry_run) {
			struct container_config old = reload->launch->config;

			reload->launch->config = reload->plan.merged;
			reload->plan.merged = old;
			hosts_set(&reload->launch->config);
			(void)hosts_refresh(&reload->launch->config, reload->launch->state.dir_fd);
			(void)resolv_refresh(reload->launch);
			bridge_watch_start(
				reload->launch->bridges, reload->base, &reload->launch->config);
		}
	}
	if (!reload->dry_run)
		address_follow_start(reload->launch->follow, reload->base, &reload->launch->config,
			reload->leader);
	ports_settle(reload->launch->ports, reload->launch->state.dir_fd,
		reload->launch->config.ports, reload->launch->config.n_ports);
	if (fclose(reload->answer) == 0)
		send_answer(reload->client, ok ? "ok" : "failed", reload->text);
	notify_end(reload);
	reload_plan_done(&reload->plan);
	close_fdp(&reload->client);
	free(reload->text);
	*reload = RELOAD_NULL;
}

/* --- the process ------------------------------------------------------------------------------ */

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void on_words(int fd, short what, void *arg)
{
	struct reload *reload = arg;
	char buffer[4096];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	(void)what;
	if (n > 0 && ftell(reload->words_file) < ANSWER_MAX)
		(void)fwrite(buffer, 1, (size_t)n, reload->words_file);
	else if (n <= 0)
		(void)event_del(reload->words_event);
}

static void on_mount(int fd, short what, void *arg)
{
	struct reload *reload = arg;
	int mount = -EBADF, n;
	char tag;

	(void)what;
	n = fd_receive(fd, &tag, &mount, 1);
	if (n < 0 || reload->n_told >= reload->told.n) {
		(void)event_del(reload->mount_event);
		close_fdp(&mount);
		return;
	}
	reload->told.mounts[reload->n_told++] = n == 1 ? mount : -EBADF;
}

static void on_end(int fd, short what, void *arg)
{
	struct reload *reload = arg;
	int status;

	(void)what;
	/* its own children may have the pipe still: what is in it is all that counts */
	while (event_pending(reload->words_event, EV_READ, NULL) && is_readable(reload->words_fd))
		on_words(reload->words_fd, EV_READ, reload);
	while (event_pending(reload->mount_event, EV_READ, NULL) && is_readable(reload->socket))
		on_mount(reload->socket, EV_READ, reload);
	event_free(TAKE_PTR(reload->end_event));
	status = helper_reap(TAKE_FD(reload->pidfd));
	(void)fd;
	log_copy_to(reload->answer);
	if (status > 1)
		log_error("the process that made the changes has died (status %d): restart the "
			  "container",
			status);
	finish(reload, status == 0);
}

/* In the new process. */
static _Noreturn void run_process(
	const struct reload *reload, const struct reload_guest *guest, int words_fd, int socket)
{
	struct reload_job job = {
		.launch = reload->launch,
		.plan = &reload->plan,
		.live_binds = reload->live_binds,
		.match = reload->match,
		.leader = guest->leader,
		.leader_fd = guest->leader_fd,
		.init = guest->init,
		.socket = socket,
	};

	log_copy_to(NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(words_fd, STDERR_FILENO) < 0 ||
		setenv("JOURNAL_STREAM", "", 1) < 0)
		_exit(2);
	log_init("narthex-launch");
	_exit(reload_apply(&job) < 0);
}

static int open_channels(struct reload *reload, int ret_theirs[2])
{
	size_t n = reload->plan.merged.n_binds + reload->live_binds->n;
	int words[2], sockets[2];

	reload->words_file = open_memstream(&reload->words, &reload->words_size);
	if (!reload->words_file || live_binds_init(&reload->told, n) < 0)
		return -ENOMEM;
	if (pipe2(words, O_CLOEXEC) < 0)
		return -errno;
	reload->words_fd = words[0];
	ret_theirs[0] = words[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	reload->socket = sockets[0];
	ret_theirs[1] = sockets[1];
	return 0;
}

static int watch(struct reload *reload, struct event **event, int fd, event_callback_fn callback)
{
	*event = event_new(reload->base, fd, EV_READ | EV_PERSIST, callback, reload);
	return *event && event_add(*event, NULL) >= 0 ? 0 : -ENOMEM;
}

static int start_process(struct reload *reload, const struct reload_guest *guest)
{
	int theirs[2] = { -EBADF, -EBADF };
	sigset_t all, before;
	pid_t pid = -1;
	int r = open_channels(reload, theirs);

	if (r >= 0) {
		/* the supervisor's handlers are not for its children */
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, &before);
		pid = fork();
		if (pid == 0)
			run_process(reload, guest, theirs[0], theirs[1]);
		r = pid < 0 ? -errno : 0;
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	}
	close_fdp(&theirs[0]);
	close_fdp(&theirs[1]);
	if (r >= 0) {
		reload->pidfd = pidfd_open(pid, 0);
		r = reload->pidfd < 0 ? -errno : 0;
	}
	if (r >= 0)
		r = watch(reload, &reload->end_event, reload->pidfd, on_end);
	if (r >= 0)
		r = watch(reload, &reload->words_event, reload->words_fd, on_words);
	if (r >= 0)
		r = watch(reload, &reload->mount_event, reload->socket, on_mount);
	return r < 0 ? log_errno(r, "cannot start a process for the changes") : 0;
}

static void kill_process(struct reload *reload)
{
	if (reload->pidfd < 0)
		return;
	(void)pidfd_send_signal(reload->pidfd, SIGKILL, NULL, 0);
	(void)helper_reap(TAKE_FD(reload->pidfd));
}

/* --- the beginning ---------------------------------------------------------------------------- */

static int make_plan(struct reload *reload)
{
	const struct launch *launch = reload->launch;
	_cleanup_(config_done) struct container_config wanted = {};
	const char *where = launch->config_file ? launch->config_file : launch->config.name;
	int r;

	if (!launch->has_file) {
		log_error("container '%s' was started with options, not from a file: there is "
			  "nothing to read again",
			launch->config.name);
		return -EOPNOTSUPP;
	}
	r = config_load(launch->config.name, launch->config_file, &wanted);
	if (r < 0)
		return r;
	r = reload_plan_make(&launch->config, &wanted, launch->service, where, &reload->plan);
	if (r == -EINVAL)
		log_error("the changes of container '%s' can't be applied without its restart",
			launch->config.name);
	if (r >= 0)
		r = binds_match(&launch->config, &reload->plan.merged, reload->live_binds->mounts,
			&reload->match);
	if (r >= 0)
		r = live_binds_init(&reload->after, reload->plan.merged.n_binds);
	if (r < 0 && r != -EINVAL)
		log_errno(r, "cannot compare the configurations");
	return r;
}

void reload_start(struct reload *reload, struct event_base *base, struct launch *launch,
	const struct reload_guest *guest, bool dry_run, int client)
{
	int r = 0;

	if (reload->launch || !guest->is_running) {
		char line[128];

		(void)snprintf(line, sizeof(line), "error: %s\n",
			reload->launch ? "another reload is under way: try again when it has ended"
				       : "the container is starting or stopping: try again when "
					 "it runs");
		send_answer(client, "failed", line);
		(void)close(client);
		return;
	}
	*reload = (struct reload){
		.launch = launch,
		.base = base,
		.dry_run = dry_run,
		.client = client,
		.leader = guest->leader,
		.pidfd = -EBADF,
		.words_fd = -EBADF,
		.socket = -EBADF,
		.live_binds = guest->live_binds,
	};
	reload->answer = open_memstream(&reload->text, &reload->size);
	if (!reload->answer) {
		close_fdp(&reload->client);
		*reload = RELOAD_NULL;
		return;
	}
	notify_begin(reload);
	log_copy_to(reload->answer);
	r = make_plan(reload);
	if (r >= 0 && !dry_run &&
		(reload_plan_has(&reload->plan, RELOAD_NETWORK) ||
			reload_plan_has(&reload->plan, RELOAD_BINDS) ||
			reload_plan_has(&reload->plan, RELOAD_HOSTNAME))) {
		r = ports_reserve(launch->ports, launch->config.name, reload->plan.merged.ports,
			reload->plan.merged.n_ports);
		/* it may be done in part, and the configuration stay the old one */
		if (network_helper_leaves_traces(&reload->plan.merged))
			launch->traces = true;
		/* it knows the old configuration, and may have something to do just then */
		address_follow_stop(launch->follow);
		if (r >= 0)
			r = start_process(reload, guest);
		if (r >= 0) {
			/* what others log meanwhile is no part of it */
			log_copy_to(NULL);
			return;
		}
		kill_process(reload);
	}
	finish(reload, r >= 0);
}

void reload_abort(struct reload *reload)
{
	if (!reload->launch)
		return;
	kill_process(reload);
	reload->leader = 0;
	log_copy_to(reload->answer);
	log_error("the container has ended while it was changed");
	finish(reload, false);
}
