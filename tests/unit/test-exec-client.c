/* SPDX-License-Identifier: MIT */

/*
 * The program narthex on one side, this test as the guest's agent on the other: a good one, and all
 * sorts of bad ones.
 */

#include "host-tools/client/exec-client.h"

#include "exec-message.h"
#include "host-tools/client/trust.h"
#include "scratch.h"
#include "syscalls.h"

#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HOME "/run/narthex/t"
#define DOOR HOME "/doors/exec.socket"

static int listener = -EBADF;
static size_t fds_before;

struct client {
	pid_t pid;
	int in, out, err; /* our ends of its stdio */
};

/* What the agent has of a session. */
struct session {
	int sock;
	int fds[8];
	size_t n_fds;
	char message[EXEC_MESSAGE_MAX];
	ssize_t len;
};

static struct session session = { .sock = -EBADF };

static void note_leader(void)
{
	_cleanup_close_ int dir = open(HOME, O_PATH | O_CLOEXEC);
	_cleanup_close_ int self = pidfd_open(getpid(), 0);
	struct trust trust = { .uid_count = UINT32_MAX };

	assert_int_equal(trust_note(&trust, getpid(), self), 0);
	assert_int_equal(trust_write(dir, &trust), 0);
}

static void listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
}

static int setup(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	(void)signal(SIGPIPE, SIG_IGN);
	return mkdir("/run/narthex", 0755) + mkdir(HOME, 0755) + mkdir(HOME "/doors", 0755);
}

static int begin(void **state)
{
	fds_before = count_fds();
	note_leader();
	listen_at(DOOR);
	return 0;
}

static int end(void **state)
{
	close_fdp(&listener);
	close_fdp(&session.sock);
	for (size_t i = 0; i < session.n_fds; i++)
		close_fdp(&session.fds[i]);
	session.n_fds = 0;
	return count_fds() == fds_before ? 0 : -1;
}

static struct client run(const char *const *args)
{
	const char *argv[16] = { "narthex" };
	_cleanup_free_ char *program = NULL;
	int in[2], out[2], err[2];
	struct client c;

	assert_true(asprintf(&program, "%s/narthex", getenv("NARTHEX_BUILD") ?: "build") > 0);
	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
		    pipe2(err, O_CLOEXEC) == 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		if (dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2)
			(void)execv(program, (char *const *)argv);
		_exit(99);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	(void)close(err[1]);
	c.in = in[1];
	c.out = out[0];
	c.err = err[0];
	return c;
}

static struct client run_true(void)
{
	return run((const char *[]){ "exec", "t", "--", "true", NULL });
}

/* Reads to the end of file. */
static void assert_reads(int fd, const char *wanted)
{
	char have[4096];
	size_t n = 0;
	ssize_t r;

	while (wait_readable(fd) && (r = read(fd, have + n, sizeof(have) - 1 - n)) > 0)
		n += (size_t)r;
	have[n] = '\0';
	if (!strstr(have, wanted) || (!*wanted && n > 0))
		fail_msg("got '%s', wanted '%s'", have, wanted);
}

/* Its status and what is in its stdout and stderr. */
static void assert_ends(struct client *c, int status, const char *out, const char *err)
{
	close_fdp(&c->in);
	assert_reads(c->out, out);
	assert_reads(c->err, err);
	assert_int_equal(wait_child(c->pid), status);
	close_fdp(&c->out);
	close_fdp(&c->err);
}

static void take_session(struct session *s)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(s->fds))];
	} control;
	struct iovec iov = { s->message, sizeof(s->message) };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	assert_true(wait_readable(listener));
	s->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s->sock >= 0);
	s->len = recvmsg(s->sock, &message, MSG_CMSG_CLOEXEC);
	assert_true(s->len > 0);
	s->n_fds = 0;
	if (message.msg_controllen > 0) {
		s->n_fds = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(s->fds, CMSG_DATA(&control.header), s->n_fds * sizeof(int));
	}
}

static void answer(struct exec_message m)
{
	char buf[EXEC_TEXT_MAX + 64];
	size_t n = exec_message_write(buf, &m);

	assert_int_equal(send(session.sock, buf, n, MSG_NOSIGNAL), n);
}

static void answer_started(void)
{
	answer((struct exec_message){ .type = EXEC_STARTED, .pid = 42 });
}

static void answer_exited(uint32_t how, uint32_t value)
{
	answer((struct exec_message){ .type = EXEC_EXITED, .exited = { how, value, 0, 0, 0 } });
}

static void test_a_command(void **state)
{
	struct client c = run((const char *[]){
		"exec", "t", "-u", "me", "--workdir=/tmp", "-e", "A=b", "--", "ls", "-l", NULL });
	struct exec_message m;
	const char *why, *cursor;
	char byte;

	take_session(&session);
	assert_int_equal(exec_message_parse(session.message, session.len, &m, &why), 0);
	assert_int_equal(m.start.flags, 0);
	assert_int_equal(m.start.argc, 2);
	assert_int_equal(m.start.envc, 1);
	assert_memory_equal(m.start.user.data, "me", 2);
	assert_memory_equal(m.start.directory.data, "/tmp", 4);
	cursor = m.start.strings;
	assert_memory_equal(exec_string_next(&cursor).data, "ls", 2);
	assert_memory_equal(exec_string_next(&cursor).data, "-l", 2);
	assert_memory_equal(exec_string_next(&cursor).data, "A=b", 3);
	assert_int_equal(session.n_fds, 3);
	answer_started();
	assert_int_equal(write(c.in, "x", 1), 1);
	assert_int_equal(read(session.fds[0], &byte, 1), 1);
	close_fdp(&c.in);
	assert_int_equal(read(session.fds[0], &byte, 1), 0); /* end of file comes through */
	assert_int_equal(write(session.fds[1], "out", 3), 3);
	assert_int_equal(write(session.fds[2], "err", 3), 3);
	answer_exited(EXEC_HOW_EXITED, 7);
	/* our ends stay open, as a background job would hold them */
	assert_ends(&c, 7, "out", "err");
}

/* The guest's ends are pipes of the client's own, never what its caller gave it. */
static void test_descriptors_are_fresh_pipes(void **state)
{
	struct client c = run_true();
	struct stat ours, st;

	take_session(&session);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fstat(session.fds[i], &st), 0);
		assert_true(S_ISFIFO(st.st_mode));
		for (size_t k = 0; k < 3; k++) {
			const int mine[] = { c.in, c.out, c.err };

			assert_int_equal(fstat(mine[k], &ours), 0);
			assert_true(st.st_ino != ours.st_ino);
		}
	}
	answer_started();
	answer_exited(EXEC_HOW_EXITED, 0);
	assert_ends(&c, 0, "", "");
}

/* A handle on whoever connected would lead into the host's namespaces. */
static void test_the_peer_is_dead(void **state)
{
	struct client c = run_true();
	int pidfd = -EBADF, r;
	socklen_t len = sizeof(pidfd);

	take_session(&session);
	r = getsockopt(session.sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len);
	if (r == 0) {
		assert_int_equal(pidfd_send_signal(pidfd, 0, NULL, 0), -1);
		assert_int_equal(errno, ESRCH);
		close_fdp(&pidfd);
	}
	answer_started();
	answer_exited(EXEC_HOW_EXITED, 0);
	assert_ends(&c, 0, "", "");
}

static void test_statuses(void **state)
{
	static const struct {
		uint32_t how, value;
		int status;
	} rows[] = {
		{ EXEC_HOW_EXITED, 0, 0 },
		{ EXEC_HOW_EXITED, 255, 255 },
		{ EXEC_HOW_KILLED, 9, 137 },
		{ EXEC_HOW_UNKNOWN, 0, 125 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c = run_true();

		take_session(&session);
		answer_started();
		answer_exited(rows[i].how, rows[i].value);
		assert_ends(&c, rows[i].status, "",
			rows[i].how == EXEC_HOW_UNKNOWN ? "doesn't know how" : "");
		end(state);
		begin(state);
	}
}

static void test_failures(void **state)
{
	static const struct {
		uint32_t step, error;
		int status;
		const char *text, *err;
	} rows[] = {
		{ EXEC_STEP_PROGRAM, ENOENT, 127, "", "cannot execute 'true': No such file" },
		{ EXEC_STEP_PROGRAM, EACCES, 126, "", "Permission denied" },
		{ EXEC_STEP_PROGRAM, ENOEXEC, 126, "", "Exec format" },
		{ EXEC_STEP_USER, 0, 125, "", "no such user" },
		{ EXEC_STEP_LIMIT, 0, 125, "64 are open", "too many sessions: 64 are open" },
		{ EXEC_STEP_OTHER, 0, 125, "\033[2Jgone\n", "\\x1b[2Jgone\\x0a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c = run_true();

		take_session(&session);
		answer((struct exec_message){ .type = EXEC_FAILED,
			.failed = { rows[i].step, rows[i].error,
				{ rows[i].text, (uint32_t)strlen(rows[i].text) } } });
		assert_ends(&c, rows[i].status, "", rows[i].err);
		end(state);
		begin(state);
	}
}

/* An agent with enough sessions answers and closes, whether START has come, is coming, or not. */
static void test_a_refusal_before_the_start(void **state)
{
	static const char text[] = "limit 64";

	for (int i = 0; i < 100; i++) {
		struct client c = run_true();
		bool early = i % 4 != 0;

		assert_true(wait_readable(listener));
		session.sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(session.sock >= 0);
		if (!early)
			assert_true(wait_readable(session.sock)); /* and not read */
		answer((struct exec_message){ .type = EXEC_FAILED,
			.failed = { EXEC_STEP_LIMIT, 0, { text, sizeof(text) - 1 } } });
		close_fdp(&session.sock);
		assert_ends(&c, 125, "", "narthex: too many sessions: limit 64\n");
	}
}

/* Bytes that an agent of another mind could send, before or after STARTED. */
static void test_bad_answers(void **state)
{
	static char big[8192];
	static const struct {
		const char *bytes;
		size_t len;
		bool started;
		const char *err;
	} rows[] = {
		{ "garbage", 7, false, "malformed: cut short" },
		{ "garbage garbage", 15, true, "malformed: another version" },
		{ "\2\201\0\0\14\0\0\0\1\0\0\0", 12, false, "malformed: another version" },
		{ "\1\201\0\0\14\0\0\0\1\0\0", 11, false, "malformed: a wrong length" },
		{ "\1\205\0\0\10\0\0\0", 8, false, "malformed: an unknown type" },
		{ big, sizeof(big), true, "malformed: too long" },
		{ "\1\2\0\0\14\0\0\0\1\0\0\0", 12, true, "out of turn" },
		{ "\1\204\0\0\17\0\0\0\3\0\0\0n\33o", 15, true, "ends the session: n\\x1bo" },
		{ "", 0, false, "closed the door without an answer" },
		{ "", 0, true, "lost the container" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client c = run_true();

		take_session(&session);
		if (rows[i].started)
			answer_started();
		if (rows[i].len > 0)
			assert_int_equal(
				send(session.sock, rows[i].bytes, rows[i].len, 0), rows[i].len);
		else
			close_fdp(&session.sock);
		assert_ends(&c, 125, "", rows[i].err);
		end(state);
		begin(state);
	}
}

static void test_an_end_before_the_start(void **state)
{
	struct client c = run_true();

	take_session(&session);
	answer_exited(EXEC_HOW_EXITED, 0);
	assert_ends(&c, 125, "", "out of turn");
}

static void test_descriptors_are_not_taken(void **state)
{
	struct client c = run_true();
	int fds[100];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(fds))];
	} control = {};
	struct iovec iov = { "\1\201\0\0\14\0\0\0\1\0\0\0", 12 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	char path[64];
	size_t before;

	take_session(&session);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", c.pid);
	before = count_entries(path);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = listener;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	/* refused from Linux 6.16 on, dropped before */
	if (sendmsg(session.sock, &message, MSG_NOSIGNAL) < 0)
		answer_started();
	assert_int_equal(write(session.fds[1], "x", 1), 1);
	assert_true(wait_readable(c.out));
	assert_true(count_entries(path) <= before);
	answer_exited(EXEC_HOW_EXITED, 3);
	assert_ends(&c, 3, "x", "");
}

static void test_silence(void **state)
{
	int64_t begun = clock_ms();
	struct client c = run_true();

	take_session(&session);
	assert_ends(&c, 125, "", "has not answered in 10 s");
	assert_true(clock_ms() - begun >= 9000);
}

static void test_signals(void **state)
{
	struct client c = run_true();
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

	take_session(&session);
	answer_started();
	assert_int_equal(write(session.fds[1], "x", 1), 1);
	assert_true(wait_readable(c.out)); /* it is in its loop, past STARTED */
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct exec_message m;
		const char *why;
		char buf[64];
		ssize_t n;

		assert_int_equal(kill(c.pid, numbers[i]), 0);
		assert_true(wait_readable(session.sock));
		n = recv(session.sock, buf, sizeof(buf), 0);
		assert_int_equal(exec_message_parse(buf, (size_t)n, &m, &why), 0);
		assert_int_equal(m.type, EXEC_SIGNAL);
		assert_int_equal(m.signal, numbers[i]);
	}
	answer_exited(EXEC_HOW_KILLED, SIGTERM);
	assert_ends(&c, 143, "x", "");
}

static void test_a_signal_before_the_start(void **state)
{
	struct client c = run_true();

	take_session(&session);
	assert_int_equal(kill(c.pid, SIGTERM), 0);
	assert_ends(&c, 143, "", "");
}

static void test_detach(void **state)
{
	struct client c = run((const char *[]){ "exec", "t", "--detach", "true", NULL });

	take_session(&session);
	assert_int_equal(session.n_fds, 0);
	answer_started();
	assert_ends(&c, 0, "", "");
}

/* Writes until the command's pipe and the caller's are both full. How much. */
static size_t fill_pipes(void)
{
	static char block[65536];
	size_t n = 0;
	ssize_t r;

	memset(block, 'z', sizeof(block));
	assert_int_equal(fcntl(session.fds[1], F_SETFL, O_NONBLOCK), 0);
	for (int64_t until = clock_ms() + 500; n <= sizeof(block) || clock_ms() < until;)
		if ((r = write(session.fds[1], block, sizeof(block))) > 0)
			n += (size_t)r;
	assert_true(n > sizeof(block));
	return n;
}

/* To the end of file. How much. */
static size_t read_all(int fd)
{
	static char block[65536];
	size_t n = 0;
	ssize_t r;

	while (wait_readable(fd) && (r = read(fd, block, sizeof(block))) > 0)
		n += (size_t)r;
	return n;
}

static void test_pipes_are_emptied(void **state)
{
	struct client c = run_true();
	size_t n;

	take_session(&session);
	answer_started();
	n = fill_pipes();
	answer_exited(EXEC_HOW_EXITED, 0);
	assert_int_equal(read_all(c.out), n);
	assert_ends(&c, 0, "", "");
}

/* Until the client has read all that was sent. */
static void wait_answers_read(void)
{
	int left = 1;

	for (int64_t until = clock_ms() + SCRATCH_DEADLINE_MS; left != 0;) {
		assert_true(clock_ms() < until);
		assert_int_equal(ioctl(session.sock, SIOCOUTQ, &left), 0);
		(void)poll(NULL, 0, 1);
	}
}

/* A command whose output is in two pipes that nobody reads has ended. How much it is. */
static size_t end_unread(void)
{
	size_t n;

	answer_started();
	n = fill_pipes();
	answer_exited(EXEC_HOW_EXITED, 0);
	wait_answers_read();
	return n;
}

/* Until the process has taken what it was sent, or is gone. */
static void wait_signals_taken(pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (int64_t until = clock_ms() + SCRATCH_DEADLINE_MS; clock_ms() < until;) {
		_cleanup_fclose_ FILE *f = fopen(path, "re");
		char text[8192];
		const char *pending;

		assert_non_null(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		pending = strstr(text, "ShdPnd:");
		assert_non_null(pending);
		if (strtoull(pending + strlen("ShdPnd:"), NULL, 16) == 0 ||
			strstr(text, "State:\tZ"))
			return;
		(void)poll(NULL, 0, 1);
	}
	fail_msg("a signal is still pending");
}

/* A reader of ours may be slow, and his window be resized meanwhile. */
static void test_signals_of_no_end_while_pipes_are_emptied(void **state)
{
	static const int numbers[] = { SIGWINCH, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct client c = run_true();
		size_t n;

		take_session(&session);
		n = end_unread();
		assert_int_equal(kill(c.pid, numbers[i]), 0);
		wait_signals_taken(c.pid);
		assert_int_equal(read_all(c.out), n);
		assert_ends(&c, 0, "", "");
		end(state);
		begin(state);
	}
}

/* What is cut short is no success. */
static void test_a_signal_ends_the_emptying_of_pipes(void **state)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct client c = run_true();

		take_session(&session);
		(void)end_unread();
		assert_int_equal(kill(c.pid, numbers[i]), 0);
		assert_int_equal(wait_child(c.pid), 128 + numbers[i]);
		close_fdp(&c.in);
		close_fdp(&c.out);
		close_fdp(&c.err);
		end(state);
		begin(state);
	}
}

static void refused(const char *err)
{
	struct client c = run_true();
	struct pollfd p = { .fd = listener, .events = POLLIN };

	assert_ends(&c, 125, "", err);
	assert_true(poll(&p, 1, 0) == 0);
}

static void test_doors_that_are_none(void **state)
{
	close_fdp(&listener);
	refused("nobody listens");
	assert_int_equal(unlink(DOOR), 0);
	refused("has no door 'exec'");
	listen_at(HOME "/other");
	assert_int_equal(symlink("../other", DOOR), 0);
	refused("is no socket");
	assert_int_equal(unlink(DOOR), 0);
	assert_int_equal(symlink("/nowhere", DOOR), 0);
	refused("is no socket");
	assert_int_equal(unlink(DOOR), 0);
	assert_int_equal(mkfifo(DOOR, 0600), 0);
	refused("is no socket");
	assert_int_equal(unlink(DOOR), 0);
	put_file(DOOR, "");
	refused("is no socket");
	assert_int_equal(unlink(HOME "/other"), 0);
}

static void test_containers_that_are_none(void **state)
{
	struct client c = run((const char *[]){ "exec", "nobody", "true", NULL });

	assert_ends(&c, 125, "", "there is no container 'nobody'");
	c = run((const char *[]){ "exec", "../t", "true", NULL });
	assert_ends(&c, 125, "", "not the name of a container");
	assert_int_equal(unlink(HOME "/" TRUST_FILE), 0);
	c = run_true();
	assert_ends(&c, 125, "", "there is no container 't'");
}

/* Somebody else listens: another process namespace, or another user. */
static void test_strangers(void **state)
{
	_cleanup_close_ int dir = open(HOME, O_PATH | O_CLOEXEC);
	struct trust trust = { .leader = 1, .uid_base = 1, .uid_count = 65536, .leader_inode = 1 };
	struct client c;
	pid_t other;

	assert_int_equal(trust_write(dir, &trust), 0);
	c = run_true();
	assert_ends(&c, 125, "", "not one of the container's users");

	other = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
	assert_true(other >= 0);
	if (other == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)pause();
		_exit(0);
	}
	trust = (struct trust){ .leader = other, .uid_count = UINT32_MAX, .leader_inode = 1 };
	assert_int_equal(trust_write(dir, &trust), 0);
	c = run_true();
	assert_ends(&c, 125, "", "not in the container");
	assert_int_equal(kill(other, SIGKILL), 0);
	(void)wait_child(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_command),
		TEST(test_descriptors_are_fresh_pipes),
		TEST(test_the_peer_is_dead),
		TEST(test_statuses),
		TEST(test_failures),
		TEST(test_a_refusal_before_the_start),
		TEST(test_bad_answers),
		TEST(test_an_end_before_the_start),
		TEST(test_descriptors_are_not_taken),
		TEST(test_silence),
		TEST(test_signals),
		TEST(test_a_signal_before_the_start),
		TEST(test_detach),
		TEST(test_pipes_are_emptied),
		TEST(test_signals_of_no_end_while_pipes_are_emptied),
		TEST(test_a_signal_ends_the_emptying_of_pipes),
		TEST(test_doors_that_are_none),
		TEST(test_containers_that_are_none),
		TEST(test_strangers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
