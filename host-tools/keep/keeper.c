/* SPDX-License-Identifier: MIT */

/*
 * What the program writes goes to its screen (screen.h) and, as it is, to the client. It is read
 * from the terminal only when the client has taken what came before, so a slow one slows the
 * program, as a terminal does, and here is never more than one piece and one redrawing. With no
 * client it is read at once.
 *
 * A client that attaches gets the screen drawn, which may not happen within one of the program's
 * sequences. Until such a one has ended the client gets nothing; one that doesn't end is given up
 * after REDRAW_MS.
 *
 * The keeper holds the slave, too: the master then never hangs up, and what ends the session is
 * the agent's word alone.
 */

#include "keeper.h"

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "escape.h"
#include "exec-message.h"
#include "screen.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PIECE 16384
#define PTY_MAX (128U * 1024) /* what a pty can hold (lane.c) */
#define REDRAW_MS 500
#define CANDIDATE_MS 2000
#define LINGER_MS (60 * 60 * 1000LL) /* somebody may want to know how it ended */
#define FAREWELL_MS 5000	     /* for the last client to hear that the container has gone */

enum { WAIT_SOCK, WAIT_LAUNCHER, WAIT_LISTENING, WAIT_MASTER, WAIT_CLIENT, WAIT_CANDIDATE, WAITS };

struct keeping {
	const struct keeper *k;
	struct kept_state state;
	struct screen *screen;
	int client;
	struct bytes out;	 /* for the client */
	enum kept_type farewell; /* what it hears then, and is gone; 0: it stays */
	bool draw, hold;	 /* the screen is to be drawn; nothing else before */
	bool first;		 /* this client knows the screen: it was empty */
	int64_t draw_deadline;
	struct kept_packet keys; /* from the client */
	size_t keys_start, n_keys;
	int candidate; /* has connected, and said nothing yet */
	int64_t candidate_deadline;
	bool ended, drained, lost;
	size_t drain_left;
	struct kept_end end;
	int64_t deadline; /* when all is over; 0: none */
	bool over;
};

static struct keeping the_keeping;
static char piece[PIECE];

/* --- the client ---------------------------------------------------------------------------- */

static void drop_client(struct keeping *s)
{
	close_fdp(&s->client);
	bytes_done(&s->out);
	s->n_keys = 0;
	s->farewell = 0;
	s->draw = s->hold = false;
}

/* Is shown what the program writes. */
static bool has_viewer(const struct keeping *s)
{
	return s->client >= 0 && s->farewell == 0;
}

static int send_farewell(struct keeping *s)
{
	bool end = s->farewell == KEPT_ENDED;

	return kept_send(s->client, s->farewell, end ? &s->end : NULL, end ? sizeof(s->end) : 0,
		MSG_DONTWAIT);
}

/* What it takes of what is for it. */
static void flush(struct keeping *s)
{
	int r = 0;

	while (s->out.n > 0) {
		size_t n = s->out.n < KEPT_DATA ? s->out.n : KEPT_DATA;

		r = kept_send(s->client, KEPT_OUTPUT, bytes_front(&s->out), n, MSG_DONTWAIT);
		if (r < 0)
			break;
		bytes_take(&s->out, n);
	}
	if (r == 0 && s->farewell != 0) {
		r = send_farewell(s);
		if (r == 0) {
			s->over |= s->farewell == KEPT_ENDED;
			drop_client(s);
		}
	}
	if ((r < 0 && r != -EAGAIN) || s->out.failed)
		drop_client(s);
}

static void say_farewell(struct keeping *s, enum kept_type what)
{
	if (what != KEPT_ENDED)
		screen_leave(s->screen, &s->out);
	s->farewell = what;
	s->n_keys = 0;
	s->draw = s->hold = false;
	flush(s);
}

/* Whoever had it hears of it when he can be told at once. */
static void push_out(struct keeping *s)
{
	if (s->client < 0)
		return;
	if (s->farewell == 0)
		say_farewell(s, KEPT_TAKEN);
	drop_client(s);
}

static void draw(struct keeping *s)
{
	if (!s->draw || !screen_is_between(s->screen))
		return;
	screen_draw(s->screen, s->hold, &s->out);
	s->draw = s->hold = false;
	flush(s);
}

static void take_size(struct keeping *s, struct kept_size size)
{
	const struct winsize w = { .ws_row = size.rows, .ws_col = size.columns };

	if (w.ws_row == 0 || w.ws_col == 0)
		return;
	/* the kernel signals the program when it is another one */
	(void)ioctl(s->k->master, TIOCSWINSZ, &w);
	screen_resize(s->screen, w.ws_row, w.ws_col);
}

/* client: consumed. */
static void attach(struct keeping *s, int client, struct kept_size size)
{
	push_out(s);
	s->client = client;
	s->first = false;
	take_size(s, size);
	s->draw = s->hold = true;
	s->draw_deadline = clock_ms() + REDRAW_MS;
	draw(s);
}

static void write_keys(struct keeping *s)
{
	while (s->n_keys > 0) {
		ssize_t n = write(s->k->master, s->keys.data + s->keys_start, s->n_keys);

		if (n <= 0)
			return;
		s->keys_start += (size_t)n;
		s->n_keys -= (size_t)n;
	}
}

/* It has keys to write only when those before are written. False: no more for now. */
static bool take_packet(struct keeping *s)
{
	ssize_t n = kept_receive(s->client, &s->keys, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return false;
	if (n == -ENODATA) {
		say_farewell(s, KEPT_LEFT);
		return false;
	}
	if (n < 0 || (s->keys.header.type != KEPT_KEYS && s->keys.header.type != KEPT_SIZE)) {
		drop_client(s);
		return false;
	}
	if (s->keys.header.type == KEPT_SIZE) {
		take_size(s, s->keys.size);
		return true;
	}
	s->keys_start = 0;
	s->n_keys = s->ended ? 0 : (size_t)n;
	write_keys(s);
	return s->n_keys == 0;
}

static void on_client(struct keeping *s, short events)
{
	if (s->farewell == 0 && s->n_keys > 0 && (events & (POLLRDHUP | POLLHUP)))
		say_farewell(s, KEPT_LEFT); /* leaves a program that takes no keys */
	while (has_viewer(s) && s->n_keys == 0 && take_packet(s))
		;
	if (s->client >= 0)
		flush(s);
	if (s->client >= 0 && s->farewell != 0 && (events & (POLLHUP | POLLERR)))
		drop_client(s);
}

/* --- whoever knocks ------------------------------------------------------------------------ */

static void on_knock(struct keeping *s)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(s->k->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	/* the directory is closed to others, too */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0) {
		close_fdp(&fd);
		return;
	}
	s->candidate = fd;
	s->candidate_deadline = clock_ms() + CANDIDATE_MS;
}

static void answer(struct keeping *s)
{
	s->state.attached = has_viewer(s);
	s->state.status = s->ended ? s->end.status : -1;
	(void)kept_send(s->candidate, KEPT_STATE, &s->state, sizeof(s->state), MSG_DONTWAIT);
}

static void on_candidate(struct keeping *s)
{
	struct kept_packet p;
	ssize_t n = kept_receive(s->candidate, &p, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return;
	if (n >= 0 && p.header.type == KEPT_ATTACH)
		attach(s, TAKE_FD(s->candidate), p.size);
	else if (n >= 0 && p.header.type == KEPT_ASK)
		answer(s);
	close_fdp(&s->candidate);
}

/* --- the program --------------------------------------------------------------------------- */

/* A terminal's answer, which the client's own gives when there is one. */
static void on_answer(void *arg, const char *data, size_t len)
{
	struct keeping *s = arg;

	if (!has_viewer(s) && !s->ended && write(s->k->master, data, len) < 0)
		return; /* it doesn't read: as a terminal whose user has gone */
}

static void on_output(struct keeping *s)
{
	ssize_t n = read(s->k->master, piece, sizeof(piece));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		s->drained = s->ended;
		return;
	}
	screen_feed(s->screen, piece, (size_t)n);
	if (s->ended) { /* others may go on writing */
		s->drain_left -= (size_t)n < s->drain_left ? (size_t)n : s->drain_left;
		s->drained = s->drain_left == 0;
	}
	if (!has_viewer(s))
		return;
	if (!s->hold) {
		bytes_add(&s->out, piece, (size_t)n);
		s->draw |= !s->first && screen_has_returned(s->screen);
	}
	draw(s);
	if (s->client >= 0)
		flush(s);
}

static void end(struct keeping *s, int status, const char *text)
{
	s->ended = true;
	s->drain_left = PTY_MAX;
	s->end.status = status;
	(void)snprintf(s->end.text, sizeof(s->end.text), "%s", text);
}

/* The session is lost: nobody is to learn of it later. */
static void lose(struct keeping *s, const char *text)
{
	if (!s->ended)
		end(s, 125, text);
	s->lost = true;
	s->deadline = clock_ms() + FAREWELL_MS;
}

static void on_message(struct keeping *s)
{
	char buf[EXEC_TEXT_MAX + 128], text[KEPT_TEXT_SIZE] = "", said[KEPT_TEXT_SIZE - 64];
	struct exec_message m;
	const char *why;
	/* no control buffer: a descriptor of the guest's is never taken */
	ssize_t n = recv(s->k->sock, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(s, "lost the container before the session has ended");
	} else if ((size_t)n > sizeof(buf) || exec_message_parse(buf, (size_t)n, &m, &why) < 0) {
		lose(s, "the container's answer is malformed");
	} else if (m.type == EXEC_EXITED && m.exited.how != EXEC_HOW_UNKNOWN) {
		end(s, (int)m.exited.value + (m.exited.how == EXEC_HOW_KILLED ? 128 : 0), "");
	} else if (m.type == EXEC_EXITED) {
		end(s, 125, "the session has ended, but the container doesn't know how");
	} else if (m.type == EXEC_ERROR) {
		(void)escape_text(said, sizeof(said), m.error.data, m.error.len);
		(void)snprintf(text, sizeof(text), "the container ends the session: %s", said);
		lose(s, text);
	} else if (m.type != EXEC_STARTED) {
		lose(s, "the container answers out of turn");
	}
}

/* --- the loop ------------------------------------------------------------------------------ */

static struct pollfd when(bool wanted, int fd, int events)
{
	return (struct pollfd){ .fd = wanted ? fd : -1, .events = (short)events };
}

static int earlier(int timeout, int64_t deadline)
{
	int64_t left = deadline - clock_ms();

	if (left < 0)
		left = 0;
	return timeout < 0 || left < timeout ? (int)left : timeout;
}

static void wait_for(struct keeping *s, struct pollfd fds[WAITS])
{
	bool viewer = has_viewer(s);
	bool may_read = !s->drained && (!viewer || s->out.n == 0);
	int timeout = -1;

	fds[WAIT_SOCK] = when(!s->ended, s->k->sock, POLLIN);
	fds[WAIT_LAUNCHER] = when(!s->lost, s->k->launcher, POLLIN);
	fds[WAIT_LISTENING] = when(s->candidate < 0, s->k->listening, POLLIN);
	fds[WAIT_MASTER] = when(may_read || s->n_keys > 0, s->k->master,
		(may_read ? POLLIN : 0) | (s->n_keys > 0 ? POLLOUT : 0));
	fds[WAIT_CLIENT] = when(true, s->client,
		(viewer ? POLLRDHUP : 0) | (viewer && s->n_keys == 0 ? POLLIN : 0) |
			(s->out.n > 0 || s->farewell != 0 ? POLLOUT : 0));
	fds[WAIT_CANDIDATE] = when(true, s->candidate, POLLIN);
	if (s->candidate >= 0)
		timeout = earlier(timeout, s->candidate_deadline);
	if (s->draw && s->hold)
		timeout = earlier(timeout, s->draw_deadline);
	if (s->deadline != 0)
		timeout = earlier(timeout, s->deadline);
	/* what lies in the terminal is read to its end without waiting */
	if (s->ended && may_read)
		timeout = 0;
	(void)poll(fds, WAITS, timeout);
}

static void check_deadlines(struct keeping *s)
{
	int64_t now = clock_ms();

	if (s->candidate >= 0 && now >= s->candidate_deadline)
		close_fdp(&s->candidate);
	if (s->draw && s->hold && now >= s->draw_deadline) {
		screen_cancel(s->screen);
		draw(s);
	}
	if (s->deadline != 0 && now >= s->deadline)
		s->over = true;
}

/* Who is attached hears of the end when he has all that came before, who attaches later then. */
static void check_end(struct keeping *s)
{
	if (s->lost && s->client < 0)
		s->over = true;
	if (!s->drained || s->over)
		return;
	if (has_viewer(s) && !s->hold)
		say_farewell(s, KEPT_ENDED);
	if (s->client < 0 && !s->over && s->deadline == 0)
		s->deadline = clock_ms() + LINGER_MS;
}

static void step(struct keeping *s)
{
	struct pollfd fds[WAITS];

	wait_for(s, fds);
	if (fds[WAIT_MASTER].revents & POLLOUT)
		write_keys(s);
	if ((fds[WAIT_MASTER].revents & ~POLLOUT) ||
		(s->ended && !s->drained && fds[WAIT_MASTER].fd >= 0))
		on_output(s);
	if (fds[WAIT_CLIENT].revents != 0)
		on_client(s, fds[WAIT_CLIENT].revents);
	if (fds[WAIT_SOCK].revents != 0 && !s->ended)
		on_message(s);
	if (fds[WAIT_LAUNCHER].revents != 0)
		lose(s, "lost the container before the session has ended");
	if (fds[WAIT_CANDIDATE].revents != 0)
		on_candidate(s);
	if (fds[WAIT_LISTENING].revents != 0)
		on_knock(s);
	check_deadlines(s);
	check_end(s);
}

int keeper_run(const struct keeper *keeper)
{
	struct keeping *s = &the_keeping;

	*s = (struct keeping){
		.k = keeper,
		.state = keeper->state,
		.client = keeper->client,
		.candidate = -EBADF,
		.first = true,
	};
	s->screen = screen_new(keeper->size.rows, keeper->size.columns, on_answer, s);
	if (!s->screen)
		return -ENOMEM;
	while (!s->over)
		step(s);
	close_fdp(&s->client);
	close_fdp(&s->candidate);
	bytes_done(&s->out);
	screen_free(s->screen);
	return 0;
}
