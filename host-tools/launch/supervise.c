/* SPDX-License-Identifier: MIT */

/*
 * One loop. A guest goes through BUILDING, STARTING (its init runs and has not said READY=1),
 * RUNNING and, when asked to end, STOPPING; then it is reaped, and built again if its init died of
 * the signal that the kernel gives for a reboot (reboot(2), "Behavior inside PID namespaces":
 * SIGHUP for a restart, SIGINT for halt and poweroff).
 */

#include "supervise.h"

#include "../client/trust.h"
#include "bridge-watch.h"
#include "cleanup.h"
#include "console.h"
#include "control.h"
#include "devices.h"
#include "fd.h"
#include "hosts.h"
#include "live-binds.h"
#include "log.h"
#include "machined.h"
#include "network-helper.h"
#include "notify.h"
#include "ports.h"
#include "reload.h"
#include "resolv.h"
#include "supervisor.h"
#include "system.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

void supervise_free_event(struct event **event)
{
	if (*event)
		event_free(TAKE_PTR(*event));
}

int supervise_watch(struct supervisor *s, struct event **event, int fd, event_callback_fn callback)
{
	*event = event_new(s->base, fd, EV_READ | EV_PERSIST, callback, s);
	if (!*event || event_add(*event, NULL) < 0)
		return log_errno(-ENOMEM, "cannot watch a descriptor");
	return 0;
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

void supervise_executed(struct supervisor *s)
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
		supervise_stop(s);
}

/* 0…255 as a shell counts: 128+N for a signal. */
static int exit_status(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

void supervise_reap(struct supervisor *s, int pidfd, siginfo_t *ret_info)
{
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, ret_info, WEXITED) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == 0)
		return;
	(void)log_errno(
		r, "cannot hear how a process of container '%s' has ended", s->launch->config.name);
	s->failed = true;
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
		return log_errno(launch->notify_fd, "cannot make %s/%s/private/notify", RUN_DIR,
			launch->config.name);
	r = supervise_watch(s, &s->notify_event, launch->notify_fd, on_notify);
	if (r >= 0)
		r = state_mount_doors(&launch->state, launch->range.base);
	if (r < 0)
		return r;
	supervise_set_answers(s);
	return control_start(&s->control, s->base, &launch->state);
}

static int start_guest(struct supervisor *s)
{
	struct launch *launch = s->launch;
	int r;

	s->phase = BUILDING;
	s->failed = s->heard = s->killed = s->ready = s->unshared = false;
	s->init = launch->config.boot ? INIT_OTHER : INIT_COMMAND;
	r = system_resolve(launch);
	if (r < 0)
		return r;
	r = cgroup_find_payload(launch->service, launch->config.name, &launch->cgroup);
	if (r >= 0 && launch->cgroup.path)
		r = state_note_cgroup(&launch->state, launch->cgroup.path);
	if (r >= 0)
		r = cgroup_make_payload(launch->range.base, &launch->cgroup);
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
		r = supervise_start_builder(s);
	if (launch->boots == 1) {
		bridge_watch_start(&s->bridges, s->base, &launch->config);
		resolv_watch_start(&s->resolv, s->base, launch);
	}
	if (r >= 0 && launch->boots == 1)
		r = open_to_host(s);
	else
		state_forget_sessions(&launch->state);
	if (r >= 0)
		r = supervise_send_doors(s);
	/* the builder can't come to an end before it hears of the network: by then this is done */
	return r < 0 ? r : devices_confine(&launch->cgroup, launch->service, &launch->config);
}

int supervise_resume(struct supervisor *s)
{
	int r = supervise_watch(s, &s->notify_event, s->launch->notify_fd, on_notify);

	if (r >= 0)
		r = supervise_watch_leader(s);
	s->console.base = s->base;
	if (r >= 0)
		r = console_start(&s->console, s->console_master);
	supervise_set_answers(s);
	return r < 0 ? r : control_resume(&s->control, s->base);
}

/* Everything of one guest goes; what belongs to the container stays. */
static void end_guest(struct supervisor *s, siginfo_t *ret_info)
{
	(void)event_del(s->deadline);
	(void)event_del(s->ask);
	supervise_free_event(&s->builder_event);
	supervise_free_event(&s->socket_event);
	supervise_free_event(&s->error_event);
	supervise_free_event(&s->leader_event);
	supervise_free_event(&s->network_event);
	(void)network_helper_finish(&s->network);
	reload_abort(&s->reload);
	address_follow_stop(&s->follow);
	supervise_abort_upgrade(s);
	live_binds_close(&s->live_binds);
	if (s->builder_fd >= 0) {
		(void)pidfd_send_signal(s->builder_fd, SIGKILL, NULL, 0);
		supervise_reap(s, s->builder_fd, ret_info);
	}
	if (s->leader_fd >= 0) {
		(void)pidfd_send_signal(s->leader_fd, s->failed ? SIGKILL : 0, NULL, 0);
		supervise_reap(s, s->leader_fd, ret_info);
	}
	supervise_hear_last_words(s);
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
	if (console_has_lost(&s->console)) /* which has been said */
		return EXIT_OWN;
	return exit_status(info);
}

/* --- set-up -------------------------------------------------------------------------------- */

/* epoll refuses files; that is no news (stream.c). After an error libevent ends the process. */
static void on_event_log(int severity, const char *text)
{
	if (severity == EVENT_LOG_ERR)
		log_error("cannot go on: %s", text);
	else
		log_debug("libevent: %s", text);
}

/* libevent ends the process when it gets no descriptors for its signals, and nothing would be
 * cleaned up: whether there are as many as it takes (epoll, a timer, a pipe) is tried before. */
static int try_descriptors(void)
{
	int fds[4] = { -EBADF, -EBADF, -EBADF, -EBADF };
	int r = pipe2(fds, O_CLOEXEC) < 0 || pipe2(fds + 2, O_CLOEXEC) < 0 ? -errno : 0;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close_fdp(&fds[i]);
	return r < 0 ? log_errno(r, "cannot make the event loop") : 0;
}

static int prepare(struct supervisor *s)
{
	struct event_config *config;
	int r = try_descriptors();

	if (r < 0)
		return r;
	config = event_config_new();
	if (config)
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_set_log_callback(on_event_log);
	s->base = config ? event_base_new_with_config(config) : NULL;
	if (config)
		event_config_free(config);
	if (!s->base)
		return log_errno(-ENOMEM, "cannot make the event loop");
	(void)signal(SIGPIPE, SIG_IGN);
	return supervise_prepare_stop(s);
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

/* is_running: the first guest is another launcher's. */
static int run_guests(struct supervisor *s, bool is_running)
{
	struct timespec now;
	siginfo_t info;
	int r;

	for (;; is_running = false) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		if (!is_running)
			s->since_usec =
				(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
		info = (siginfo_t){};
		r = is_running ? 0 : start_guest(s);
		if (r >= 0 && event_base_dispatch(s->base) < 0)
			r = log_errno(
				-errno, "cannot wait for container '%s'", s->launch->config.name);
		if (r < 0)
			s->failed = true;
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

static void done(struct supervisor *s)
{
	struct launch *launch = s->launch;

	bridge_watch_stop(&s->bridges);
	resolv_watch_stop(&s->resolv);
	if (launch->traces || state_has_interfaces(&launch->state))
		launch->state.is_unclean = network_helper_cleanup(launch->config.name) < 0;
	ports_release(&s->ports);
	control_stop(&s->control);
	machined_stop(&s->machined);
	supervise_free_event(&s->notify_event);
	supervise_forget_stop(s);
	close_fdp(&launch->notify_fd);
	if (s->base)
		event_base_free(s->base);
	launch->bridges = NULL;
	launch->follow = NULL;
	launch->ports = NULL;
}

static void init(struct supervisor *s, struct launch *launch)
{
	*s = (struct supervisor){
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
		.follow = ADDRESS_FOLLOW_NULL,
		.resolv = RESOLV_WATCH_NULL,
		.reload = RELOAD_NULL,
		.upgrade = UPGRADE_NULL,
	};
	launch->bridges = &s->bridges;
	launch->follow = &s->follow;
	launch->ports = &s->ports;
}

int supervise(struct launch *launch)
{
	struct supervisor s;
	int status;

	init(&s, launch);
	launch->traces = network_helper_leaves_traces(&launch->config);
	status = prepare(&s) < 0 || hold_ports(&s) < 0 ? EXIT_OWN : run_guests(&s, false);
	done(&s);
	return status;
}

int supervise_next(struct launch *launch, int fd, bool check)
{
	struct supervisor s;
	int status;

	init(&s, launch);
	/* of what the last launcher has tried it hasn't said */
	launch->traces = true;
	/* when this fails, the guest ends with this process, and the clean-up finds all that was */
	if (supervise_take_over(&s, fd, check) < 0 || prepare(&s) < 0 || supervise_go_on(&s) < 0)
		_exit(EXIT_OWN);
	status = run_guests(&s, true);
	done(&s);
	return status;
}
