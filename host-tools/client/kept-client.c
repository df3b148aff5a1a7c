/* SPDX-License-Identifier: MIT */

/*
 * Keys go to the keeper, what it sends goes to the terminal. Leaving is the end of our input: the
 * keeper then sends what gives the terminal its own modes back, and says goodbye. It isn't waited
 * for longer than LEAVE_MS.
 */

#include "kept-client.h"

#include "../kept.h"
#include "../name.h"
#include "../program.h"
#include "../verbs.h"
#include "cleanup.h"
#include "clock.h"
#include "escape.h"
#include "exec-answers.h"
#include "exec-client.h"
#include "lane.h"
#include "log.h"
#include "terminal-raw.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define KEEPER "narthex-keep"
#define KEEPER_FD 3 /* where it has its end of the connection */
#define LEAVE_MS 3000
#define SURE 4096 /* as in lane.c, where a terminal can't be opened anew */

enum { WAIT_SOCK, WAIT_SIGNAL, WAIT_KEYS, WAIT_OUTPUT, WAITS };

struct view {
	const char *name;
	unsigned int id;
	int sock, signal_fd, out;
	struct terminal_raw raw;
	struct terminal_escape escape;
	char keys[4096];
	size_t n_keys;
	struct kept_packet packet;
	size_t start, n;  /* of its data, to be written */
	int64_t deadline; /* of leaving; 0: not leaving */
	int leave_status;
	int status; /* negative: it goes on */
};

/* It is big, and there is one a process. */
static struct view the_view;

static struct kept_size current_size(void)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	(void)terminal_size(&size);
	return (struct kept_size){ .rows = size.ws_row, .columns = size.ws_col };
}

static int send_size(int sock, enum kept_type type)
{
	const struct kept_size size = current_size();

	return kept_send(sock, type, &size, sizeof(size), type == KEPT_SIZE ? MSG_DONTWAIT : 0);
}

static void leave(struct view *v, int status)
{
	if (v->deadline != 0)
		return;
	v->leave_status = status;
	v->deadline = clock_ms() + LEAVE_MS;
	(void)shutdown(v->sock, SHUT_WR);
}

/* --- signals ------------------------------------------------------------------------------- */

static int open_signals(struct view *v)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
		SIGTSTP, SIGCONT };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sigaddset(&set, numbers[i]);
	v->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)sigaddset(&set, SIGPIPE);
	if (v->signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return log_errno(-errno, "cannot watch signals");
	return 0;
}

static void take_signals(struct view *v)
{
	struct signalfd_siginfo info;

	while (read(v->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGWINCH) {
			(void)send_size(v->sock, KEPT_SIZE);
		} else if (number == SIGTSTP) {
			terminal_raw_suspend(&v->raw);
		} else if (number == SIGCONT) {
			terminal_raw_resume(&v->raw);
			(void)send_size(v->sock, KEPT_SIZE);
		} else if (number == SIGHUP) {
			v->status = STATUS_SIGNAL + number; /* there is no terminal to restore */
		} else if (number != SIGUSR1 && number != SIGUSR2) {
			leave(v, STATUS_SIGNAL + number);
		}
	}
}

/* --- both directions ----------------------------------------------------------------------- */

static void send_keys(struct view *v)
{
	if (kept_send(v->sock, KEPT_KEYS, v->keys, v->n_keys, MSG_DONTWAIT) != -EAGAIN)
		v->n_keys = 0;
}

static void take_keys(struct view *v)
{
	ssize_t n = read(STDIN_FILENO, v->keys, sizeof(v->keys));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { /* the terminal has gone */
		leave(v, STATUS_SIGNAL + SIGHUP);
	} else if (terminal_escape_seen(&v->escape, v->keys, (size_t)n, clock_ms())) {
		leave(v, 0);
	} else {
		v->n_keys = (size_t)n;
		send_keys(v);
	}
}

static void end(struct view *v, const struct kept_end *how)
{
	char text[4 * KEPT_TEXT_SIZE];

	terminal_raw_leave(&v->raw);
	(void)escape_text(text, sizeof(text), how->text, strlen(how->text));
	if (*text)
		log_error("%s", text);
	v->status = how->status & 0xff;
}

static void take_packet(struct view *v)
{
	ssize_t n = kept_receive(v->sock, &v->packet, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return;
	if (n >= 0 && v->packet.header.type == KEPT_OUTPUT) {
		v->start = 0;
		v->n = (size_t)n;
		return;
	}
	terminal_raw_leave(&v->raw);
	if (n >= 0 && v->packet.header.type == KEPT_ENDED) {
		end(v, &v->packet.end);
	} else if (v->deadline != 0) {
		v->status = v->leave_status;
	} else if (n >= 0 && v->packet.header.type == KEPT_TAKEN) {
		log_error("another 'narthex attach' has taken over the session %s/%u", v->name,
			v->id);
		v->status = STATUS_FAILED;
	} else {
		log_error("lost the session %s/%u: its keeper has gone", v->name, v->id);
		v->status = STATUS_FAILED;
	}
}

static void write_output(struct view *v)
{
	size_t most = v->out == STDOUT_FILENO && v->n > SURE ? SURE : v->n;
	ssize_t n = write(v->out, v->packet.data + v->start, most);

	if (n < 0 && errno != EINTR && errno != EAGAIN) {
		v->status = STATUS_SIGNAL + SIGHUP;
		return;
	}
	if (n > 0) {
		v->start += (size_t)n;
		v->n -= (size_t)n;
	}
}

static int time_left(const struct view *v)
{
	int64_t left = v->deadline - clock_ms();

	if (v->deadline == 0)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* Until the session ends, or the caller has left it. The status. */
static int show(struct view *v)
{
	v->status = -1;
	while (v->status < 0) {
		struct pollfd fds[WAITS] = {
			/* not when nothing is asked for: its hangup would be said all the time */
			[WAIT_SOCK] = { .fd = v->n == 0 || v->n_keys > 0 ? v->sock : -1,
				.events = (short)((v->n == 0 ? POLLIN : 0) |
						  (v->n_keys > 0 ? POLLOUT : 0)) },
			[WAIT_SIGNAL] = { .fd = v->signal_fd, .events = POLLIN },
			[WAIT_KEYS] = { .fd = v->n_keys == 0 && v->deadline == 0 ? STDIN_FILENO
										 : -1,
				.events = POLLIN },
			[WAIT_OUTPUT] = { .fd = v->n > 0 ? v->out : -1, .events = POLLOUT },
		};
		int n = poll(fds, WAITS, time_left(v));

		if (n == 0) {
			terminal_raw_leave(&v->raw);
			return v->leave_status; /* the keeper has been stopped */
		}
		if (n < 0)
			continue;
		if (fds[WAIT_OUTPUT].revents != 0)
			write_output(v);
		if (fds[WAIT_SIGNAL].revents != 0)
			take_signals(v);
		if (fds[WAIT_KEYS].revents != 0)
			take_keys(v);
		if (v->n_keys > 0 && (fds[WAIT_SOCK].revents & POLLOUT))
			send_keys(v);
		if (v->n == 0 && (fds[WAIT_SOCK].revents & (POLLIN | POLLHUP)) && v->status < 0)
			take_packet(v);
	}
	return v->status;
}

/* From a connection (owned) that is attached. The status. */
static int view(struct view *v)
{
	int r = open_signals(v), status;

	v->out = lane_reopen(STDOUT_FILENO);
	if (v->out < 0)
		v->out = STDOUT_FILENO;
	if (r >= 0) {
		r = terminal_raw_enter(&v->raw);
		if (r < 0)
			log_errno(r, "cannot set the terminal");
	}
	status = r < 0 ? STATUS_FAILED : show(v);
	terminal_raw_leave(&v->raw);
	/* a terminal that hasn't taken its output wouldn't take this either, and we would wait */
	if (v->deadline != 0 && status == v->leave_status && v->n == 0)
		log_info("left the session: 'narthex attach %s/%u' returns to it", v->name, v->id);
	close_fdp(&v->sock);
	return status;
}

/* --- beginnings ---------------------------------------------------------------------------- */

/* Starts a keeper with the other end of *ret_sock. Logs. 0 or -errno. */
static int start_keeper(const char *name, const char *user, pid_t *ret_pid, int *ret_sock)
{
	char *argv[] = { (char *)KEEPER, (char *)name, (char *)user, NULL };
	_cleanup_free_ char *program = NULL;
	posix_spawn_file_actions_t actions;
	int pair[2], r = program_find(KEEPER, &program);

	if (r >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		r = -errno;
	if (r < 0)
		return log_errno(r, "cannot start " KEEPER);
	(void)posix_spawn_file_actions_init(&actions);
	/* were it the same descriptor, it would stay close-on-exec with some libraries */
	if (pair[1] == KEEPER_FD)
		(void)fcntl(pair[1], F_SETFD, 0);
	else
		(void)posix_spawn_file_actions_adddup2(&actions, pair[1], KEEPER_FD);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
	r = posix_spawn(ret_pid, program, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(pair[1]);
	if (r > 0) {
		(void)close(pair[0]);
		return log_errno(-r, "cannot start " KEEPER);
	}
	*ret_sock = pair[0];
	return 0;
}

int kept_begin(const char *name, const char *user)
{
	struct view *v = &the_view;
	pid_t pid = -1;
	int status = 0;

	v->name = name;
	if (exec_hold_stdio() < 0 || start_keeper(name, user, &pid, &v->sock) < 0)
		return STATUS_FAILED;
	if (send_size(v->sock, KEPT_ATTACH) >= 0 && kept_receive(v->sock, &v->packet, 0) >= 0 &&
		v->packet.header.type == KEPT_STATE) {
		v->id = v->packet.state.id;
		return view(v);
	}
	/* it has said why */
	close_fdp(&v->sock);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : STATUS_FAILED;
}

static int log_no_sessions(const char *name, ssize_t r)
{
	if (r == -ENOENT)
		log_error("container '%s' is not running: nothing of it is kept", name);
	else if (r == -EACCES || r == -EPERM)
		log_error("no permission for the kept sessions of container '%s'", name);
	else if (r < 0)
		log_errno((int)r, "cannot look for the kept sessions of container '%s'", name);
	else
		log_error("container '%s' has no kept session: 'narthex shell --keep %s' begins "
			  "one",
			name, name);
	return -ENOENT;
}

static void log_choice(const char *name, const struct kept_state *sessions, ssize_t n)
{
	char user[4 * KEPT_USER_SIZE], date[32];
	struct tm tm;

	log_error("container '%s' has %zd kept sessions; which one?", name, n);
	for (ssize_t i = 0; i < n; i++) {
		time_t since = (time_t)(sessions[i].since_usec / 1000000);

		(void)escape_text(user, sizeof(user), sessions[i].user, strlen(sessions[i].user));
		if (!localtime_r(&since, &tm) || strftime(date, sizeof(date), "%F %T", &tm) == 0)
			date[0] = '\0';
		log_error("%s/%u: %s, since %s%s", name, sessions[i].id, user, date,
			sessions[i].attached ? ", attached" : "");
	}
}

/* The ID of the only session, or -errno. Logs. */
static int find_only(const char *name)
{
	static struct kept_state sessions[KEPT_MAX];
	ssize_t n = kept_list(name, sessions);

	if (n <= 0)
		return log_no_sessions(name, n);
	if (n > 1) {
		log_choice(name, sessions, n);
		return -ENOTUNIQ;
	}
	return (int)sessions[0].id;
}

int kept_attach(const char *name, unsigned int id)
{
	struct view *v = &the_view;
	const char *why;
	int r = (int)id;

	if (!name_is_valid(name, &why)) {
		log_error("'%s' is not the name of a container: %s", name, why);
		return STATUS_FAILED;
	}
	if (exec_hold_stdio() < 0)
		return STATUS_FAILED;
	if (id == 0)
		r = find_only(name);
	if (r < 0)
		return STATUS_FAILED;
	v->name = name;
	v->id = (unsigned int)r;
	v->sock = kept_connect(name, v->id);
	if (v->sock == -ENOENT) {
		log_error("container '%s' has no kept session %u: see 'narthex status %s'", name,
			v->id, name);
		return STATUS_FAILED;
	}
	r = v->sock < 0 ? v->sock : send_size(v->sock, KEPT_ATTACH);
	if (r == -EACCES || r == -EPERM) {
		(void)log_no_sessions(name, r);
		return STATUS_FAILED;
	}
	if (r < 0) {
		log_errno(r, "cannot attach to the session %s/%u", name, v->id);
		return STATUS_FAILED;
	}
	return view(v);
}
