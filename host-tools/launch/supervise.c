/* SPDX-License-Identifier: MIT */

/*
 * One loop. A guest goes through BUILDING, STARTING (its init runs and has not said READY=1),
 * RUNNING and, when asked to end, STOPPING; then it is reaped, and built again if its init died of
 * the signal that the kernel gives for a reboot (reboot(2), "Behavior inside PID namespaces":
 * SIGHUP for a restart, SIGINT for halt and poweroff).
 */

#include "supervise.h"

#include "../trust.h"
#include "bridge-watch.h"
#include "builder.h"
#include "cleanup.h"
#include "console.h"
#include "control.h"
#include "devices.h"
#include "escape.h"
#include "fd.h"
#include "hosts.h"
#include "live-binds.h"
#include "log.h"
#include "machined.h"
#include "mnt.h"
#include "network-helper.h"
#include "notify.h"
#include "ports.h"
#include "reload.h"
#include "resolv.h"
#include "stop.h"
#include "system.h"
#include "terminal.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

/*
 * systemd's own patience with a unit is 90 s, in the guest as on the host. A unit's TimeoutStopSec=
 * that is shorter ends the wait from outside.
 */
#define STOP_TIMEOUT_INIT_SEC 85
#define STOP_TIMEOUT_COMMAND_SEC 10
#define EXIT_OWN 125

enum phase { BUILDING, STARTING, RUNNING, STOPPING, ENDED };

static const char *const phase_names[] = {
	[BUILDING] = "starting",
	[STARTING] = "starting",
	[RUNNING] = "running",
	[STOPPING] = "stopping",
	[ENDED] = "stopping",
};

struct supervisor {
	struct launch *launch;
	struct event_base *base;
	enum phase phase;
	enum init_kind init;
	uint64_t since_usec; /* CLOCK_REALTIME of the last boot */
	bool ready;	     /* this guest's PID 1 has said READY=1 */
	bool announced;	     /* systemd has our READY=1 */
	bool unshared;	     /* the leader has its network namespace */
	bool failed;	     /* the guest could not be built or executed */
	bool stop_wanted;
	bool killed; /* the deadline has passed, or a second request came */

	int builder_fd, build_socket, error_fd;
	int leader_fd, devpts_fd, console_master;
	pid_t leader;
	struct console console;
	struct control control;
	struct machined machined;
	struct network_helper network;
	struct bridge_watch bridges;
	struct resolv_watch resolv;
	struct ports ports;
	struct reload reload;
	struct live_binds live_binds; /* of this guest */
	size_t n_binds_told;	      /* of which the builder has told */
	struct event *builder_event, *socket_event, *error_event, *leader_event, *notify_event,
		*network_event, *deadline, *ask;
	struct event *signals[5];
};

static void stop_guest(struct supervisor *s);

static void free_event(struct event **event)
{
	if (*event)
		event_free(TAKE_PTR(*event));
}

/* Watches fd for reading. Logs. */
static int watch(struct supervisor *s, struct event **event, int fd, event_callback_fn callback)
{
	*event = event_new(s->base, fd, EV_READ | EV_PERSIST, callback, s);
	if (!*event || event_add(*event, NULL) < 0)
		return log_errno(-ENOMEM, "cannot watch a descriptor");
	return 0;
}

static pid_t pidfd_pid(int pidfd)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	const char *line;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (file_read_all(AT_FDCWD, path, 0, 4096, &text) < 0)
		return -1;
	line = strstr(text, "\nPid:");
	return line ? (pid_t)strtol(line + 5, NULL, 10) : -1;
}

static void announce_ready(struct supervisor *s)
{
	char message[128];

	if (s->phase == STARTING)
		s->phase = RUNNING;
	if (!s->announced) {
		(void)snprintf(message, sizeof(message), "READY=1\nSTATUS=Running, leader PID %d",
			s->leader);
		(void)notify_systemd(message);
	}
	s->announced = true;
	/* from here on nobody waits for us */
	machined_register(&s->machined, s->base, s->launch, s->leader);
}

static void on_notify(int fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)what;
	if (!notify_is_ready(fd, s->leader))
		return;
	s->ready = true;
	if (s->phase != BUILDING) /* it can be quicker than our own news of its exec */
		announce_ready(s);
}

/* The init runs. A systemd says itself when it is ready; of others nobody knows better. */
static void guest_executed(struct supervisor *s)
{
	enum tristate wait_for_init = s->launch->config.notify_ready;

	if (s->phase != BUILDING)
		return;
	s->phase = STARTING;
	if (wait_for_init == AUTO)
		wait_for_init = s->init == INIT_SYSTEMD ? YES : NO;
	if (wait_for_init == NO || s->ready)
		announce_ready(s);
	if (s->stop_wanted)
		stop_guest(s);
}

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
		s->failed = true;
		return;
	}
	free_event(&s->error_event);
	close_fdp(&s->error_fd);
	if (!s->failed && s->builder_fd < 0)
		guest_executed(s);
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

static void on_network(int fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	free_event(&s->network_event);
	if (network_helper_finish(&s->network) < 0 ||
		fd_send(s->build_socket, BUILD_NETWORK, NULL, 0) < 0)
		give_up_building(s);
}

/* What is to be in the leader's network namespace is made while the builder makes the tree. */
static int make_network(struct supervisor *s)
{
	_cleanup_close_ int netns = -EBADF;
	char path[64];

	/* the one that has it and the one that tells who it is are two processes */
	if (!s->unshared || s->leader_fd < 0)
		return 0;
	if (s->network.pidfd < 0)
		return fd_send(s->build_socket, BUILD_NETWORK, NULL, 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", s->leader);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return log_errno(-errno, "cannot open the container's network namespace");
	/* a helper that has died says why by its end */
	(void)network_helper_go(&s->network, netns);
	return watch(s, &s->network_event, s->network.pidfd, on_network);
}

static int take_leader(struct supervisor *s, int pidfd)
{
	int r;

	s->leader_fd = pidfd;
	s->leader = pidfd_pid(pidfd);
	r = watch(s, &s->leader_event, pidfd, on_leader_end);
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
		return n;
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

/* 0…255 as a shell counts: 128+N for a signal. */
static int exit_status(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

static void on_builder_end(int fd, short what, void *arg)
{
	struct supervisor *s = arg;
	siginfo_t info = {};

	(void)what;
	while (!s->failed && take_build_message(s) > 0)
		;
	(void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED);
	free_event(&s->builder_event);
	free_event(&s->socket_event);
	close_fdp(&s->build_socket);
	close_fdp(&s->builder_fd);
	if (exit_status(&info) != 0)
		s->failed = true;
	if (s->failed && s->leader_fd >= 0)
		(void)pidfd_send_signal(s->leader_fd, SIGKILL, NULL, 0);
	if (s->failed && s->leader_fd < 0)
		(void)event_base_loopbreak(s->base);
	if (s->leader_event)
		(void)event_add(s->leader_event, NULL);
	if (!s->failed && s->error_fd < 0)
		guest_executed(s);
}

/* --- the end of a guest -------------------------------------------------------------------- */

static void kill_guest(struct supervisor *s)
{
	s->killed = true;
	if (s->builder_fd >= 0)
		(void)pidfd_send_signal(s->builder_fd, SIGKILL, NULL, 0);
	if (s->leader_fd >= 0)
		(void)pidfd_send_signal(s->leader_fd, SIGKILL, NULL, 0);
	(void)cgroup_kill(&s->launch->cgroup);
}

static void on_deadline(int fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	log_warning("container '%s' has not stopped in time: killing it", s->launch->config.name);
	kill_guest(s);
}

/*
 * Asks the init to end, as soon as it listens. busybox's looks for signals and then waits for
 * children: one that comes in between is lost until the next child ends, so it is asked again.
 */
static void on_ask(int fd, short what, void *arg)
{
	static const struct timeval soon = { .tv_usec = 50000 }, later = { .tv_sec = 2 };
	struct supervisor *s = arg;
	int number = stop_signal(s->init, s->launch->config.kill_signal);

	(void)fd;
	(void)what;
	if (!stop_is_heard(s->leader, number)) {
		(void)event_add(s->ask, &soon);
		return;
	}
	(void)pidfd_send_signal(s->leader_fd, number, NULL, 0);
	if (s->init == INIT_BUSYBOX)
		(void)event_add(s->ask, &later);
}

/* Before the init is executed nobody could hear it. */
static void stop_guest(struct supervisor *s)
{
	struct timeval timeout = {
		.tv_sec =
			s->init == INIT_COMMAND ? STOP_TIMEOUT_COMMAND_SEC : STOP_TIMEOUT_INIT_SEC,
	};

	if (s->phase == BUILDING)
		return;
	s->phase = STOPPING;
	on_ask(-1, 0, s);
	(void)event_add(s->deadline, &timeout);
}

static void request_stop(struct supervisor *s)
{
	if (s->phase == ENDED) {
		s->killed = true; /* what is left to do is to write out what it wrote */
		return;
	}
	if (s->stop_wanted) {
		kill_guest(s); /* asked twice */
		return;
	}
	s->stop_wanted = true;
	(void)notify_systemd("STOPPING=1\nSTATUS=Stopping");
	stop_guest(s);
}

static void on_signal(int signal_number, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)what;
	if (signal_number == SIGWINCH)
		console_resize(&s->console);
	else if (signal_number == SIGHUP && !s->launch->foreground)
		log_debug("SIGHUP: nothing to reload");
	else
		request_stop(s);
}

static void on_escape(void *arg)
{
	struct supervisor *s = arg;

	request_stop(s);
}

/* --- the control socket's answers ---------------------------------------------------------- */

static int answer_status(void *arg, char **ret)
{
	struct supervisor *s = arg;
	static const char *const inits[] = {
		[INIT_OTHER] = "other",
		[INIT_SYSTEMD] = "systemd",
		[INIT_BUSYBOX] = "busybox",
		[INIT_COMMAND] = "command",
	};

	/* nothing here is the guest's, and a name needs no quoting in JSON */
	return asprintf(ret,
		       "{\"name\":\"%s\",\"state\":\"%s\",\"leader\":%d,\"init\":\"%s\",\"boots\":%"
		       "u,"
		       "\"since_usec\":%" PRIu64
		       ",\"uid_base\":%u,\"uid_count\":%u,\"launcher\":%d}",
		       s->launch->config.name, phase_names[s->phase], s->leader, inits[s->init],
		       s->launch->boots, s->since_usec, s->launch->range.base,
		       s->launch->range.count, getpid()) < 0
		       ? -ENOMEM
		       : 0;
}

static int answer_pty(void *arg, int ret_fds[2])
{
	struct supervisor *s = arg;
	int slave;

	if (s->devpts_fd < 0)
		return -EAGAIN;
	ret_fds[0] = terminal_open(s->devpts_fd);
	if (ret_fds[0] < 0)
		return ret_fds[0];
	slave = terminal_slave(ret_fds[0]);
	/* it is the host's root's, for which a user namespace has no number: nobody inside could
	 * open it by its name, nor give it to somebody */
	if (slave >= 0 && fchown(slave, s->launch->range.base, (gid_t)-1) < 0) {
		int r = -errno;

		(void)close(slave);
		slave = r;
	}
	if (slave < 0) {
		(void)close(ret_fds[0]);
		return slave;
	}
	ret_fds[1] = slave;
	return 0;
}

static void answer_reload(void *arg, bool dry_run, int fd)
{
	struct supervisor *s = arg;
	struct reload_guest guest = {
		.is_running = s->phase == RUNNING || s->phase == STARTING,
		.leader = s->leader,
		.leader_fd = s->leader_fd,
		.live_binds = &s->live_binds,
	};

	reload_start(&s->reload, s->base, s->launch, &guest, dry_run, fd);
}

/* --- one guest ----------------------------------------------------------------------------- */

/* What the container has on the host, once: made while the first builder is at work. */
static int open_to_host(struct supervisor *s)
{
	struct launch *launch = s->launch;
	int r;

	hosts_set(&launch->config);
	launch->notify_fd = notify_listen(launch->state.private_fd);
	if (launch->notify_fd < 0)
		return log_errno(launch->notify_fd, "cannot make the notify socket");
	r = watch(s, &s->notify_event, launch->notify_fd, on_notify);
	if (r >= 0)
		r = state_mount_doors(&launch->state, launch->range.base);
	/* the builder makes a temporary one */
	if (r >= 0 && !config_root_is_temporary(&launch->config))
		r = state_link_root(&launch->state, launch->config.root);
	if (r < 0)
		return r;
	s->control.status = answer_status;
	s->control.pty = answer_pty;
	s->control.reload = answer_reload;
	s->control.arg = s;
	return control_start(&s->control, s->base, &launch->state);
}

/* The builder's mount namespace is older than the doors: it gets them as a descriptor. */
static int send_doors(struct supervisor *s)
{
	_cleanup_close_ int mount = mnt_clone(s->launch->state.dir_fd, "doors", false);

	if (mount < 0)
		return log_errno(mount, "cannot clone the doors' mount");
	return fd_send(s->build_socket, BUILD_DOORS, &mount, 1);
}

static int start_guest(struct supervisor *s)
{
	struct launch *launch = s->launch;
	int r;

	s->phase = BUILDING;
	s->failed = s->killed = s->ready = s->unshared = false;
	s->init = launch->config.boot ? INIT_OTHER : INIT_COMMAND;
	r = system_resolve(launch);
	if (r < 0)
		return r;
	r = cgroup_make_payload(
		launch->service, launch->config.name, launch->range.base, &launch->cgroup);
	if (r >= 0 && launch->cgroup.path)
		r = state_note_cgroup(&launch->state, launch->cgroup.path);
	if (r < 0)
		return r;
	if (launch->service)
		cgroup_enable_controllers(&launch->cgroup);
	launch->boots++;
	s->n_binds_told = 0;
	if (live_binds_init(&s->live_binds, launch->config.n_binds) < 0)
		return log_errno(-ENOMEM, "cannot build the container");
	(void)resolv_refresh(launch);
	(void)hosts_refresh(&launch->config, launch->state.dir_fd);
	r = console_prepare(&s->console, launch, s->base);
	if (r >= 0)
		r = builder_start(
			launch, &s->console.guest, &s->builder_fd, &s->build_socket, &s->error_fd);
	if (launch->boots == 1) {
		bridge_watch_start(&s->bridges, s->base, &launch->config);
		resolv_watch_start(&s->resolv, s->base, launch);
	}
	if (r >= 0 && network_helper_is_needed(&launch->config))
		r = network_helper_start(&s->network, &launch->config);
	if (r >= 0)
		r = watch(s, &s->socket_event, s->build_socket, on_build_message);
	if (r >= 0)
		r = watch(s, &s->builder_event, s->builder_fd, on_builder_end);
	if (r >= 0)
		r = watch(s, &s->error_event, s->error_fd, on_leader_words);
	if (r >= 0 && launch->boots == 1)
		r = open_to_host(s);
	else
		state_forget_sessions(&launch->state);
	if (r >= 0)
		r = send_doors(s);
	/* the builder can't come to an end before it hears of the network: by then this is done */
	return r < 0 ? r : devices_confine(&launch->cgroup, launch->service, &launch->config);
}

/* Everything of one guest goes; what belongs to the container stays. */
static void end_guest(struct supervisor *s, siginfo_t *ret_info)
{
	(void)event_del(s->deadline);
	(void)event_del(s->ask);
	free_event(&s->builder_event);
	free_event(&s->socket_event);
	free_event(&s->error_event);
	free_event(&s->leader_event);
	free_event(&s->network_event);
	(void)network_helper_finish(&s->network);
	reload_abort(&s->reload);
	live_binds_close(&s->live_binds);
	if (s->builder_fd >= 0) {
		(void)pidfd_send_signal(s->builder_fd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)s->builder_fd, ret_info, WEXITED);
	}
	if (s->leader_fd >= 0) {
		(void)pidfd_send_signal(s->leader_fd, s->failed ? SIGKILL : 0, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)s->leader_fd, ret_info, WEXITED);
	}
	cgroup_destroy(&s->launch->cgroup);
	/* a reader may take its time, and the caller may lose patience with it */
	s->phase = ENDED;
	console_hang_up(&s->console);
	while (!console_is_drained(&s->console) && !s->killed && !s->stop_wanted)
		(void)event_base_loop(s->base, EVLOOP_ONCE);
	console_finish(&s->console);
	close_fdp(&s->builder_fd);
	close_fdp(&s->build_socket);
	close_fdp(&s->error_fd);
	close_fdp(&s->leader_fd);
	close_fdp(&s->devpts_fd);
	close_fdp(&s->console_master);
	(void)unlinkat(s->launch->state.dir_fd, TRUST_FILE, 0);
	s->leader = 0;
}

static bool has_rebooted(const struct supervisor *s, const siginfo_t *info)
{
	return s->launch->config.boot && !s->stop_wanted && !s->killed && !s->failed &&
	       info->si_code == CLD_KILLED && info->si_status == SIGHUP;
}

/* The launcher's status after the container's last guest. */
static int final_status(const struct supervisor *s, const siginfo_t *info)
{
	bool powered_off =
		s->launch->config.boot && info->si_code == CLD_KILLED &&
		(info->si_status == SIGINT || (s->stop_wanted && info->si_status == SIGHUP));

	if (s->failed) /* 126 and 127: the command could not be executed */
		return info->si_code == CLD_EXITED && info->si_status >= 126 ? info->si_status
									     : EXIT_OWN;
	if (powered_off)
		return 0;
	if (s->stop_wanted && s->launch->config.boot)
		return 0; /* it ended when asked to, or was killed for not doing so */
	return exit_status(info);
}

/* --- set-up -------------------------------------------------------------------------------- */

static int watch_signals(struct supervisor *s)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH };

	static_assert(ARRAY_SIZE(numbers) == ARRAY_SIZE(s->signals), "one event a signal");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		s->signals[i] = evsignal_new(s->base, numbers[i], on_signal, s);
		if (!s->signals[i] || event_add(s->signals[i], NULL) < 0)
			return log_errno(-ENOMEM, "cannot watch signals");
	}
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* epoll refuses files; that is no news (stream.c) */
static void on_event_log(int severity, const char *text)
{
	(void)severity;
	log_debug("libevent: %s", text);
}

static int prepare(struct supervisor *s)
{
	struct event_config *config = event_config_new();

	if (config)
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_set_log_callback(on_event_log);
	s->base = config ? event_base_new_with_config(config) : NULL;
	if (config)
		event_config_free(config);
	s->deadline = s->base ? event_new(s->base, -1, 0, on_deadline, s) : NULL;
	s->ask = s->base ? event_new(s->base, -1, 0, on_ask, s) : NULL;
	if (!s->deadline || !s->ask)
		return log_errno(-ENOMEM, "cannot make the event loop");
	s->console.escape = on_escape;
	s->console.escape_arg = s;
	return watch_signals(s);
}

/* A guest that reboots as soon as it has booted gets a second's rest, and the host with it. */
static void rest(struct supervisor *s)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if ((uint64_t)now.tv_sec * 1000000 - s->since_usec > 1000000)
		return;
	(void)event_base_loopexit(s->base, &second);
	(void)event_base_dispatch(s->base);
}

static int hold_ports(struct supervisor *s)
{
	const struct container_config *config = &s->launch->config;
	int r = ports_reserve(s->launch->ports, config->name, config->ports, config->n_ports);

	if (r >= 0)
		ports_settle(
			s->launch->ports, s->launch->state.dir_fd, config->ports, config->n_ports);
	return r;
}

static int run_guests(struct supervisor *s)
{
	struct timespec now;
	siginfo_t info;
	int r;

	for (;;) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		s->since_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
		info = (siginfo_t){};
		r = start_guest(s);
		if (r < 0)
			s->failed = true;
		else
			(void)event_base_dispatch(s->base);
		end_guest(s, &info);
		if (!has_rebooted(s, &info))
			return final_status(s, &info);
		log_info("container '%s' reboots", s->launch->config.name);
		s->phase = BUILDING;
		rest(s);
		if (s->stop_wanted)
			return 0;
	}
}

int supervise(struct launch *launch)
{
	struct supervisor s = {
		.launch = launch,
		.builder_fd = -EBADF,
		.build_socket = -EBADF,
		.error_fd = -EBADF,
		.leader_fd = -EBADF,
		.devpts_fd = -EBADF,
		.console_master = -EBADF,
		.control = CONTROL_NULL,
		.machined = MACHINED_NULL,
		.network = NETWORK_HELPER_NULL,
		.bridges = BRIDGE_WATCH_NULL,
		.resolv = RESOLV_WATCH_NULL,
		.reload = RELOAD_NULL,
	};
	int status;

	launch->bridges = &s.bridges;
	launch->ports = &s.ports;
	status = prepare(&s) < 0 || hold_ports(&s) < 0 ? EXIT_OWN : run_guests(&s);
	bridge_watch_stop(&s.bridges);
	resolv_watch_stop(&s.resolv);
	if (network_helper_leaves_traces(&launch->config) || state_has_interfaces(&launch->state))
		(void)network_helper_cleanup(launch->config.name);
	ports_release(&s.ports);
	control_stop(&s.control);
	machined_stop(&s.machined);
	free_event(&s.notify_event);
	free_event(&s.deadline);
	free_event(&s.ask);
	for (size_t i = 0; i < ARRAY_SIZE(s.signals); i++)
		free_event(&s.signals[i]);
	close_fdp(&launch->notify_fd);
	if (s.base)
		event_base_free(s.base);
	launch->bridges = NULL;
	launch->ports = NULL;
	return status;
}
