/* SPDX-License-Identifier: MIT */
#include "console.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "terminal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#define ESCAPE_BYTE 0x1d /* ^], as machinectl */
#define ESCAPE_COUNT 3
#define ESCAPE_WITHIN_MS 1000
/* a stopped terminal or a stuck journal must not keep a container from ending */
#define FINISH_TIMEOUT_MS 10000

static int make_pipes(struct console *console)
{
	for (int i = 0; i < 3; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return log_errno(-errno, "cannot make a pipe");
		console->guest.fds[i] = fds[i == 0 ? 0 : 1];
		console->pipe_fds[i] = fds[i == 0 ? 1 : 0];
		/* each end has a description of its own: this is ours alone */
		if (fcntl(console->pipe_fds[i], F_SETFL, O_NONBLOCK) < 0)
			return log_errno(-errno, "cannot make a pipe nonblocking");
	}
	return 0;
}

int console_prepare(struct console *console, const struct launch *launch, struct event_base *base)
{
	console->base = base;
	console->console_fd = console->slave_fd = -EBADF;
	for (int i = 0; i < 3; i++)
		console->guest.fds[i] = console->pipe_fds[i] = -EBADF;
	if (!launch->foreground)
		console->mode = CONSOLE_LINES;
	else if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		console->mode = CONSOLE_TERMINAL;
	else
		console->mode = launch->config.boot ? CONSOLE_LINES : CONSOLE_PIPES;
	return console->mode == CONSOLE_PIPES ? make_pipes(console) : 0;
}

/* Counts ^] in what is typed; the third within a second leaves. */
static bool watch_escape(void *arg, const char *data, size_t len)
{
	struct console *console = arg;

	for (size_t i = 0; i < len; i++) {
		int64_t now;

		if (data[i] != ESCAPE_BYTE) {
			console->escapes = 0;
			continue;
		}
		now = clock_ms();
		if (console->escapes == 0 || now - console->escape_time_ms > ESCAPE_WITHIN_MS) {
			console->escapes = 0;
			console->escape_time_ms = now;
		}
		if (++console->escapes == ESCAPE_COUNT) {
			console->escapes = 0;
			if (console->escape)
				console->escape(console->escape_arg);
		}
	}
	return true;
}

void console_resize(struct console *console)
{
	struct winsize size;

	if (console->mode == CONSOLE_TERMINAL && console->console_fd >= 0 &&
		ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(console->console_fd, TIOCSWINSZ, &size);
}

static int start_stream(struct console *console, struct stream *stream, int from, int to)
{
	int r;

	if (from >= 0 && to >= 0) {
		r = stream_start(stream, console->base, from, to);
	} else {
		r = from < 0 ? from : to;
		close_fdp(&from);
		close_fdp(&to);
	}
	return r < 0 ? log_errno(r, "cannot copy between the container and its launcher") : 0;
}

static int start_terminal(struct console *console)
{
	struct termios raw;
	int r;

	if (tcgetattr(STDIN_FILENO, &console->saved) < 0)
		return log_errno(-errno, "cannot read the terminal's settings");
	raw = console->saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return log_errno(-errno, "cannot set the terminal to raw mode");
	console->raw = true;
	console->in.filter = watch_escape;
	console->in.arg = console;
	console_resize(console);
	r = start_stream(console, &console->out, fcntl(console->console_fd, F_DUPFD_CLOEXEC, 3),
		stream_reopen(STDOUT_FILENO, O_WRONLY));
	if (r < 0)
		return r;
	return start_stream(console, &console->in, stream_reopen(STDIN_FILENO, O_RDONLY),
		fcntl(console->console_fd, F_DUPFD_CLOEXEC, 3));
}

static int start_pipes(struct console *console)
{
	int r;

	/* the payload has its ends; while we had them too, it would never see an end of file */
	for (int i = 0; i < 3; i++)
		close_fdp(&console->guest.fds[i]);
	r = start_stream(console, &console->out, TAKE_FD(console->pipe_fds[1]),
		stream_reopen(STDOUT_FILENO, O_WRONLY));
	if (r >= 0)
		r = start_stream(console, &console->err, TAKE_FD(console->pipe_fds[2]),
			stream_reopen(STDERR_FILENO, O_WRONLY));
	if (r >= 0 && fcntl(STDIN_FILENO, F_GETFD) < 0) {
		close_fdp(&console->pipe_fds[0]); /* started without a stdin: the payload reads end
						     of file */
		return 0;
	}
	return r < 0 ? r
		     : start_stream(console, &console->in, stream_reopen(STDIN_FILENO, O_RDONLY),
			       TAKE_FD(console->pipe_fds[0]));
}

/* The guest closed or hung up (vhangup(2)) every slave, ours too. Somebody may open it again. */
static bool keep_slave_open(void *arg)
{
	struct console *console = arg;

	close_fdp(&console->slave_fd);
	console->slave_fd = terminal_slave(console->console_fd);
	return console->slave_fd >= 0;
}

int console_start(struct console *console, int console_fd)
{
	console->console_fd = console_fd;
	if (console->mode != CONSOLE_PIPES) {
		console->out.revive = keep_slave_open;
		console->out.arg = console;
		if (console->slave_fd < 0 && !keep_slave_open(console))
			return log_errno(console->slave_fd, "cannot open the container's console");
	}
	switch (console->mode) {
	case CONSOLE_TERMINAL:
		return start_terminal(console);
	case CONSOLE_PIPES:
		return start_pipes(console);
	case CONSOLE_LINES:
		break;
	}
	console->out.lines = true;
	return start_stream(console, &console->out, fcntl(console_fd, F_DUPFD_CLOEXEC, 3),
		stream_reopen(STDOUT_FILENO, O_WRONLY));
}

void console_hand_over(struct console *console, struct hand_over *h)
{
	if (h->reading) {
		console->mode = CONSOLE_LINES;
		for (int i = 0; i < 3; i++)
			console->guest.fds[i] = console->pipe_fds[i] = -EBADF;
	}
	console->slave_fd = hand_over_fd(h, "slave", console->slave_fd);
	stream_hand_over(&console->out, h);
}

void console_hang_up(struct console *console)
{
	stream_finish(&console->in, 0);
}

bool console_is_drained(const struct console *console)
{
	return console->mode != CONSOLE_PIPES ||
	       (stream_is_done(&console->out) && stream_is_done(&console->err));
}

bool console_has_lost(const struct console *console)
{
	return console->mode == CONSOLE_PIPES &&
	       (console->out.has_failed || console->err.has_failed);
}

void console_finish(struct console *console)
{
	/* of a command everything has arrived, or its caller has lost patience */
	int timeout = console->mode == CONSOLE_PIPES ? 0 : FINISH_TIMEOUT_MS;

	stream_finish(&console->in, 0);
	stream_finish(&console->out, timeout);
	stream_finish(&console->err, timeout);
	if (console->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &console->saved);
	console->raw = false;
	console->console_fd = -EBADF;
	close_fdp(&console->slave_fd);
	for (int i = 0; i < 3; i++) {
		close_fdp(&console->guest.fds[i]);
		close_fdp(&console->pipe_fds[i]);
	}
}
