/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Theory of operation
 *
 * A session talks (logs in, types the command) until the payload says that it is ready. Then both
 * sides send their streams and compare what they get. The last byte is held back until every signal
 * that was sent has been answered. What the payload has seen is in its last line, then come the end
 * of file and, at the exec door, the exit status.
 *
 * An agent that is killed between accept() and the start of a program has kept nothing: the client
 * must then see an error, at once. That is "cut", and allowed before a program has been heard of;
 * everything else that isn't as it should be is a failure.
 */

#define BROKEN_USEC INT64_C(5000000) /* for the client to say why */
#define MESSAGE "closed the door without an answer"

const char *const kind_names[KINDS] = { "exec", "exec -t", "root-shell", "root-login", "login" };

static const struct {
	const char *wait, *send; /* NULL: the payload's command */
} talks[KINDS][4] = {
	[ROOT_SHELL] = { { "", NULL } },
	[ROOT_LOGIN] = { { "# ", NULL } },
	[LOGIN] = { { "login: ", "alice\r" }, { "Password: ", "alicepw\r" }, { "$ ", NULL } },
};

static bool is_raw(const struct torture_session *s)
{
	return s->kind >= ROOT_SHELL;
}

static bool has_tty(const struct torture_session *s)
{
	return s->kind != EXEC && s->kind != ROOT_SHELL;
}

static void die(const char *what)
{
	fprintf(stderr, "torture: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void payload_words(const struct torture_session *s, char words[7][64], int *ret_n)
{
	int n = 0;

	(void)snprintf(words[n++], 64, "%s", s->plan->payload);
	(void)snprintf(words[n++], 64, "%u", s->seed);
	(void)snprintf(words[n++], 64, "%u", s->up);
	(void)snprintf(words[n++], 64, "%u", s->down);
	(void)snprintf(words[n++], 64, "%d", s->status);
	if (s->kind == EXEC_TTY) {
		(void)snprintf(words[n++], 64, "%d", s->rows);
		(void)snprintf(words[n++], 64, "%d", s->cols);
	}
	*ret_n = n;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static void open_door(struct torture_session *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path),
		"/run/narthex/%s/doors/%s.socket", s->plan->name, kind_names[s->kind]);
	s->in = s->out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->in < 0 || connect(s->in, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(address.sun_path);
}

_Noreturn static void run_client(const struct torture_session *s, const int stdio[3])
{
	char words[7][64];
	const char *argv[16] = { "narthex", "exec" };
	int n = 2, n_words;

	payload_words(s, words, &n_words);
	if (s->kind == EXEC_TTY)
		argv[n++] = "-t";
	argv[n++] = s->plan->name;
	argv[n++] = "--";
	for (int i = 0; i < n_words; i++)
		argv[n++] = words[i];
	if (s->kind == EXEC_TTY && (setsid() < 0 || ioctl(stdio[0], TIOCSCTTY, 0) < 0))
		_exit(96);
	for (int i = 0; i < 3; i++)
		if (dup2(stdio[i], i) < 0)
			_exit(96);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)execvp("narthex", (char **)argv);
	_exit(96);
}

static void open_client(struct torture_session *s)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, tty[2] = { -1, -1 };
	int stdio[3];

	if (s->kind == EXEC_TTY) {
		if (openpty(&tty[0], &tty[1], NULL, NULL, NULL) < 0 ||
			fcntl(tty[0], F_SETFD, FD_CLOEXEC) < 0)
			die("pty");
		s->in = s->out = tty[0];
		stdio[0] = stdio[1] = stdio[2] = tty[1];
	} else {
		if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
			pipe2(err, O_CLOEXEC) < 0)
			die("pipe");
		s->in = in[1];
		s->out = out[0];
		s->err = err[0];
		stdio[0] = in[0];
		stdio[1] = out[1];
		stdio[2] = err[1];
	}
	s->pid = fork();
	if (s->pid < 0)
		die("fork");
	if (s->pid == 0)
		run_client(s, stdio);
	(void)close(stdio[0]);
	if (s->kind == EXEC) {
		(void)close(stdio[1]);
		(void)close(stdio[2]);
	}
}

void session_open(struct torture_session *s, const struct plan *plan, enum kind kind, uint32_t seed)
{
	static const int statuses[] = { 0, 1, 7, 126, 255, 1000 + SIGKILL, 1000 + SIGSEGV };

	*s = (struct torture_session){ .kind = kind, .plan = plan, .seed = seed };
	s->in = s->out = s->err = -EBADF;
	s->up = 1 + luck(plan->size_max);
	s->down = 1 + luck(plan->size_max);
	s->status = statuses[luck(ARRAY_SIZE(statuses))];
	s->leaves_at = plan->rude && luck(8) == 0 ? 1 + luck(s->up) : UINT32_MAX;
	s->signals_wanted = kind == EXEC ? luck(5) : 0;
	s->rows = 10 + (int)luck(90);
	s->cols = 10 + (int)luck(190);
	s->born = s->moved = now_usec();
	if (is_raw(s))
		open_door(s);
	else
		open_client(s);
	(void)fcntl(s->in, F_SETFL, fcntl(s->in, F_GETFL) | O_NONBLOCK);
	(void)fcntl(s->out, F_SETFL, fcntl(s->out, F_GETFL) | O_NONBLOCK);
	if (s->err >= 0)
		(void)fcntl(s->err, F_SETFL, O_NONBLOCK);
}

/* --- the talk ----------------------------------------------------------------------------------
 */

static void type(struct torture_session *s, const char *text)
{
	if (write(s->in, text, strlen(text)) < 0 && errno != EPIPE && errno != ECONNRESET)
		session_explain(s, "cannot type");
}

static void type_command(struct torture_session *s)
{
	char words[7][64], line[512] = "exec";
	int n;

	payload_words(s, words, &n);
	for (int i = 0; i < n; i++) {
		(void)strncat(line, " ", sizeof(line) - strlen(line) - 1);
		(void)strncat(line, words[i], sizeof(line) - strlen(line) - 1);
	}
	(void)strncat(line, has_tty(s) ? "\r" : "\n", sizeof(line) - strlen(line) - 1);
	type(s, line);
}

/* In what was read and not yet understood: what follows TEXT, or NULL. */
static char *find(struct torture_session *s, const char *text)
{
	char *at = memmem(s->text, s->n_text, text, strlen(text));

	return at ? at + strlen(text) : NULL;
}

static void forget(struct torture_session *s, const char *until)
{
	size_t n = (size_t)(until - s->text);

	memmove(s->text, s->text + n, s->n_text - n);
	s->n_text -= n;
}

static void talk(struct torture_session *s)
{
	char ready[32], *after;
	const char *wait;

	while (is_raw(s) && (wait = talks[s->kind][s->step].wait)) {
		after = find(s, wait);
		if (!after)
			return;
		forget(s, after);
		if (talks[s->kind][s->step].send)
			type(s, talks[s->kind][s->step].send);
		else
			type_command(s);
		s->step++;
	}
	(void)snprintf(ready, sizeof(ready), STREAM_READY, s->seed);
	after = find(s, ready);
	if (!after) {
		if (s->n_text > sizeof(s->text) / 2)
			forget(s, s->text + s->n_text - sizeof(ready));
		return;
	}
	forget(s, after);
	s->phase = TRAFFIC;
}

/* --- the traffic -------------------------------------------------------------------------------
 */

static unsigned int answered(const struct torture_session *s)
{
	unsigned int n = 0;

	while (n < s->n_said && s->said[n] == 's')
		n++;
	return n;
}

/* The client was told so; what the program said before is no matter. */
static bool says_cut(const struct torture_session *s)
{
	return memmem(s->said, s->n_said, MESSAGE, strlen(MESSAGE)) ||
	       memmem(s->text, s->n_text, MESSAGE, strlen(MESSAGE));
}

/* False: the stream is not what it should be. */
static bool check(struct torture_session *s)
{
	size_t n = s->n_text, left = s->down - s->got, good;

	n = n < left ? n : left;
	good = stream_compare((uint8_t *)s->text, n, s->seed + 1, s->got, has_tty(s));
	s->got += (uint32_t)good;
	forget(s, s->text + good);
	return good == n;
}

static void send_some(struct torture_session *s, struct score *score)
{
	uint8_t buf[8192];
	/* the last byte waits for the answers */
	uint32_t left = s->up - s->sent;
	uint32_t held = s->signals < s->signals_wanted || answered(s) < s->signals ? 1 : 0;
	uint32_t n = 1 + luck(sizeof(buf));
	ssize_t done;

	if (left <= held)
		return;
	n = n < left - held ? n : left - held;
	stream_fill(buf, n, s->seed, s->sent, has_tty(s));
	done = write(s->in, buf, n);
	if (done > 0) {
		s->sent += (uint32_t)done;
		score->up += (uint64_t)done;
		s->moved = now_usec();
	}
	if (luck(8) == 0)
		s->pause_in = now_usec() + luck(60000);
}

static void set_size(struct torture_session *s, struct score *score, bool last)
{
	const struct winsize size = {
		.ws_row = last ? (unsigned short)s->rows : (unsigned short)(1 + luck(99)),
		.ws_col = last ? (unsigned short)s->cols : (unsigned short)(1 + luck(199)),
	};

	(void)ioctl(s->in, TIOCSWINSZ, &size);
	score->resizes++;
}

static void send_all(struct torture_session *s, struct score *score)
{
	int64_t now = now_usec();

	if (s->signals < s->signals_wanted && answered(s) >= s->signals && now > s->signal_at) {
		(void)kill(s->pid, SIGUSR1);
		s->signals++;
		score->signals++;
		s->signal_at = now + luck(100000);
	}
	if (s->kind == EXEC_TTY && luck(64) == 0 && s->sent < s->up)
		set_size(s, score, false);
	if (now >= s->pause_in && s->sent < s->up) {
		send_some(s, score);
		if (s->sent == s->up && s->kind == EXEC_TTY)
			set_size(s, score, true);
	}
	if (s->sent < s->up || has_tty(s) || s->half_closed || s->sent >= s->leaves_at)
		return;
	s->half_closed = true;
	if (s->kind == EXEC)
		close_fdp(&s->in);
	else
		(void)shutdown(s->in, SHUT_WR);
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* False: that was all. */
static bool receive(struct torture_session *s, struct score *score)
{
	size_t room = sizeof(s->text) - s->n_text;
	ssize_t n = read(s->out, s->text + s->n_text, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	s->moved = now_usec();
	s->n_text += (size_t)n;
	s->heard += (uint64_t)n;
	score->down += (uint64_t)n;
	if (luck(16) == 0)
		s->pause_out = s->moved + luck(60000);
	return true;
}

static void receive_said(struct torture_session *s)
{
	ssize_t n = read(s->err, s->said + s->n_said, sizeof(s->said) - 1 - s->n_said);

	if (n > 0)
		s->n_said += (size_t)n;
	else if (n == 0)
		close_fdp(&s->err);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void close_all(struct torture_session *s)
{
	if (s->out != s->in)
		close_fdp(&s->out);
	close_fdp(&s->in);
	close_fdp(&s->err);
}

/* Of the client: an exit status as a shell tells it. */
static int reap(const struct torture_session *s)
{
	int status;

	if (waitpid(s->pid, &status, 0) < 0)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void session_explain(const struct torture_session *s, const char *what)
{
	printf("torture: session with seed %u at %s: %s; %s, %u of %u there, %u of %u back, %u of "
	       "%u signals answered, %lld ms "
	       "old, quiet for %lld ms; heard: \"",
		s->seed, kind_names[s->kind], what,
		s->phase == TALKS     ? "talks"
		: s->phase == TRAFFIC ? "traffic"
				      : "all is said",
		s->sent, s->up, s->got, s->down, answered(s), s->signals,
		(long long)(now_usec() - s->born) / 1000,
		(long long)(now_usec() - s->moved) / 1000);
	for (size_t i = 0; i < s->n_text && i < 200; i++)
		printf(s->text[i] >= ' ' && s->text[i] <= '~' ? "%c" : "\\x%02x",
			(uint8_t)s->text[i]);
	printf("\", stderr \"%.*s\"\n", (int)s->n_said, s->said);
	(void)fflush(stdout);
}

static bool is_cut(const struct torture_session *s, int status)
{
	return is_raw(s) ? s->heard == 0 : status == 125 && says_cut(s);
}

/* What is wrong with it, or NULL. */
static const char *verdict(const struct torture_session *s, struct score *score, int status)
{
	int want = s->status >= 1000 ? 128 + s->status - 1000 : s->status;
	unsigned long long wrong;
	int more, signals, rows, cols;
	char text[160] = "";

	memcpy(text, s->text, s->n_text < sizeof(text) ? s->n_text : sizeof(text) - 1);
	if (s->phase == BROKEN)
		return "what came back isn't what was sent";
	if (s->phase != TAIL)
		return "ended too early";
	if (sscanf(text, "<<END wrong=%llu more=%d signals=%d size=%dx%d>>", &wrong, &more,
		    &signals, &rows, &cols) != 5)
		return "its last line is missing";
	if (wrong > 0 || more != 0)
		return "what arrived there isn't what was sent";
	if (s->kind == EXEC_TTY && (rows != s->rows || cols != s->cols))
		return "the terminal has another size";
	if (signals < (int)s->signals)
		return "a signal is missing";
	score->repeated += (unsigned int)signals - s->signals;
	if (!is_raw(s) && status != want)
		return "another exit status";
	return NULL;
}

static void finish(struct torture_session *s, struct score *score)
{
	int status;
	const char *why;

	if (s->phase == BROKEN && s->pid > 0)
		(void)kill(s->pid, SIGKILL); /* unless it has ended by itself */
	status = s->pid > 0 ? reap(s) : 0;
	if (s->err >= 0)
		receive_said(s);
	if (s->left) {
		score->left++;
	} else if (is_cut(s, status)) {
		score->cut++;
	} else {
		why = verdict(s, score, status);
		if (why) {
			session_explain(s, why);
			printf("torture: its exit status is %d, and should be %d\n", status,
				s->status);
			score->failed++;
		} else {
			score->ended[s->kind]++;
		}
	}
	close_all(s);
}

static void leave(struct torture_session *s)
{
	s->left = true;
	if (s->pid > 0)
		(void)kill(s->pid, SIGKILL);
}

/* --- the loop's part -------------------------------------------------------------------------- */

size_t session_poll(const struct torture_session *s, struct pollfd fds[3])
{
	int64_t now = now_usec();
	size_t n = 0;

	if (s->out >= 0 && now >= s->pause_out && s->n_text < sizeof(s->text))
		fds[n++] = (struct pollfd){ .fd = s->out, .events = POLLIN };
	if (s->phase != TALKS && s->in >= 0 && s->sent < s->up && now >= s->pause_in)
		fds[n++] = (struct pollfd){ .fd = s->in, .events = POLLOUT };
	if (s->err >= 0)
		fds[n++] = (struct pollfd){ .fd = s->err, .events = POLLIN };
	return n;
}

bool session_go_on(struct torture_session *s, struct score *score)
{
	bool more = true;

	if (s->err >= 0)
		receive_said(s);
	if (s->out >= 0 && now_usec() >= s->pause_out && s->n_text < sizeof(s->text))
		more = receive(s, score);
	if (s->phase == TALKS)
		talk(s);
	if (s->phase == TRAFFIC && !check(s))
		s->phase = BROKEN; /* a terminal echoes what we type when its client has left it */
	if (s->phase == BROKEN && now_usec() - s->moved > BROKEN_USEC)
		more = false;
	if (s->phase == TRAFFIC && s->got == s->down)
		s->phase = TAIL;
	if (more && (s->phase == TRAFFIC || s->phase == TAIL) && s->in >= 0)
		send_all(s, score);
	if (more && s->sent >= s->leaves_at) {
		leave(s);
		more = false;
	}
	if (!more)
		finish(s, score);
	return !more;
}
