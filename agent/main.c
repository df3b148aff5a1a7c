/* SPDX-License-Identifier: MIT */

/*
 * narthex-agent: serves the doors of a guest. main is: options, sockets, loop, status. Started by
 * systemd on the first connection (see listener.c), it leaves when it has been idle for a while.
 */

#include "cleanup.h"
#include "clock.h"
#include "crashes.h"
#include "door.h"
#include "inherit.h"
#include "kernel.h"
#include "log.h"
#include "restart.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#define DEFAULT_IDLE_TIMEOUT 30
#define DEFAULT_MAX_SESSIONS 4096
#define DEFAULT_MAX_SESSIONS_PER_UID 1024
#define LISTEN_MAX 64
#define HEAR_MS 5000 /* a client says what to run within microseconds, if nothing holds it up */
/* For a command in the background to end in order; nobody waits longer for a guest that goes down.
 */
#define END_GRACE_MS 3000

static long arg_idle_timeout = -1; /* seconds; 0: never; -1: as the sockets came */
static size_t arg_max_sessions = DEFAULT_MAX_SESSIONS;
static size_t arg_max_sessions_per_uid = DEFAULT_MAX_SESSIONS_PER_UID;
static struct {
	const struct door *door;
	const char *path;
} arg_listen[LISTEN_MAX];
static size_t arg_n_listen;
static bool arg_end_sessions;

struct agent {
	struct event_base *base;
	struct sessions sessions;
	struct listeners listeners;
	struct event *sigterm, *sigint, *sigusr2, *idle;
	bool stopped, anew;
};

static void help(void)
{
	printf("Usage: narthex-agent [OPTION]...\n"
	       "Serves the doors of a guest: login, root-login, root-shell, exec.\n\n"
	       "  --listen=DOOR=PATH          bind a door's socket at PATH (repeatable)\n"
	       "  --idle-timeout=SECONDS      leave after so long without a session (default %d;\n"
	       "                              with --listen 0: never)\n"
	       "  --max-sessions=N            sessions in all (default %d)\n"
	       "  --max-sessions-per-uid=N    sessions of one client's uid (default %d)\n"
	       "  --end-sessions              end all that runs in sessions, at the guest's "
	       "shutdown\n"
	       "  --help                      show this text\n"
	       "  --version                   show the version\n\n"
	       "Without --listen the sockets come from systemd. See narthex-agent(8).\n",
		DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_SESSIONS, DEFAULT_MAX_SESSIONS_PER_UID);
}

static int parse_number(const char *option, const char *text, unsigned long max, unsigned long *ret)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value > max) {
		log_error("--%s: '%s' is not a number from 0 to %lu", option, text, max);
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* DOOR=PATH */
static int parse_listen(const char *text)
{
	const char *path = strchr(text, '=');
	char name[32];

	if (!path || path[1] != '/') {
		log_error("--listen: '%s' is not DOOR=PATH with an absolute path", text);
		return -EINVAL;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)(path - text), text);
	if (arg_n_listen == LISTEN_MAX) {
		log_error("--listen: more than %d sockets", LISTEN_MAX);
		return -EINVAL;
	}
	arg_listen[arg_n_listen].door = door_find(name);
	arg_listen[arg_n_listen].path = path + 1;
	if (!arg_listen[arg_n_listen++].door) {
		log_error("--listen: unknown door '%s': use login, root-login, root-shell or exec",
			name);
		return -EINVAL;
	}
	return 0;
}

/* 1: go on; 0: done; -EINVAL: wrong usage. */
static int parse_argv(int argc, char **argv)
{
	enum {
		OPT_LISTEN = 256,
		OPT_IDLE,
		OPT_MAX,
		OPT_MAX_PER_UID,
		OPT_END,
		OPT_HELP,
		OPT_VERSION
	};
	static const struct option options[] = {
		{ "listen", required_argument, NULL, OPT_LISTEN },
		{ "idle-timeout", required_argument, NULL, OPT_IDLE },
		{ "max-sessions", required_argument, NULL, OPT_MAX },
		{ "max-sessions-per-uid", required_argument, NULL, OPT_MAX_PER_UID },
		{ "end-sessions", no_argument, NULL, OPT_END },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{},
	};
	unsigned long value = 0;
	int c, index = 0, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, &index)) >= 0) {
		switch (c) {
		case OPT_LISTEN:
			r = parse_listen(optarg);
			break;
		case OPT_IDLE:
			r = parse_number("idle-timeout", optarg, INT_MAX, &value);
			arg_idle_timeout = (long)value;
			break;
		case OPT_MAX:
			r = parse_number("max-sessions", optarg, INT_MAX, &value);
			arg_max_sessions = value;
			break;
		case OPT_MAX_PER_UID:
			r = parse_number("max-sessions-per-uid", optarg, INT_MAX, &value);
			arg_max_sessions_per_uid = value;
			break;
		case OPT_END:
			arg_end_sessions = true;
			break;
		case OPT_HELP:
			help();
			return 0;
		case OPT_VERSION:
			puts("narthex " NARTHEX_VERSION);
			return 0;
		default:
			return -EINVAL; /* getopt has said why */
		}
	}
	if (r == 0 && optind < argc) {
		log_error("unexpected argument '%s'", argv[optind]);
		r = -EINVAL;
	}
	return r < 0 ? r : 1;
}

static void on_quit(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	(void)event_base_loopbreak(agent->base);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	agent->stopped = true;
	on_quit(fd, what, arg);
}

static void on_usr2(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	agent->anew = true;
	on_quit(fd, what, arg);
}

static void on_sessions_changed(void *arg)
{
	struct agent *agent = arg;
	struct timeval timeout = { .tv_sec = arg_idle_timeout };

	if (agent->sessions.limits.count > 0)
		(void)event_del(agent->idle);
	else if (arg_idle_timeout > 0)
		(void)event_add(agent->idle, &timeout);
}

static int open_listeners(struct agent *agent)
{
	int r = listeners_init(&agent->listeners, agent->base, &agent->sessions), n;

	if (r < 0)
		return log_errno(r, "cannot start");
	n = inherit(&agent->listeners, &agent->sessions);
	if (n < 0)
		return n;
	for (size_t i = 0; i < arg_n_listen; i++) {
		r = listeners_bind(&agent->listeners, arg_listen[i].door, arg_listen[i].path);
		if (r < 0)
			return r;
	}
	if (n == 0 && arg_n_listen == 0) {
		log_error("no sockets: systemd passed none (start narthex-*.socket instead) and "
			  "there "
			  "is no --listen");
		return -EINVAL;
	}
	if (arg_idle_timeout < 0)
		arg_idle_timeout = arg_n_listen > 0 ? 0 : DEFAULT_IDLE_TIMEOUT;
	return 0;
}

/* A session takes up to eight descriptors; the default soft limit ends at a hundred of them. */
static void raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("cannot raise the limit of descriptors: %s", strerror(errno));
}

static int agent_init(struct agent *agent)
{
	const char *term = getenv("TERM");
	int r;

	agent->base = event_base_new();
	if (!agent->base)
		return log_errno(-ENOMEM, "cannot start");
	agent->sigterm = evsignal_new(agent->base, SIGTERM, on_term, agent);
	agent->sigint = evsignal_new(agent->base, SIGINT, on_term, agent);
	agent->sigusr2 = evsignal_new(agent->base, SIGUSR2, on_usr2, agent);
	agent->idle = evtimer_new(agent->base, on_quit, agent);
	if (!agent->sigterm || !agent->sigint || !agent->sigusr2 || !agent->idle ||
		evsignal_add(agent->sigterm, NULL) < 0 || evsignal_add(agent->sigint, NULL) < 0 ||
		evsignal_add(agent->sigusr2, NULL) < 0)
		return log_errno(-ENOMEM, "cannot start");
	r = sessions_init(&agent->sessions, agent->base, arg_max_sessions, arg_max_sessions_per_uid,
		term && term[0] ? term : "linux");
	if (r < 0)
		return log_errno(r, "cannot start");
	agent->sessions.changed = on_sessions_changed;
	agent->sessions.arg = agent;
	raise_nofile(); /* after sessions_init(), which keeps the old limit for the children */
	return open_listeners(agent);
}

/*
 * Before another agent comes: who has been let in and is about to say what to run, is heard.
 * Whoever comes meanwhile is the other's.
 */
static void hear_waiting(struct agent *agent)
{
	const struct timeval turn = { .tv_usec = 5000 };
	int64_t end = clock_ms() + HEAR_MS;

	listeners_pause(&agent->listeners);
	while (exec_sessions_wait(&agent->sessions) && clock_ms() < end &&
		event_base_loopexit(agent->base, &turn) == 0 &&
		event_base_dispatch(agent->base) >= 0)
		;
}

static void agent_done(struct agent *agent, bool failed)
{
	bool keep =
		agent->sessions.limits.count > 0 &&
		(failed ? agent->sessions.store.systemd : agent->stopped && restart_is_pending());

	if (keep && !failed)
		hear_waiting(agent);
	listeners_done(&agent->listeners);
	agent->sessions.changed = NULL;
	sessions_done(&agent->sessions, keep);
	if (agent->idle)
		event_free(agent->idle);
	if (agent->sigusr2)
		event_free(agent->sigusr2);
	if (agent->sigint)
		event_free(agent->sigint);
	if (agent->sigterm)
		event_free(agent->sigterm);
	if (agent->base)
		event_base_free(agent->base);
	if (keep)
		_exit(failed ? EXIT_FAILURE : EXIT_SUCCESS); /* sessions that are kept aren't freed,
								which is no leak */
}

/* Until it is to end. 0 or -errno. */
static int loop(struct agent *agent, char **argv)
{
	for (;;) {
		if (event_base_dispatch(agent->base) < 0)
			return log_errno(-errno, "event loop failed");
		if (!agent->anew)
			return 0;
		agent->anew = false;
		hear_waiting(agent);
		if (agent->stopped)
			return 0;
		(void)journal_flush(&agent->sessions.journal);
		(void)inherit_by_exec(&agent->listeners, &agent->sessions, argv);
		listeners_resume(&agent->listeners);
	}
}

static int run(char **argv)
{
	struct agent agent = {
		.sessions = {
			.spawner = SPAWNER_NULL,
			.hangups = HANGUPS_NULL,
			.cgroups = SESSION_CGROUPS_NULL,
			.table = SESSION_TABLE_NULL,
			.journal = JOURNAL_NULL,
			.exec = EXEC_SESSIONS_NULL,
		},
	};
	int r = agent_init(&agent);

	if (r == 0) {
		r = listeners_start(&agent.listeners);
		if (r < 0)
			(void)log_errno(r, "cannot listen");
	}
	if (r == 0) {
		on_sessions_changed(&agent);
		(void)sd_notify(0, "READY=1");
		r = loop(&agent, argv);
		(void)sd_notify(0, "STOPPING=1");
	}
	if (r < 0)
		crashes_note();
	agent_done(&agent, r < 0);
	return r;
}

/* For narthex-sessions.service: the agent is gone by then. */
static int end_sessions(void)
{
	struct session_cgroups cgroups;
	int r = session_cgroups_open(&cgroups);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return log_errno(r, "cannot open the cgroup of sessions");
	if (!session_cgroups_end(&cgroups, END_GRACE_MS))
		log_warning("processes of sessions don't end");
	session_cgroups_close(&cgroups);
	return 0;
}

static bool check_kernel(void)
{
	const char *call, *since;

	if (kernel_has(KERNEL_CLONE3 | KERNEL_CLOSE_RANGE | KERNEL_PIDFD, &call, &since))
		return true;
	log_error("no door can be served: this kernel has no %s, which came with Linux %s; "
		  "narthex-agent needs 5.9",
		call, since);
	return false;
}

int main(int argc, char **argv)
{
	int r;

	log_init("narthex-agent");
	log_dont_wait(); /* with a journald that hangs every door would stand still */
	(void)signal(SIGPIPE, SIG_IGN);
	r = parse_argv(argc, argv);
	if (r <= 0)
		return r < 0 ? 2 : EXIT_SUCCESS;
	if (arg_end_sessions)
		return end_sessions() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	return !check_kernel() || run(argv) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
