/* SPDX-License-Identifier: MIT */

/* Everything that can be either end of a stream, fast, slow and gone. */

#include "host-tools/launch/stream.h"

#include "scratch.h"

#include "loop.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BIG (1024 * 1024)
#define LINE_MAX_LEN (8 * 1024)
#define BUFFER (64 * 1024) /* stream.h promises no more */

static struct event_base *base;
static struct stream stream;
static size_t fds_before;

static void quiet(int severity, const char *text)
{
}

static int setup(void **state)
{
	(void)signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(quiet);
	fds_before = count_fds();
	base = event_base_new();
	assert_non_null(base);
	stream = (struct stream){};
	return 0;
}

static int teardown(void **state)
{
	stream_finish(&stream, 0);
	event_base_free(base);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

/* --- ends ----------------------------------------------------------------------------------- */

enum end { END_FILE, END_PIPE, END_SOCKET, END_PTY, END_NULL, END_MAX };

static const char *const end_names[] = { "file", "pipe", "socket", "pty", "null" };

/* Pairs: [0] the stream's, nonblocking, [1] the test's, nonblocking. */
static void make_pair(enum end end, bool stream_reads, int pair[2])
{
	struct termios raw;
	int fds[2];

	switch (end) {
	case END_FILE:
		pair[0] = memfd_create("file", MFD_CLOEXEC);
		pair[1] = dup(pair[0]);
		break;
	case END_PIPE:
		assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		pair[0] = fds[stream_reads ? 0 : 1];
		pair[1] = fds[stream_reads ? 1 : 0];
		break;
	case END_SOCKET:
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			0);
		break;
	case END_PTY:
		cfmakeraw(memset(&raw, 0, sizeof(raw)));
		raw.c_cc[VMIN] = 1;
		raw.c_cflag |= CREAD | CS8;
		assert_int_equal(openpty(&pair[0], &pair[1], NULL, &raw, NULL), 0);
		break;
	case END_NULL:
	default:
		pair[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
		pair[1] = -EBADF;
		break;
	}
	assert_true(pair[0] >= 0);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			(void)fcntl(pair[i], F_SETFL, fcntl(pair[i], F_GETFL) | O_NONBLOCK);
}

/* A text in which every place is different. */
static char *make_text(size_t len)
{
	char *text = malloc(len);
	uint32_t x = 2463534242u;

	assert_non_null(text);
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		text[i] = (char)x;
	}
	return text;
}

/* Feeds in and takes out what there is; chunk limits a read. */
struct pump {
	int in, out;
	const char *text;
	size_t len, fed, taken, chunk;
	char *got;
	bool ended;
	bool close_in;	 /* once all is fed */
	bool never_ends; /* out has no end of file */
};

static bool pumped(void *arg)
{
	struct pump *p = arg;
	ssize_t n;

	while (p->fed < p->len) {
		n = write(p->in, p->text + p->fed, p->len - p->fed);
		if (n < 0)
			break;
		p->fed += (size_t)n;
	}
	if (p->fed == p->len && p->close_in)
		close_fdp(&p->in);
	if (p->out >= 0 && p->taken < p->len + 1) {
		size_t want = p->len + 1 - p->taken;

		n = read(p->out, p->got + p->taken, p->chunk && p->chunk < want ? p->chunk : want);
		if (n > 0)
			p->taken += (size_t)n;
		else if (n == 0 || errno == EIO)
			p->ended = true;
	}
	return p->ended || (p->never_ends && p->taken == p->len);
}

static struct pump make_pump(int in, int out, const char *text, size_t len)
{
	struct pump p = { .in = in, .out = out, .text = text, .len = len, .close_in = true };

	p.got = malloc(len + 1);
	assert_non_null(p.got);
	return p;
}

static bool has_ended(void *arg)
{
	return stream.ended && stream.from < 0;
}

/* --- pairs of everything --------------------------------------------------------------------- */

static void carry(enum end from, enum end to, const char *text, size_t len)
{
	int in[2], out[2], keep;
	struct pump p;

	make_pair(from, true, in);
	make_pair(to, false, out);
	/* closing the last master throws away what the slave has not read */
	keep = to == END_PTY ? dup(out[0]) : -EBADF;
	if (from == END_FILE) {
		assert_int_equal(write(in[1], text, len), len);
		assert_int_equal(lseek(in[1], 0, SEEK_SET), 0);
		close_fdp(&in[1]);
	}
	assert_int_equal(stream_start(&stream, base, in[0], out[0]), 0);
	if (from == END_FILE || from == END_NULL || to == END_FILE || to == END_NULL) {
		/* a file never blocks: feed alone, look at the end */
		p = make_pump(in[1], to == END_FILE || to == END_NULL ? -EBADF : out[1], text,
			from == END_NULL ? 0 : len);
		if (from == END_FILE)
			p.fed = len;
		for (int64_t end = clock_ms() + SCRATCH_DEADLINE_MS;
			!has_ended(NULL) && clock_ms() < end;) {
			(void)pumped(&p);
			(void)event_base_loop(base, EVLOOP_NONBLOCK);
		}
		if (!has_ended(NULL))
			fail_msg("%s to %s never ended", end_names[from], end_names[to]);
		if (to == END_FILE) {
			assert_int_equal(lseek(out[1], 0, SEEK_SET), 0);
			p.out = out[1];
		}
		p.never_ends = true;
		while (p.out >= 0 && !p.ended && p.taken < p.len)
			(void)pumped(&p);
	} else {
		p = make_pump(in[1], out[1], text, len);
		p.never_ends = to == END_PTY;
		if (!loop_until(base, pumped, &p, LOOP_DEADLINE_SEC))
			fail_msg("%s to %s: %zu fed, %zu taken of %zu", end_names[from],
				end_names[to], p.fed, p.taken, len);
	}
	if (to != END_NULL) {
		assert_int_equal(p.taken, p.len);
		assert_memory_equal(p.got, text, p.len);
	}
	free(p.got);
	close_fdp(&p.in);
	if (out[1] >= 0)
		(void)close(out[1]);
	close_fdp(&keep);
	stream_finish(&stream, 0);
	stream = (struct stream){};
}

static void carries_between_all_kinds_of_ends(void **state)
{
	_cleanup_free_ char *text = make_text(200 * 1000);

	for (enum end from = 0; from < END_MAX; from++)
		for (enum end to = 0; to < END_MAX; to++)
			carry(from, to, text, 200 * 1000);
}

/* --- slow and gone ---------------------------------------------------------------------------- */

/* Starts from pipe to pipe. *in, *out: the test's ends, nonblocking. */
static void start_pipes(int *in, int *out)
{
	int from[2], to[2];

	make_pair(END_PIPE, true, from);
	make_pair(END_PIPE, false, to);
	*in = from[1];
	*out = to[1];
	assert_int_equal(stream_start(&stream, base, from[0], to[0]), 0);
}

static void spin(int rounds)
{
	while (rounds-- > 0)
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static size_t feed(int fd, const char *text, size_t len)
{
	size_t fed = 0;

	for (int idle = 0; fed < len && idle < 100; idle++) {
		ssize_t n = write(fd, text + fed, len - fed < 4096 ? len - fed : 4096);

		if (n > 0) {
			fed += (size_t)n;
			idle = 0;
		}
		spin(2);
	}
	return fed;
}

/* The reader stops until all buffers are full, then goes on: nothing is lost, nothing hangs. */
static void a_slow_reader_is_bounded_and_loses_nothing(void **state)
{
	_cleanup_free_ char *text = make_text(BIG);
	struct pump p;
	size_t accepted;
	int in, out;

	start_pipes(&in, &out);
	accepted = feed(in, text, BIG);
	/* two pipes and one buffer */
	assert_in_range(
		accepted, BUFFER, BUFFER + fcntl(in, F_GETPIPE_SZ) + fcntl(out, F_GETPIPE_SZ));
	p = make_pump(in, out, text, BIG);
	p.fed = accepted;
	p.chunk = 1000;
	if (!loop_until(base, pumped, &p, LOOP_DEADLINE_SEC))
		fail_msg("%zu fed, %zu taken", p.fed, p.taken);
	assert_int_equal(p.taken, BIG);
	assert_memory_equal(p.got, text, BIG);
	free(p.got);
	(void)close(out);
}

/* Nobody writes for a while: what is buffered flows out alone, and the next text comes after. */
static void a_full_buffer_empties_and_fills_again(void **state)
{
	_cleanup_free_ char *text = make_text(BIG), *got = malloc(BIG);
	size_t fed, taken = 0;
	ssize_t n;
	int in, out;

	start_pipes(&in, &out);
	fed = feed(in, text, BIG);
	/* exactly what was accepted is taken out, again and again */
	for (int round = 0; round < 3; round++) {
		for (int idle = 0; taken < fed && idle < 1000; idle++) {
			n = read(out, got + taken, fed - taken);
			if (n > 0) {
				taken += (size_t)n;
				idle = 0;
			}
			spin(2);
		}
		assert_int_equal(taken, fed);
		fed += feed(in, text + fed, 100000);
	}
	assert_memory_equal(got, text, taken);
	(void)close(in);
	(void)close(out);
}

static void a_reader_that_went_ends_it(void **state)
{
	_cleanup_free_ char *text = make_text(BUFFER);

	for (int type = 0; type < 2; type++) {
		int from[2], to[2];

		make_pair(END_PIPE, true, from);
		make_pair(type == 0 ? END_PIPE : END_SOCKET, false, to);
		(void)close(to[1]);
		assert_int_equal(stream_start(&stream, base, from[0], to[0]), 0);
		assert_true(write(from[1], text, 100) == 100);
		assert_true(loop_until(base, has_ended, NULL, LOOP_DEADLINE_SEC));
		/* the writer learns it */
		assert_int_equal(write(from[1], "x", 1), -1);
		assert_int_equal(errno, EPIPE);
		(void)close(from[1]);
		stream_finish(&stream, 1000);
		stream = (struct stream){};
	}
}

/* The writer of a terminal can't learn that nobody reads; it must not get stuck. */
static bool revive_never(void *arg)
{
	return false;
}

static bool terminal_is_read(void *arg)
{
	static const char line[64] = "more";
	size_t *written = arg;
	int *slave = (int *)(void *)(written + 1);
	ssize_t n = write(*slave, line, sizeof(line));

	if (n > 0)
		*written += (size_t)n;
	return *written > 4 * BUFFER;
}

static void a_terminal_is_read_on_when_the_reader_went(void **state)
{
	struct {
		size_t written;
		int slave;
	} arg = {};
	int from[2], to[2];

	make_pair(END_PTY, true, from);
	make_pair(END_PIPE, false, to);
	(void)close(to[1]);
	stream.revive = revive_never;
	assert_int_equal(stream_start(&stream, base, from[0], to[0]), 0);
	arg.slave = from[1];
	assert_true(loop_until(base, terminal_is_read, &arg, LOOP_DEADLINE_SEC));
	(void)close(from[1]);
}

/* --- terminals ---------------------------------------------------------------------------------
 */

static int revived;
static int revive_master, revive_slave;

static bool revive(void *arg)
{
	revived++;
	revive_slave = ioctl(revive_master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return revive_slave >= 0;
}

static bool is_revived(void *arg)
{
	return revived > 0;
}

static void a_terminal_without_a_slave_ends_or_is_revived(void **state)
{
	int from[2], to[2], slave;
	struct pump p;

	revived = 0;
	make_pair(END_PTY, true, from);
	make_pair(END_PIPE, false, to);
	revive_master = from[0];
	stream.revive = revive;
	assert_int_equal(stream_start(&stream, base, from[0], to[0]), 0);
	(void)close(from[1]);
	assert_true(loop_until(base, is_revived, NULL, LOOP_DEADLINE_SEC));
	assert_false(stream.ended);
	slave = revive_slave;
	p = make_pump(slave, to[1], "again", 5);
	p.close_in = false;
	p.never_ends = true;
	assert_true(loop_until(base, pumped, &p, LOOP_DEADLINE_SEC));
	assert_memory_equal(p.got, "again", 5);
	free(p.got);
	/* and without anybody to revive it this is the end */
	stream.revive = NULL;
	(void)close(slave);
	assert_true(loop_until(base, has_ended, NULL, LOOP_DEADLINE_SEC));
	assert_false(stream.has_failed);
	(void)close(to[1]);
}

/* Of a terminal EIO is the end, as above; a file that says it hasn't been read. */
static void an_error_is_no_end(void **state)
{
	int from = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), to[2];
	char byte;

	make_pair(END_PIPE, false, to);
	assert_true(from >= 0 && read(from, &byte, 1) < 0 && errno == EIO);
	assert_int_equal(stream_start(&stream, base, from, to[0]), 0);
	assert_true(loop_until(base, has_ended, NULL, LOOP_DEADLINE_SEC));
	assert_true(stream.has_failed);
	(void)close(to[1]);
}

static bool stop_at_x(void *arg, const char *data, size_t len)
{
	return memchr(data, 'x', len) == NULL;
}

static void a_filter_can_stop_it(void **state)
{
	char got[16];
	int in, out;

	stream.filter = stop_at_x;
	start_pipes(&in, &out);
	assert_int_equal(write(in, "abc", 3), 3);
	spin(10);
	assert_int_equal(read(out, got, sizeof(got)), 3);
	assert_int_equal(write(in, "x", 1), 1);
	assert_true(loop_until(base, has_ended, NULL, LOOP_DEADLINE_SEC));
	assert_int_equal(read(out, got, sizeof(got)), 0);
	(void)close(in);
	(void)close(out);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void finish_copies_what_is_left(void **state)
{
	_cleanup_free_ char *text = make_text(40000), *got = malloc(40001);
	int in, out;

	start_pipes(&in, &out);
	assert_int_equal(write(in, text, 40000), 40000);
	(void)close(in);
	stream_finish(&stream, -1); /* the loop has not run once */
	assert_int_equal(read(out, got, 40001), 40000);
	assert_memory_equal(got, text, 40000);
	assert_int_equal(read(out, got, 1), 0);
	(void)close(out);
	stream = (struct stream){};

	/* a writer that lives on doesn't hold it up */
	start_pipes(&in, &out);
	assert_int_equal(write(in, text, 40000), 40000);
	stream_finish(&stream, -1);
	assert_int_equal(read(out, got, 40001), 40000);
	(void)close(in);
	(void)close(out);
	stream = (struct stream){};

	start_pipes(&in, &out);
	assert_int_equal(write(in, text, 40000), 40000);
	stream_finish(&stream, 0);
	assert_int_equal(read(out, got, 1), 0);
	(void)close(in);
	(void)close(out);
}

/* from lives on, as the console of a guest that has ended does. */
static void finish_ends_the_last_line(void **state)
{
	char got[64] = "";
	int in, out;

	stream.lines = true;
	start_pipes(&in, &out);
	assert_int_equal(write(in, "one\nhalf \xc3", 10), 10);
	stream_finish(&stream, -1);
	assert_true(read(out, got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "one\nhalf \\xc3\n");
	(void)close(in);
	(void)close(out);
	stream = (struct stream){};
	stream.lines = true;
	start_pipes(&in, &out);
	assert_int_equal(write(in, "one\n", 4), 4);
	spin(10);
	stream_finish(&stream, -1);
	assert_int_equal(read(out, got, sizeof(got) - 1), 4);
	(void)close(in);
	(void)close(out);
}

static void finish_gives_up_on_a_stuck_reader(void **state)
{
	_cleanup_free_ char *text = make_text(BIG);
	int64_t start;
	int in, out;

	start_pipes(&in, &out);
	(void)feed(in, text, BIG);
	start = clock_ms();
	stream_finish(&stream, 100);
	assert_true(clock_ms() - start >= 90);
	(void)close(in);
	(void)close(out);
}

static void the_null_state_can_be_finished(void **state)
{
	stream_finish(&stream, -1);
	/* descriptor 0, which the null state names, is nobody's to close */
	assert_true(fcntl(0, F_GETFD) >= 0);
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* What text becomes as lines. pieces: how it is cut into writes; 0: not at all. */
static void assert_lines(
	const char *text, size_t len, size_t piece, const char *want, size_t want_len)
{
	_cleanup_free_ char *got = malloc(want_len + 4096);
	size_t fed = 0, taken = 0;
	int in, out;

	stream.lines = true;
	start_pipes(&in, &out);
	for (int64_t end = clock_ms() + SCRATCH_DEADLINE_MS; clock_ms() < end;) {
		ssize_t n = 0;

		if (fed < len) {
			size_t left = len - fed;

			n = write(in, text + fed, piece && piece < left ? piece : left);
			if (n > 0)
				fed += (size_t)n;
			if (fed == len)
				(void)close(in);
		}
		spin(2);
		n = read(out, got + taken, want_len + 4096 - taken);
		if (n == 0)
			break;
		if (n > 0)
			taken += (size_t)n;
	}
	assert_int_equal(fed, len);
	assert_int_equal(taken, want_len);
	assert_memory_equal(got, want, want_len);
	(void)close(out);
	stream_finish(&stream, 0);
	stream = (struct stream){};
}

static void lines_obey_nothing(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "plain\n", "plain\n" },
		{ "tty\r\n\r\n", "tty\n\n" },
		{ "half", "half\n" },
		{ "one\nhalf", "one\nhalf\n" },
		{ "\n", "\n" },
		{ "\033[31mred\033]0;title\007\n", "\\x1b[31mred\\x1b]0;title\\x07\n" },
		{ "a\rb\n", "a\\x0db\n" },
		{ "tab\tback\\slash\n", "tab\tback\\\\slash\n" },
		{ "\xff\xfe \x80 \xc3\n", "\\xff\\xfe \\x80 \\xc3\n" },
		{ "caf\xc3\xa9 \xe2\x97\x8f \xf0\x9f\x98\x80\n",
			"caf\xc3\xa9 \xe2\x97\x8f \xf0\x9f\x98\x80\n" },
		{ "\xc2\x9b"
		  "31m\n",
			"\\xc2\\x9b"
			"31m\n" }, /* CSI as one character */
		{ "<3>forged\n", "\\x3c3>forged\n" },
		{ "a\r\n<0>forged", "a\n\\x3c0>forged\n" },
		{ "<html>\n<\n <3>\n", "<html>\n<\n <3>\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_lines(cases[i].text, strlen(cases[i].text), 0, cases[i].want,
			strlen(cases[i].want));
	assert_lines("a\0b\n", 4, 0, "a\\x00b\n", 7);
}

/* Nor does what comes in pieces, or after bytes of which nothing is left. */
static void no_line_begins_with_a_priority(void **state)
{
	static const char text[] = "<0>a\n\r<1>b\n<2>", want[] = "\\x3c0>a\n\\x3c1>b\n\\x3c2>\n";

	assert_lines(text, sizeof(text) - 1, 1, want, sizeof(want) - 1);
}

/* A character may come in two reads. */
static void lines_keep_characters_whole(void **state)
{
	static const char text[] =
		"caf\xc3\xa9 \xe2\x97\x8f \xf0\x9f\x98\x80 \xe2\x97 \xf0\x9f\x98\n\xe2\x97";
	static const char want[] = "caf\xc3\xa9 \xe2\x97\x8f \xf0\x9f\x98\x80 \\xe2\\x97 "
				   "\\xf0\\x9f\\x98\n\\xe2\\x97\n";

	for (size_t piece = 1; piece < 6; piece++)
		assert_lines(text, sizeof(text) - 1, piece, want, sizeof(want) - 1);
}

/* What lines_of_any_length() makes of len bytes that become like, each. */
static size_t broken_lines(char *want, size_t len, const char *like)
{
	char *end = want;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && i % LINE_MAX_LEN == 0)
			*end++ = '\n';
		end = stpcpy(end, like);
	}
	*end++ = '\n';
	return (size_t)(end - want);
}

static void lines_of_any_length(void **state)
{
	_cleanup_free_ char *text = malloc(BIG), *want = malloc(5 * BIG);
	size_t n;

	/* one line of 1 MiB, no newline at its end */
	memset(text, 'l', BIG);
	n = broken_lines(want, BIG, "l");
	assert_lines(text, BIG, 0, want, n);
	/* as bad as it gets: every byte becomes four */
	memset(text, 0x1b, BIG);
	n = broken_lines(want, BIG, "\\x1b");
	assert_lines(text, BIG, 0, want, n);
	/* a priority where the line is broken */
	memset(text, 'l', BIG);
	memcpy(text + LINE_MAX_LEN, "<0>", 3);
	memset(want, 'l', LINE_MAX_LEN);
	memcpy(want + LINE_MAX_LEN, "\n\\x3c0>l\n", sizeof("\n\\x3c0>l\n"));
	assert_lines(text, LINE_MAX_LEN + 4, 0, want, strlen(want));
}

/* --- descriptions --------------------------------------------------------------------------------
 */

static void reopening_leaves_the_original_alone(void **state)
{
	static const enum end kinds[] = { END_PIPE, END_PTY };
	int pair[2], r;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		make_pair(kinds[i], true, pair);
		(void)fcntl(pair[0], F_SETFL, 0);
		r = stream_reopen(kinds[i] == END_PTY ? pair[1] : pair[0], O_RDONLY);
		assert_true(r >= 0);
		assert_true(fcntl(r, F_GETFL) & O_NONBLOCK);
		assert_int_equal(fcntl(r, F_GETFD), FD_CLOEXEC);
		assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
		(void)close(r);
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
	make_pair(END_SOCKET, true, pair);
	(void)fcntl(pair[0], F_SETFL, 0);
	r = stream_reopen(pair[0], O_RDONLY);
	assert_true(r >= 3);
	assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	(void)close(r);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(stream_reopen(pair[0], O_RDONLY), -EBADF);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(carries_between_all_kinds_of_ends),
		TEST(a_slow_reader_is_bounded_and_loses_nothing),
		TEST(a_full_buffer_empties_and_fills_again),
		TEST(a_reader_that_went_ends_it),
		TEST(a_terminal_is_read_on_when_the_reader_went),
		TEST(a_terminal_without_a_slave_ends_or_is_revived),
		TEST(an_error_is_no_end),
		TEST(a_filter_can_stop_it),
		TEST(finish_copies_what_is_left),
		TEST(finish_ends_the_last_line),
		TEST(finish_gives_up_on_a_stuck_reader),
		TEST(the_null_state_can_be_finished),
		TEST(lines_obey_nothing),
		TEST(no_line_begins_with_a_priority),
		TEST(lines_keep_characters_whole),
		TEST(lines_of_any_length),
		TEST(reopening_leaves_the_original_alone),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
