/* SPDX-License-Identifier: MIT */

/*
 * The client makes the session's pipes, or gets a pty from the launcher, and sends the guest's ends
 * along with START. From then on it has three lanes (lane.h) between them and the caller's
 * descriptors, the connection, on which two answers come, and the signals.
 *
 * With a pty the client keeps the slave open, too: the master then never hangs up, and what ends
 * the session is EXITED alone, whoever else still holds the terminal.
 *
 * The process that has ended wrote all it wrote before EXITED was sent. So what lies in the pipes
 * at that moment is moved, and no end of file is awaited: a job in the background may hold them for
 * ever.
 */

#include "exec-client.h"

#include "../remote.h"
#include "../verbs.h"
#include "asciicast.h"
#include "cleanup.h"
#include "exec-answers.h"
#include "exec-message.h"
#include "fd.h"
#include "lane.h"
#include "log.h"
#include "quick-poll.h"
#include "terminal-raw.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { LANE_IN, LANE_OUT, LANE_ERR, LANES };

/* What is waited for: the connection, signals, the lanes, a reader who goes. */
enum { WAIT_SOCK, WAIT_SIGNAL, WAIT_LANES, WAIT_READER = WAIT_LANES + LANES, WAITS };

struct session {
	const struct exec_request *request;
	bool tty;
	int sock, signal_fd;
	int quick; /* with a terminal, to wait for all that is read from; negative: there is none */
	int master;
	struct lane lanes[LANES];
	struct terminal_raw raw;
	struct terminal_escape escape;
	struct asciicast cast;
	int64_t deadline_ms; /* for the first answer */
	struct exec_answers answers;
	bool term_seen;
	bool ends_with_reader; /* of stdout: it is all that tells when our caller is gone */
};

/* They are big, and there is one a process. Apart, so that what is used lies on few pages. */
static struct session the_session;
static char buffers[LANES][LANE_SIZE];

int exec_hold_stdio(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) != fd)
			return -EBADF;
	return 0;
}

/* --- messages ------------------------------------------------------------------------------ */

/* What the command writes may come before the word that it has been started. */
static bool has_started(const struct session *s)
{
	return s->answers.started || s->lanes[LANE_OUT].moved || s->lanes[LANE_ERR].moved;
}

static void receive_answer(struct session *s)
{
	char buf[EXEC_ANSWER_MAX];
	/* no control buffer: a descriptor of the guest's is never taken */
	ssize_t n = recv(s->sock, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

	/* said once, before what the guest sent when it closed the door with our message unread */
	if (n < 0 && errno == ECONNRESET)
		n = recv(s->sock, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		log_error(has_started(s) ? "lost the container before the command has ended"
					 : "the container has closed the door without an answer");
		s->answers.status = STATUS_FAILED;
		return;
	}
	exec_answers_take(&s->answers, buf, (size_t)n);
}

static void send_signal(struct session *s, int signal_number)
{
	const struct exec_message m = { .type = EXEC_SIGNAL, .signal = (uint32_t)signal_number };
	char buf[EXEC_TEXT_MAX + 64];

	(void)send(s->sock, buf, exec_message_write(buf, &m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- set-up -------------------------------------------------------------------------------- */

/* ret_guest: the ends to be sent, closed by the caller. */
static int open_pipes(struct session *s, int ret_guest[3])
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return log_errno(-errno, "cannot make pipes");
	lane_start(&s->lanes[LANE_IN], STDIN_FILENO, in[1], LANE_CLOSE);
	lane_start(&s->lanes[LANE_OUT], out[0], STDOUT_FILENO, LANE_CLOSE);
	lane_start(&s->lanes[LANE_ERR], err[0], STDERR_FILENO, LANE_CLOSE);
	ret_guest[0] = in[0];
	ret_guest[1] = out[1];
	ret_guest[2] = err[1];
	return 0;
}

static bool on_keys(void *arg, const char *data, size_t len)
{
	struct session *s = arg;

	if (s->escape.times == 0 && !memchr(data, ESCAPE_KEY, len))
		return false;
	return terminal_escape_seen(&s->escape, data, len, door_clock_ms());
}

static bool on_output(void *arg, const char *data, size_t len)
{
	struct session *s = arg;

	asciicast_output(&s->cast, data, len);
	return false;
}

/* Behind everything that can fail before the command is sent. */
static int open_recording(struct session *s)
{
	const struct exec_request *q = s->request;
	_cleanup_free_ char *command = q->argv[0] ? remote_quote(q->argv) : NULL;
	struct asciicast_header header = {
		.title = q->place.root ?: q->place.name,
		.command = command,
	};
	struct winsize size = {};
	int r;

	(void)ioctl(s->master, TIOCGWINSZ, &size);
	header.columns = size.ws_col;
	header.rows = size.ws_row;
	r = asciicast_open(&s->cast, q->record, &header);
	if (r < 0)
		return log_errno(r, "cannot record to '%s'", q->record);
	s->lanes[LANE_OUT].filter = on_output;
	s->lanes[LANE_OUT].arg = s;
	return 0;
}

/* A recording of nothing isn't kept. */
static void close_recording(struct session *s)
{
	bool recorded = s->cast.fd >= 0;
	int r = asciicast_close(&s->cast);

	if (recorded && !s->answers.started)
		(void)unlink(s->request->record);
	else if (r < 0)
		log_errno(r, "the recording '%s' is cut short", s->request->record);
}

static int open_terminal(struct session *s, int *ret_slave)
{
	int fds[2];
	int r = door_terminal(&s->request->place, s->sock, fds);

	if (r < 0)
		return r;
	s->master = fds[0];
	*ret_slave = fds[1];
	(void)terminal_copy_size(s->master);
	lane_start(&s->lanes[LANE_IN], STDIN_FILENO, s->master,
		isatty(STDIN_FILENO) ? LANE_KEEP : LANE_TYPE);
	lane_start(&s->lanes[LANE_OUT], s->master, STDOUT_FILENO, LANE_KEEP);
	if (isatty(STDIN_FILENO)) {
		s->lanes[LANE_IN].filter = on_keys;
		s->lanes[LANE_IN].arg = s;
	}
	return 0;
}

/* As nohup(1) has it. */
static bool ignores_hangup(void)
{
	struct sigaction action;

	return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int open_signals(struct session *s)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2,
		SIGWINCH };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sigaddset(&set, numbers[i]);
	if (ignores_hangup())
		(void)sigdelset(&set, SIGHUP);
	if (s->tty) {
		(void)sigaddset(&set, SIGTSTP);
		(void)sigaddset(&set, SIGCONT);
	}
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)sigaddset(&set, SIGPIPE); /* writing says it */
	if (s->signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return log_errno(-errno, "cannot watch signals");
	return 0;
}

/* env with TERM= of the caller's in front, so that an own TERM wins. NULL: out of memory. */
static char **terminal_environment(char *const *env, char *term, size_t size)
{
	const char *value = getenv("TERM");
	char **all;
	size_t n = 0;

	while (env && env[n])
		n++;
	all = calloc(n + 2, sizeof(char *));
	if (!all)
		return NULL;
	(void)snprintf(term, size, "TERM=%s", value && *value ? value : "linux");
	all[0] = term;
	if (n > 0)
		memcpy(all + 1, env, n * sizeof(char *));
	return all;
}

static ssize_t write_start(struct session *s, void *buf, size_t size)
{
	const struct exec_request *q = s->request;
	_cleanup_free_ char **env = NULL;
	char term[128];
	ssize_t n;

	if (s->tty) {
		env = terminal_environment(q->env, term, sizeof(term));
		if (!env)
			return log_errno(-ENOMEM, "cannot start");
	}
	n = exec_message_start(buf, size, q->flags, q->user, q->directory, q->argv, env ?: q->env);
	if (n == -E2BIG)
		log_error("the command is too long: at most %d KiB and %d words",
			EXEC_MESSAGE_MAX / 1024, EXEC_STRINGS_MAX);
	return n;
}

static int begin(struct session *s)
{
	static char buf[EXEC_MESSAGE_MAX];
	int fds[3] = { -EBADF, -EBADF, -EBADF };
	ssize_t len = write_start(s, buf, sizeof(buf));
	int r = len < 0 ? (int)len : 0;

	/* what can be made before is: from the connection on the agent waits */
	if (r >= 0 && !s->tty && !(s->request->flags & EXEC_DETACH))
		r = open_pipes(s, fds);
	if (r >= 0)
		s->sock = r = door_connect(&s->request->place, "exec", SOCK_SEQPACKET);
	if (r >= 0 && s->tty)
		r = open_terminal(s, fds);
	if (r >= 0)
		r = open_signals(s);
	if (r >= 0 && s->request->record)
		r = open_recording(s);
	if (r >= 0 && s->tty)
		r = terminal_raw_enter(&s->raw);
	if (r < 0)
		return r;
	r = fd_send_message(s->sock, buf, (size_t)len, fds, exec_start_fds(s->request->flags), 0);
	/* an agent that refuses everybody may be gone again: what it said can still be read */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return log_errno(r, "cannot send the command to the container");
	for (int i = 0; !s->tty && i < 3; i++)
		close_fdp(&fds[i]);
	s->deadline_ms = door_clock_ms() + DOOR_DEADLINE_MS;
	return 0;
}

/* --- the loop ------------------------------------------------------------------------------ */

/* A second TERM, or a terminal that is gone, ends a session whatever its programs think. */
static bool is_enough(struct session *s, int signal_number)
{
	bool second = s->term_seen;

	s->term_seen |= signal_number == SIGTERM;
	if (!has_started(s))
		return signal_number != SIGUSR1 && signal_number != SIGUSR2;
	return (signal_number == SIGTERM && second) || (signal_number == SIGHUP && s->tty);
}

static void take_size(struct session *s)
{
	struct winsize size;

	if (terminal_copy_size(s->master) == 0 && ioctl(s->master, TIOCGWINSZ, &size) == 0)
		asciicast_resize(&s->cast, size.ws_col, size.ws_row);
}

static void take_terminal_signal(struct session *s, int number)
{
	if (number == SIGTSTP)
		terminal_raw_suspend(&s->raw);
	else if (number == SIGCONT)
		terminal_raw_resume(&s->raw);
	if (s->tty)
		take_size(s);
}

/* The next signal that isn't about the terminal, or 0. */
static int next_signal(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number != SIGWINCH && number != SIGTSTP && number != SIGCONT)
			return number;
		take_terminal_signal(s, number);
	}
	return 0;
}

static void take_signals(struct session *s)
{
	int number;

	while ((number = next_signal(s)) != 0) {
		send_signal(s, number);
		if (is_enough(s, number))
			s->answers.status = STATUS_SIGNAL + number;
	}
}

/* When the command has ended. Whether we are to end before all is written: that is no success. */
static bool is_cut_short(struct session *s)
{
	int number;

	while ((number = next_signal(s)) != 0)
		if (number != SIGUSR1 && number != SIGUSR2) {
			s->answers.status = STATUS_SIGNAL + number;
			return true;
		}
	return false;
}

/* Milliseconds for poll(), which ends the session when they have passed. */
static int time_left(const struct session *s)
{
	int64_t left;

	if (s->answers.started)
		return -1;
	left = s->deadline_ms - door_clock_ms();
	return left > 0 ? (int)left : 0;
}

static void check_lanes(struct session *s)
{
	/* of a terminal's lane it may be the guest's end that has failed, and is heard of otherwise
	 */
	if (s->lanes[LANE_IN].error != 0 && !s->tty) {
		log_errno(-s->lanes[LANE_IN].error, "cannot read standard input");
		s->lanes[LANE_IN].error = 0;
		s->answers.status = STATUS_FAILED;
	}
	for (size_t i = LANE_OUT; i < LANES; i++)
		if (s->lanes[i].error != 0) {
			log_errno(-s->lanes[i].error, "cannot write to standard %s",
				i == LANE_OUT ? "output" : "error");
			s->lanes[i].error = 0;
			s->answers.status = STATUS_FAILED;
		}
	if (s->lanes[LANE_IN].stopped) {
		s->lanes[LANE_IN].stopped = false;
		terminal_raw_leave(&s->raw);
		log_error("left the session");
		s->answers.status = STATUS_FAILED;
	}
}

/* Waits for what can be done. As poll(2). */
static int wait_for(struct session *s, struct pollfd fds[WAITS])
{
	const struct lane *in = &s->lanes[LANE_IN], *out = &s->lanes[LANE_OUT];

	fds[WAIT_SOCK] = (struct pollfd){ .fd = s->sock, .events = POLLIN };
	fds[WAIT_SIGNAL] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
	for (size_t i = 0; i < LANES; i++)
		fds[WAIT_LANES + i] = lane_wants(&s->lanes[i]);
	/* no events are asked for, but errors come */
	fds[WAIT_READER] = (struct pollfd){ .fd = s->ends_with_reader ? STDOUT_FILENO : -1 };
	if (!s->tty || !in->open || !out->open || in->waits_for_to || out->waits_for_to)
		return poll(fds, WAITS, time_left(s));
	if (s->quick == -EBADF)
		s->quick = quick_poll_open(fds, WAITS);
	return s->quick < 0 ? poll(fds, WAITS, time_left(s))
			    : quick_poll(s->quick, fds, WAITS, time_left(s));
}

/* Until somebody knows the status. */
static void run(struct session *s)
{
	const bool detach = s->request->flags & EXEC_DETACH;

	while (s->answers.status < 0 && !(detach && s->answers.started)) {
		struct pollfd fds[WAITS];
		int n = wait_for(s, fds);

		if (n == 0) {
			log_error(
				"the container has not answered in %d s", DOOR_DEADLINE_MS / 1000);
			s->answers.status = STATUS_FAILED;
			return;
		}
		for (size_t i = 0; n > 0 && i < LANES; i++)
			if (fds[WAIT_LANES + i].revents != 0)
				lane_move(&s->lanes[i]);
		check_lanes(s);
		if (fds[WAIT_SIGNAL].revents != 0)
			take_signals(s);
		if (fds[WAIT_SOCK].revents != 0 && s->answers.status < 0)
			receive_answer(s);
		if (fds[WAIT_READER].revents != 0 && s->answers.status < 0)
			s->answers.status = STATUS_SIGNAL + SIGHUP;
	}
	if (detach && s->answers.started)
		s->answers.status = 0;
}

/* What the session has written goes out, however long the caller takes to read it. */
static void drain(struct session *s)
{
	struct pollfd fds[3] = { [2] = { .fd = s->signal_fd, .events = POLLIN } };
	bool open = true;

	lane_limit(&s->lanes[LANE_OUT]);
	lane_limit(&s->lanes[LANE_ERR]);
	while (open) {
		open = false;
		for (size_t i = LANE_OUT; i < LANES; i++) {
			struct lane *lane = &s->lanes[i];

			/* there is something to read, or a terminal that says when there isn't */
			while (lane->open && !lane->waits_for_to)
				lane_move(lane);
			fds[i - LANE_OUT] = lane_wants(lane);
			open |= lane->open;
		}
		if (!open || poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		for (size_t i = LANE_OUT; i < LANES; i++)
			if (fds[i - LANE_OUT].revents != 0)
				lane_move(&s->lanes[i]);
		if (fds[2].revents != 0 && is_cut_short(s))
			return;
	}
	check_lanes(s);
}

int exec_client(const struct exec_request *request)
{
	struct session *s = &the_session;

	s->request = request;
	s->tty = request->flags & EXEC_TTY;
	s->ends_with_reader = !s->tty && getenv(REMOTE_VARIABLE);
	s->master = s->sock = s->signal_fd = s->quick = -EBADF;
	s->answers = (struct exec_answers){ .request = request, .status = -1 };
	s->cast.fd = -EBADF;
	for (size_t i = 0; i < LANES; i++)
		s->lanes[i].buffer = buffers[i];
	if (exec_hold_stdio() < 0 || begin(s) < 0) {
		s->answers.status = STATUS_FAILED;
	} else {
		run(s);
		drain(s);
	}
	terminal_raw_leave(&s->raw);
	close_recording(s);
	return s->answers.status;
}
