/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include "cleanup.h"
#include "clock.h"
#include "escape.h"
#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BUFFER_SIZE (64 * 1024)
#define READ_MAX 4096
#define ESCAPED_MAX 4 /* bytes that one byte can become */
#define HELD_MAX sizeof(((struct stream *)0)->held)
#define LINE_MAX_LEN (8 * 1024) /* escaped it is below the 48 KiB of journald (LineMax=) */
#define LINE_EXTRA                                                                                 \
	(ESCAPED_MAX * HELD_MAX + 3) /* held bytes, two newlines, escape_text()'s NUL              \
				      */

int stream_reopen(int fd, int flags)
{
	struct stat st;
	int r = -1;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* O_NONBLOCK belongs to the description, which the caller's shell has too: take a new one
	 */
	if (isatty(fd) || S_ISFIFO(st.st_mode)) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		r = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (r < 0)
		r = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return r < 0 ? -errno : r;
}

/* What may be read now. fill() moves what is not written yet to the buffer's start first. */
static size_t room(const struct stream *s)
{
	size_t left = BUFFER_SIZE - (s->end - s->start);

	if (s->lines)
		left = left > LINE_EXTRA ? (left - LINE_EXTRA) / ESCAPED_MAX : 0;
	return left < READ_MAX ? left : READ_MAX;
}

/* How many bytes at the end of data are the beginning of a UTF-8 character that isn't all there. */
static size_t cut_character(const char *data, size_t len)
{
	for (size_t n = 1; n <= HELD_MAX && n <= len; n++) {
		unsigned char c = (unsigned char)data[len - n];

		if ((c & 0xc0) == 0x80)
			continue;
		if (c >= 0xf0)
			return c <= 0xf4 ? n : 0;
		if (c >= 0xe0)
			return n < 3 ? n : 0;
		return c >= 0xc2 && n < 2 ? n : 0;
	}
	return 0;
}

/*
 * Whether text looks like the priority that sd-daemon(3) has at the start of a line: a guest's
 * would be the host's journal's, and journald shows emergencies to everybody who is logged in. A
 * '<' whose next byte has not come yet counts.
 */
static bool looks_like_priority(const char *text, size_t len, bool ends)
{
	if (len == 0 || text[0] != '<')
		return false;
	return len == 1 ? !ends : text[1] >= '0' && text[1] <= '9';
}

/*
 * Appends guest text as lines: CR is dropped, a control byte becomes \xNN, and so does what would
 * be a priority. Longer lines than LINE_MAX_LEN are broken here: journald would do it, and look for
 * a priority in every piece.
 */
static void append_lines(struct stream *s, const char *data, size_t len)
{
	static const char less_than[] = "\\x3c";

	while (len > 0) {
		size_t most = LINE_MAX_LEN - s->line_len;
		const char *newline = memchr(data, '\n', len < most + 1 ? len : most + 1);
		size_t n = newline ? (size_t)(newline - data) : len < most ? len : most;
		bool ends = newline || n < len;
		size_t text, skip = 0;

		if (!newline && ends)
			n -= cut_character(data, n);
		text = n;
		while (text > 0 && data[text - 1] == '\r')
			text--;
		if (s->line_len == 0 && looks_like_priority(data, text, ends)) {
			memcpy(s->buffer + s->end, less_than, ESCAPED_MAX);
			s->end += ESCAPED_MAX;
			skip = 1;
		}
		s->end += escape_text(
			s->buffer + s->end, BUFFER_SIZE - s->end, data + skip, text - skip);
		s->line_len = ends ? 0 : s->line_len + text;
		if (ends)
			s->buffer[s->end++] = '\n';
		n += newline != NULL;
		data += n;
		len -= n;
	}
}

/* The same for what was read just now, of which a character that is cut is kept for the next time.
 */
static void append_text(struct stream *s, char *data, size_t len)
{
	size_t cut = cut_character(data, len);

	append_lines(s, data, len - cut);
	memcpy(s->held, data + len - cut, cut);
	s->n_held = cut;
}

static void end_text(struct stream *s)
{
	append_lines(s, s->held, s->n_held);
	s->n_held = 0;
	if (s->line_len > 0)
		s->buffer[s->end++] = '\n';
}

/* EIO of a terminal: nobody has its other end. One that was hung up says that to isatty(3), too. */
static bool has_gone(int r, int fd)
{
	return r == -EPIPE || r == -ECONNRESET || (r == -EIO && (isatty(fd) || errno == EIO));
}

/* Once: a guest may write on, into nothing. That the other end or its terminal has gone is no news.
 */
static void log_failure(struct stream *s, const char *verb, int fd)
{
	int r = -errno;

	if (s->has_failed || has_gone(r, fd))
		return;
	s->has_failed = true;
	(void)log_errno(r, "cannot %s the container's input or output", verb);
}

/* Reads once. False: nothing there now. */
static bool fill(struct stream *s)
{
	char data[HELD_MAX + READ_MAX];
	size_t want;
	ssize_t n;

	if (s->start > 0) {
		memmove(s->buffer, s->buffer + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	want = room(s);
	if (want == 0 || s->ended)
		return false;
	memcpy(data, s->held, s->n_held);
	n = read(s->from, data + s->n_held, want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* EIO: no slave of this pty is open any more */
	if (n < 0 && errno == EIO && s->revive && s->revive(s->arg))
		return false;
	if (n < 0)
		log_failure(s, "read", s->from);
	if (n <= 0 || (s->filter && !s->filter(s->arg, data, (size_t)n))) {
		s->ended = true;
		if (s->lines)
			end_text(s);
		return false;
	}
	if (s->lines) {
		append_text(s, data, s->n_held + (size_t)n);
	} else {
		memcpy(s->buffer + s->end, data, (size_t)n);
		s->end += (size_t)n;
	}
	return true;
}

/* Writes once, without blocking. False: the other end takes nothing now. */
static bool flush(struct stream *s)
{
	struct pollfd p = { .fd = s->to, .events = POLLOUT };
	size_t len = s->end - s->start;
	ssize_t n;

	if (len == 0)
		return true;
	if (s->to_is_socket) {
		n = send(s->to, s->buffer + s->start, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		/* a pipe that is writable takes PIPE_BUF at once, blocking or not (pipe(7)) */
		if (poll(&p, 1, 0) == 0)
			return false;
		n = write(s->to, s->buffer + s->start, len < READ_MAX ? len : READ_MAX);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		log_failure(s, "write", s->to);
		/* Nobody reads any more. A writer is to learn it (SIGPIPE), but behind a terminal
		 * it can't: it would only get stuck, so what it says goes nowhere. */
		s->ended = s->ended || !s->revive;
		s->start = s->end = 0;
		return true;
	}
	s->start += (size_t)n;
	return true;
}

/* Arms what there is to wait for. A file, which epoll refuses, is always ready: go on at once. */
static void arm(struct stream *s)
{
	static const struct timeval now = {};
	bool want_write = s->end > s->start;
	bool want_read = !s->ended && room(s) > 0;

	(void)event_del(s->readable);
	(void)event_del(s->writable);
	if (want_read && event_add(s->readable, NULL) < 0)
		(void)event_add(s->retry, &now);
	if (want_write && event_add(s->writable, NULL) < 0)
		(void)event_add(s->retry, &now);
	/* the reader sees the end of file once everything has arrived */
	if (s->ended && !want_write) {
		close_fdp(&s->to);
		close_fdp(&s->from);
	}
}

static void on_event(int fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	if (what & (EV_READ | EV_TIMEOUT))
		(void)fill(s);
	(void)flush(s);
	arm(s);
}

int stream_start(struct stream *s, struct event_base *base, int from, int to)
{
	int type;
	socklen_t len = sizeof(type);

	s->from = from;
	s->to = to;
	s->ended = false;
	/* else it is an earlier launcher's, with what is left of it */
	if (!s->buffer) {
		s->start = s->end = s->n_held = 0;
		s->line_len = 0;
		s->buffer = malloc(BUFFER_SIZE);
	}
	s->to_is_socket = getsockopt(to, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
	s->readable = event_new(base, from, EV_READ | EV_PERSIST, on_event, s);
	s->writable = event_new(base, to, EV_WRITE | EV_PERSIST, on_event, s);
	s->retry = event_new(base, -1, 0, on_event, s);
	if (!s->buffer || !s->readable || !s->writable || !s->retry) {
		stream_finish(s, 0);
		close_fdp(&s->from); /* without a buffer finish leaves them */
		close_fdp(&s->to);
		return -ENOMEM;
	}
	arm(s);
	return 0;
}

void stream_hand_over(struct stream *s, struct hand_over *h)
{
	if (h->reading)
		s->buffer = malloc(BUFFER_SIZE);
	if (!s->buffer) {
		h->error = -ENOMEM;
		h->field = "stream";
		return;
	}
	s->end = hand_over_bytes(
		h, "text", s->buffer + s->start, s->end - s->start, BUFFER_SIZE - s->start);
	s->end += s->start;
	s->n_held = hand_over_bytes(h, "held", s->held, s->n_held, sizeof(s->held));
	s->line_len = hand_over_count(h, "line", s->line_len, LINE_MAX_LEN);
}

static void drain(struct stream *s, int timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = s->to, .events = POLLOUT };
		struct pollfd in = { .fd = s->from, .events = POLLIN };
		bool more = !s->ended && s->from >= 0 && poll(&in, 1, 0) > 0 && fill(s);
		int64_t left = deadline - clock_ms();

		if (s->start == s->end && !more && s->ended)
			break;
		if (s->start == s->end && !more) {
			/* nobody writes any more: half a line, or character, was the last */
			s->start = s->end = 0;
			s->ended = true;
			if (s->lines)
				end_text(s);
			continue;
		}
		if (flush(s))
			continue;
		if (timeout_ms >= 0 && left <= 0)
			break;
		(void)poll(&p, 1, timeout_ms < 0 ? -1 : (int)left);
	}
}

bool stream_is_done(const struct stream *s)
{
	return !s->buffer || (s->ended && s->start == s->end);
}

void stream_finish(struct stream *s, int timeout_ms)
{
	/* the events first: they must not outlive their descriptors in epoll */
	if (s->readable)
		event_free(TAKE_PTR(s->readable));
	if (s->writable)
		event_free(TAKE_PTR(s->writable));
	if (s->retry)
		event_free(TAKE_PTR(s->retry));
	if (s->buffer && s->to >= 0 && timeout_ms != 0)
		drain(s, timeout_ms);
	if (s->buffer) {
		close_fdp(&s->from);
		close_fdp(&s->to);
	}
	free(TAKE_PTR(s->buffer));
}
