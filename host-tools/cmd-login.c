/* SPDX-License-Identifier: MIT */

/* narthex login: the login door, which asks for name and password. Its guest's end is a terminal of
 * the guest's own; here are the raw bytes. */

#include "cleanup.h"
#include "client/asciicast.h"
#include "client/door-client.h"
#include "client/exec-client.h"
#include "client/lane.h"
#include "client/terminal-raw.h"
#include "log.h"
#include "verbs.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

struct login {
	struct lane in, out;
	struct terminal_raw raw;
	struct terminal_escape escape;
	struct asciicast cast;
	int signal_fd;
	int64_t deadline_ms; /* for the first word */
	bool heard;
};

struct options {
	struct door_place place;
	const char *record;
};

/* It is big, and there is one a process. */
static struct login login;

static bool on_keys(void *arg, const char *data, size_t len)
{
	return terminal_escape_seen(arg, data, len, door_clock_ms());
}

static bool on_output(void *arg, const char *data, size_t len)
{
	struct login *l = arg;

	l->heard = true;
	asciicast_output(&l->cast, data, len);
	return false;
}

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigaddset(&set, SIGTSTP);
	(void)sigaddset(&set, SIGCONT);
	login.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)sigaddset(&set, SIGPIPE);
	if (login.signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return log_errno(-errno, "cannot watch signals");
	return 0;
}

/* The guest's terminal doesn't hear of it: through this door go bytes only. */
static void take_size(void)
{
	struct winsize size;

	if (terminal_size(&size) == 0)
		asciicast_resize(&login.cast, size.ws_col, size.ws_row);
}

/* -1, or the status to exit with. */
static int take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(login.signal_fd, &info, sizeof(info)) != sizeof(info))
		return -1;
	if (info.ssi_signo == SIGTSTP)
		terminal_raw_suspend(&login.raw);
	else if (info.ssi_signo == SIGCONT)
		terminal_raw_resume(&login.raw);
	else if (info.ssi_signo != SIGWINCH)
		return 128 + (int)info.ssi_signo;
	take_size();
	return -1;
}

/* Milliseconds for poll(): whoever listens has to ask for a name. */
static int time_left(void)
{
	int64_t left = login.deadline_ms - door_clock_ms();

	if (login.heard)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* The session has ended by itself. Returns the status. */
static int end(void)
{
	if (login.out.error != 0) {
		log_errno(-login.out.error, "cannot write to standard output");
		return STATUS_FAILED;
	}
	if (!login.heard) {
		log_error("the container has closed the door without an answer");
		return STATUS_FAILED;
	}
	return 0;
}

/* Until the guest closes its end. Returns the status. */
static int relay(void)
{
	int status = -1;

	while (login.out.open && status < 0) {
		struct pollfd fds[] = {
			lane_wants(&login.out),
			lane_wants(&login.in),
			{ .fd = login.signal_fd, .events = POLLIN },
		};
		int n = poll(fds, ARRAY_SIZE(fds), time_left());

		if (n == 0) {
			log_error(
				"the container has not answered in %d s", DOOR_DEADLINE_MS / 1000);
			return STATUS_FAILED;
		}
		if (n < 0)
			continue;
		if (fds[0].revents != 0)
			lane_move(&login.out);
		if (fds[1].revents != 0)
			lane_move(&login.in);
		if (fds[2].revents != 0)
			status = take_signal();
		if (login.in.stopped) {
			terminal_raw_leave(&login.raw);
			log_error("left the session");
			return STATUS_FAILED;
		}
	}
	return status >= 0 ? status : end();
}

const struct verb_option login_options[] = {
	{ .name = "record",
		.arg = "FILE",
		.help = "write what is shown to a new FILE (asciicast v2)" },
	{ .name = "root",
		.arg = "DIR",
		.help = "the root directory of a container of somebody else, instead of NAME" },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct options *options = userdata;

	if (strcmp(option->name, "record") == 0)
		options->record = arg;
	else
		options->place.root = arg;
	return 0;
}

static int open_recording(const struct options *options)
{
	struct asciicast_header header = { .title = options->place.root ?: options->place.name };
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int r;

	(void)terminal_size(&size);
	header.columns = size.ws_col;
	header.rows = size.ws_row;
	r = asciicast_open(&login.cast, options->record, &header);
	return r < 0 ? log_errno(r, "cannot record to '%s'", options->record) : 0;
}

/* Logs. 0 or -errno. */
static int begin(const struct options *options)
{
	int sock = door_connect(&options->place, "login", SOCK_STREAM);
	int r = sock < 0 ? sock : open_signals();

	if (r >= 0 && options->record)
		r = open_recording(options);
	if (r < 0)
		return r;
	lane_start(&login.in, STDIN_FILENO, sock, LANE_SHUTDOWN);
	lane_start(&login.out, sock, STDOUT_FILENO, LANE_KEEP);
	login.out.filter = on_output;
	login.out.arg = &login;
	if (isatty(STDIN_FILENO)) {
		login.in.filter = on_keys;
		login.in.arg = &login.escape;
	}
	login.deadline_ms = door_clock_ms() + DOOR_DEADLINE_MS;
	r = terminal_raw_enter(&login.raw);
	return r < 0 ? log_errno(r, "cannot set the terminal") : 0;
}

int cmd_login(const struct verb *verb, int argc, char **argv)
{
	struct options options = {};
	bool recorded;
	int first, r, status;

	status = verb_parse(verb, argc, argv, on_option, &options, &first);
	if (status >= 0)
		return status;
	if (argc - first != (options.place.root ? 0 : 1))
		return verb_usage(verb);
	options.place.name = argv[first];
	login.cast.fd = -EBADF;
	status = exec_hold_stdio() < 0 || begin(&options) < 0 ? STATUS_FAILED : relay();
	terminal_raw_leave(&login.raw);
	recorded = login.cast.fd >= 0;
	r = asciicast_close(&login.cast);
	if (recorded && !login.heard)
		(void)unlink(options.record);
	else if (r < 0)
		log_errno(r, "the recording '%s' is cut short", options.record);
	return status;
}
