/* SPDX-License-Identifier: MIT */

#include "supervisor.h"

#include "cleanup.h"
#include "log.h"
#include "notify.h"
#include "stop.h"

#include <assert.h>
#include <signal.h>
#include <sys/pidfd.h>

/*
 * systemd's own patience with a unit is 90 s, in the guest as on the host. A unit's TimeoutStopSec=
 * that is shorter ends the wait from outside.
 */
#define STOP_TIMEOUT_INIT_SEC 85
#define STOP_TIMEOUT_COMMAND_SEC 10

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

void supervise_stop(struct supervisor *s)
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
	supervise_stop(s);
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

static int watch_signals(struct supervisor *s)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH };

	static_assert(ARRAY_SIZE(numbers) == ARRAY_SIZE(s->signals), "one event a signal");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		s->signals[i] = evsignal_new(s->base, numbers[i], on_signal, s);
		if (!s->signals[i] || event_add(s->signals[i], NULL) < 0)
			return log_errno(-ENOMEM, "cannot watch signals");
	}
	return 0;
}

int supervise_prepare_stop(struct supervisor *s)
{
	s->deadline = event_new(s->base, -1, 0, on_deadline, s);
	s->ask = event_new(s->base, -1, 0, on_ask, s);
	if (!s->deadline || !s->ask)
		return log_errno(-ENOMEM, "cannot make the event loop");
	s->console.escape = on_escape;
	s->console.escape_arg = s;
	return watch_signals(s);
}

/* For good: what is left for this process to do is to clean up. */
static void hold_signals(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
}

void supervise_forget_stop(struct supervisor *s)
{
	/* without its handler one more TERM would be the end in the middle of the clean-up */
	hold_signals();
	supervise_free_event(&s->deadline);
	supervise_free_event(&s->ask);
	for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++)
		supervise_free_event(&s->signals[i]);
}
