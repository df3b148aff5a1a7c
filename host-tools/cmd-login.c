/* SPDX-License-Identifier: MIT */

/* narthex login: the login door, which asks for name and password. Its guest's end is a terminal of
 * the guest's own; here are the raw bytes. */

#include "cleanup.h"
#include "door-client.h"
#include "exec-client.h"
#include "lane.h"
#include "log.h"
#include "terminal-raw.h"
#include "verbs.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

struct login {
	struct lane in, out;
	struct terminal_raw raw;
	struct terminal_escape escape;
	int signal_fd;
};

/* It is big, and there is one a process. */
static struct login login;

static bool on_keys(void *arg, const char *data, size_t len)
{
	return terminal_escape_seen(arg, data, len, door_clock_ms());
}

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	login.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)sigaddset(&set, SIGPIPE);
	if (login.signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return log_errno(-errno, "cannot watch signals");
	return 0;
}

/* Until the guest closes its end. Returns the status. */
static int relay(void)
{
	struct signalfd_siginfo info;

	while (login.out.open) {
		struct pollfd fds[] = {
			lane_wants(&login.out),
			lane_wants(&login.in),
			{ .fd = login.signal_fd, .events = POLLIN },
		};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents != 0)
			lane_move(&login.out);
		if (fds[1].revents != 0)
			lane_move(&login.in);
		if (fds[2].revents != 0 &&
			read(login.signal_fd, &info, sizeof(info)) == sizeof(info))
			return 128 + (int)info.ssi_signo;
		if (login.in.stopped) {
			terminal_raw_leave(&login.raw);
			log_error("left the session");
			return STATUS_FAILED;
		}
	}
	if (login.out.error != 0) {
		log_errno(-login.out.error, "cannot write to standard output");
		return STATUS_FAILED;
	}
	return 0;
}

const struct verb_option login_options[] = {
	{ .name = "root",
		.arg = "DIR",
		.help = "the root directory of a container of somebody else, instead of NAME" },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct door_place *place = userdata;

	(void)option;
	place->root = arg;
	return 0;
}

int cmd_login(const struct verb *verb, int argc, char **argv)
{
	struct door_place place = {};
	int first, sock, status;

	status = verb_parse(verb, argc, argv, on_option, &place, &first);
	if (status >= 0)
		return status;
	if (argc - first != (place.root ? 0 : 1))
		return verb_usage(verb);
	place.name = argv[first];
	if (exec_hold_stdio() < 0)
		return STATUS_FAILED;
	sock = door_connect(&place, "login", SOCK_STREAM);
	if (sock < 0 || open_signals() < 0)
		return STATUS_FAILED;
	lane_start(&login.in, STDIN_FILENO, sock, LANE_SHUTDOWN);
	lane_start(&login.out, sock, STDOUT_FILENO, LANE_KEEP);
	if (isatty(STDIN_FILENO)) {
		login.in.filter = on_keys;
		login.in.arg = &login.escape;
	}
	status = terminal_raw_enter(&login.raw);
	if (status < 0) {
		log_errno(status, "cannot set the terminal");
		return STATUS_FAILED;
	}
	status = relay();
	terminal_raw_leave(&login.raw);
	return status;
}
