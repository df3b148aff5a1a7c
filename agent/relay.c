/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include "cleanup.h"
#include "pty.h"
#include "shortage.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

/*
 * Theory of operation
 *
 * Each direction is a pipe between two splice(2) calls. The pipe is filled only when it is empty,
 * and then emptied before more is read: so a full pipe can't be mistaken for an empty source (both
 * say EAGAIN), and one who doesn't read stops the one who writes. A turn of the event loop moves
 * one pipeful in a direction, at most 64 KiB; others get their turn before the next. An event is
 * armed only for what would make progress: to read when the pipe is empty, to write when it isn't.
 *
 * The agent keeps the slave open as long as the session's leader lives. Otherwise a vhangup() by
 * login or the moment between two programs, when nobody has the slave open, would show as a
 * hangup on the master, which epoll then reports without end. So EIO means what it says only after
 * the leader has exited.
 *
 * End of input: a tty has no end of file that stays, only a character that makes one read return
 * nothing. When the client has half-closed and all before that is relayed, the character is typed,
 * and again each second: a shell gets it when its foreground job is done.
 *
 * End of output: what the leader wrote is in the terminal's buffers when it exits, and a read from
 * the master that finds nothing (EAGAIN) has flushed them first. A background job may write on for
 * ever, so no more than those buffers can hold is taken: 64 KiB for the tty buffer, 4 KiB for the
 * line discipline, and as much again for safety.
 */

#define TURN (64 * 1024)
#define INPUT_PIPE_SIZE (16 * 1024)
#define DRAIN_MAX (136 * 1024)
#define EOF_SOON_USEC 20000 /* until the session has read what came before */
#define EOF_SOON_CHECKS 50  /* then it's busy with something else */
#define EOF_REPEAT_SEC 1

static int half_open(struct relay_half *half)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	half->pipe_read = fds[0];
	half->pipe_write = fds[1];
	return 0;
}

static void half_close(struct relay_half *half)
{
	close_fdp(&half->pipe_read);
	close_fdp(&half->pipe_write);
	*half = RELAY_HALF_NULL;
}

/* Throws away up to one buffer of what fd has. As read(2), with -errno. */
static ssize_t discard(int fd)
{
	static char scratch[16 * 1024];
	ssize_t n = read(fd, scratch, sizeof(scratch));

	return n < 0 ? -errno : n;
}

/* As splice(2), with -errno. That the kernel is short of memory is no end and no loss. */
static ssize_t move(int from, int to, size_t n)
{
	unsigned int tries = 0;
	ssize_t done;

	do {
		done = splice(from, NULL, to, NULL, n, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (done < 0)
			done = -errno;
	} while (done < 0 && shortage_passes((int)done, &tries));
	return done == -ENOMEM || done == -ENOBUFS ? -EAGAIN : done;
}

/* From source into an empty pipe. 1: got something; 0: nothing now, or never again (eof). */
static int half_fill(struct relay_half *half, int source)
{
	ssize_t n;

	n = half->dead ? discard(source) : move(source, half->pipe_write, TURN);
	if (n > 0) {
		if (!half->dead)
			half->fill = (size_t)n;
		return 1;
	}
	if (n != -EAGAIN && n != -EINTR)
		half->eof = true;
	return 0;
}

/* From the pipe to target, as much as it takes. */
static void half_empty(struct relay_half *half, int target)
{
	while (half->fill > 0) {
		ssize_t n = half->dead ? discard(half->pipe_read)
				       : move(half->pipe_read, target, half->fill);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN && !half->dead)
			return;
		if (n > 0)
			half->fill -= (size_t)n;
		else if (half->dead)
			half->fill = 0;
		else
			half->dead = true; /* and on, to throw away the rest */
	}
}

static void arm(struct event *event, bool *armed, bool want)
{
	if (*armed == want)
		return;
	/* event_add can fail for want of memory only, and epoll's then: try again next turn */
	if (want)
		*armed = event_add(event, NULL) == 0;
	else
		*armed = event_del(event) != 0;
}

static void update(struct relay *relay)
{
	arm(&relay->socket_read, &relay->armed_socket_read,
		!relay->draining && !relay->in.eof && relay->in.fill == 0);
	arm(&relay->master_write, &relay->armed_master_write,
		!relay->draining && relay->in.fill > 0);
	arm(&relay->master_read, &relay->armed_master_read,
		!relay->draining && !relay->out.eof && relay->out.fill == 0);
	arm(&relay->socket_write, &relay->armed_socket_write,
		relay->out.fill > 0 && !relay->out.dead);
}

static void disarm_eof_timer(struct relay *relay)
{
	if (relay->armed_eof_timer)
		(void)event_del(&relay->eof_timer);
	relay->armed_eof_timer = false;
}

/* A client that is gone has its session hung up; an end of input would tell the program a lie. */
static bool client_is_gone(const struct relay *relay)
{
	struct pollfd p = { .fd = relay->socket };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* The client has half-closed, and all of its input is relayed. */
static void type_eof(struct relay *relay)
{
	static const struct timeval soon = { .tv_usec = EOF_SOON_USEC };
	static const struct timeval repeat = { .tv_sec = EOF_REPEAT_SEC };

	if (client_is_gone(relay))
		return;
	if (pty_type_eof(relay->master, relay->slave) != 0)
		relay->eof_checks = EOF_SOON_CHECKS;
	if (relay->eof_checks < EOF_SOON_CHECKS)
		relay->eof_checks++;
	relay->armed_eof_timer =
		event_add(&relay->eof_timer,
			relay->eof_checks < EOF_SOON_CHECKS ? &soon : &repeat) == 0;
}

static void turn_in(struct relay *relay)
{
	bool ended = relay->in.eof && relay->in.fill == 0;

	if (relay->in.fill == 0 && !relay->in.eof)
		(void)half_fill(&relay->in, relay->socket);
	half_empty(&relay->in, relay->master);
	if (!ended && relay->in.eof && relay->in.fill == 0)
		type_eof(relay);
}

static void turn_out(struct relay *relay)
{
	if (relay->out.fill == 0 && !relay->out.eof)
		(void)half_fill(&relay->out, relay->master);
	half_empty(&relay->out, relay->socket);
}

/* No quota here: there are at most DRAIN_MAX bytes to go. */
static void drain(struct relay *relay)
{
	half_empty(&relay->out, relay->socket);
	while (relay->out.fill == 0 && !relay->out.eof && relay->drain_left > 0) {
		if (half_fill(&relay->out, relay->master) == 0)
			break;
		relay->drain_left -=
			relay->out.fill < relay->drain_left ? relay->out.fill : relay->drain_left;
		if (relay->out.dead)
			break;
		half_empty(&relay->out, relay->socket);
	}
	update(relay);
	if (relay->out.fill == 0)
		relay->drained(relay->arg); /* may free relay */
}

static void on_socket_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn_in(arg);
	update(arg);
}

static void on_master_write(evutil_socket_t fd, short what, void *arg)
{
	on_socket_read(fd, what, arg);
}

static void on_master_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn_out(arg);
	update(arg);
}

static void on_socket_write(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	if (relay->draining)
		drain(relay);
	else
		on_master_read(fd, what, arg);
}

static void on_eof_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	(void)fd;
	(void)what;
	relay->armed_eof_timer = false;
	type_eof(relay);
}

/* Events of a relay whose descriptors are set. On failure it is stopped. */
static int start(struct relay *relay, struct event_base *base)
{
	int socket = relay->socket, master = relay->master;

	if (event_assign(&relay->socket_read, base, socket, EV_READ | EV_PERSIST, on_socket_read,
		    relay) < 0 ||
		event_assign(&relay->socket_write, base, socket, EV_WRITE | EV_PERSIST,
			on_socket_write, relay) < 0 ||
		event_assign(&relay->master_read, base, master, EV_READ | EV_PERSIST,
			on_master_read, relay) < 0 ||
		event_assign(&relay->master_write, base, master, EV_WRITE | EV_PERSIST,
			on_master_write, relay) < 0 ||
		event_assign(&relay->eof_timer, base, -1, 0, on_eof_timer, relay) < 0) {
		relay_stop(relay);
		return -ENOMEM;
	}
	update(relay);
	/* each direction waits for one end of its pipe or the other */
	if ((!relay->armed_socket_read && !relay->armed_master_write) ||
		(!relay->armed_master_read && !relay->armed_socket_write)) {
		relay_stop(relay);
		return -ENOMEM;
	}
	return 0;
}

static void set(struct relay *relay, int socket, int master, int slave)
{
	*relay = RELAY_NULL;
	relay->socket = socket;
	relay->master = master;
	relay->slave = slave;
}

int relay_start(struct relay *relay, struct event_base *base, int socket, int master, int slave)
{
	int r;

	set(relay, socket, master, slave);
	r = half_open(&relay->in);
	if (r == 0)
		r = half_open(&relay->out);
	if (r < 0) {
		relay_stop(relay);
		return r;
	}
	/* typed input is small: leave pages to others (pipe-user-pages-soft of pipe(7)) */
	(void)fcntl(relay->in.pipe_write, F_SETPIPE_SZ, INPUT_PIPE_SIZE);
	return start(relay, base);
}

size_t relay_pipes(const struct relay *relay, int ret[RELAY_PIPES])
{
	ret[0] = relay->in.pipe_read;
	ret[1] = relay->in.pipe_write;
	ret[2] = relay->out.pipe_read;
	ret[3] = relay->out.pipe_write;
	return RELAY_PIPES;
}

/* How much is in the pipe, which the agent that filled it knew. */
static int half_resume(struct relay_half *half, int *pipe)
{
	int fill = 0;

	half->pipe_read = TAKE_FD(pipe[0]);
	half->pipe_write = TAKE_FD(pipe[1]);
	if (ioctl(half->pipe_read, FIONREAD, &fill) < 0)
		return -errno;
	half->fill = (size_t)fill;
	return 0;
}

int relay_resume(struct relay *relay, struct event_base *base, int socket, int master, int slave,
	int pipes[RELAY_PIPES])
{
	int r;

	set(relay, socket, master, slave);
	r = half_resume(&relay->in, pipes);
	if (r == 0)
		r = half_resume(&relay->out, pipes + 2);
	if (r < 0) {
		relay_stop(relay);
		return r;
	}
	return start(relay, base);
}

void relay_drain(struct relay *relay, void (*drained)(void *arg), void *arg)
{
	relay->draining = true;
	relay->slave = -EBADF;
	disarm_eof_timer(relay);
	relay->drain_left = DRAIN_MAX;
	relay->drained = drained;
	relay->arg = arg;
	drain(relay);
}

bool relay_has_input(const struct relay *relay)
{
	return relay->master >= 0 && (relay->in.fill > 0 || !relay->in.eof) && !relay->in.dead;
}

void relay_stop(struct relay *relay)
{
	arm(&relay->socket_read, &relay->armed_socket_read, false);
	arm(&relay->socket_write, &relay->armed_socket_write, false);
	arm(&relay->master_read, &relay->armed_master_read, false);
	arm(&relay->master_write, &relay->armed_master_write, false);
	disarm_eof_timer(relay);
	half_close(&relay->in);
	half_close(&relay->out);
	*relay = RELAY_NULL;
}
