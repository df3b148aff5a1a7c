/* SPDX-License-Identifier: MIT */
#include "exec-session.h"

#include "cleanup.h"
#include "client.h"
#include "exec-answer.h"
#include "exec-start.h"
#include "exec-state.h"
#include "log.h"

#include <event2/event_struct.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Theory of operation
 *
 * WAITS for START; then the command is spawned and the session RUNS, or, when somebody could hold
 * the start up (spawn_apart()), is STARTING until the child has reported. The descriptors that came
 * with START are closed as soon as the child has them, so that the host sees the end of file when
 * the program's side is closed, and no byte of it comes through here. The session ends when its
 * leader does: EXITED, and the end of the connection. A client that goes away hangs the session up,
 * which goes on to that end without a socket.
 *
 * The journal, and the host's list of sessions, hear of one when it has run for a second, the
 * journal of its end, too: an entry costs journald more than a `true` costs us, and the second one
 * says all that the first does.
 *
 * All exec sessions share one cgroup: making and removing one costs 50 µs, a twelfth of a
 * `true`. Whom a session consists of is told by its session id.
 *
 * A socket that is closed with unread messages gives its peer ECONNRESET in place of our last
 * message, so what has come is thrown away first (client_finish()).
 */

#define START_DEADLINE_SEC 10
#define NOTE_AFTER_USEC UINT64_C(999999)
#define CGROUP_NAME "exec"

static void delete_event(struct event *event)
{
	if (event_initialized(event))
		(void)event_del(event);
}

static void session_free(struct exec_session *session)
{
	delete_event(&session->socket_event);
	leader_watch_stop(&session->leader);
	delete_event(&session->report_event);
	delete_event(&session->note_timer);
	store_release(&session->all->store, &session->slot);
	session_table_remove(&session->all->table, &session->place);
	close_fdp(&session->socket);
	close_fdp(&session->pidfd);
	close_fdp(&session->report);
	LIST_REMOVE(session, entry);
	free(session);
}

/* The last step. */
static void session_finish(struct exec_session *session)
{
	struct sessions *all = session->all;

	delete_event(&session->socket_event);
	if (session->socket >= 0)
		client_finish(TAKE_FD(session->socket));
	limits_release(&all->limits, session->record.peer_uid);
	session_free(session);
	if (all->changed)
		all->changed(all->arg);
}

/* --- what others are told ----------------------------------------------------------------------
 */

/* For the host to see. */
static void list(struct exec_session *session)
{
	session->place = session_table_add(
		&session->all->table, session->record.door->name, session->user, session->started);
}

static void on_note_timer(evutil_socket_t fd, short what, void *arg)
{
	struct exec_session *session = arg;

	(void)fd;
	(void)what;
	journal_session_opened(&session->all->journal, &session->record);
	list(session);
}

static void note_later(struct exec_session *session)
{
	uint64_t age = session_clock_usec() - session->started;
	uint64_t left = age < NOTE_AFTER_USEC ? NOTE_AFTER_USEC - age : 0;
	const struct timeval later = { .tv_usec = (suseconds_t)left };

	if (left == 0)
		list(session); /* an earlier agent has told the journal */
	else if (event_assign(&session->note_timer, session->all->base, -1, 0, on_note_timer,
			 session) < 0 ||
		 event_add(&session->note_timer, &later) < 0)
		on_note_timer(-1, 0, session);
}

/* --- ends ------------------------------------------------------------------------------------ */

static bool has_left(const struct exec_session *session)
{
	struct pollfd end = { .fd = session->socket, .events = POLLRDHUP };

	return session->socket < 0 ||
	       (poll(&end, 1, 0) > 0 && (end.revents & (POLLRDHUP | POLLHUP | POLLERR)));
}

static void hang_up(const struct exec_session *session)
{
	const struct sessions *all = session->all;
	/*
	 * A PAM session is where logind has put it. Anything may have a scope of its own
	 * (systemd-run --scope): nothing of a session whose client is gone is to stay, while the
	 * end of any other has to be quick.
	 */
	bool here = all->exec.cgroup_fd >= 0 && !session->pam && !has_left(session);

	session_cgroup_hang_up(&all->cgroups, here ? CGROUP_NAME : NULL, session->record.leader);
}

/* The command runs. */
static void set_started(struct exec_session *session)
{
	session->state = EXEC_STATE_RUNS;
	exec_answer_started(session->socket, session->record.leader);
	note_later(session);
	/* when its client went, it may have had no session yet (setsid(2)) that could be hung up */
	if (session->socket < 0 && !session->detached)
		hang_up(session);
}

/* No client any more: what runs is hung up, and goes on until it ends. */
static void drop_client(struct exec_session *session, bool hangs_up)
{
	if (session->state == EXEC_STATE_WAITS) {
		session_finish(session);
		return;
	}
	(void)event_del(&session->socket_event);
	client_finish(TAKE_FD(session->socket));
	if (hangs_up)
		hang_up(session);
}

static void malformed(struct exec_session *session, const char *why)
{
	log_warning("door exec: uid %u sent a malformed message: %s",
		(unsigned int)session->record.peer_uid, why);
	exec_answer_error(session->socket, why);
	drop_client(session, true);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct exec_session *session = arg;
	enum spawn_step step;
	int r = spawn_outcome(session->report, &step);

	(void)fd;
	(void)what;
	if (r == -EINPROGRESS)
		return;
	(void)event_del(&session->report_event);
	close_fdp(&session->report);
	if (r == 0) {
		set_started(session);
		return;
	}
	session->state = EXEC_STATE_FAILED;
	exec_answer_spawn_failed(session->socket, session->program, step, r);
}

static void on_leader_exit(void *arg)
{
	struct exec_session *session = arg;
	struct rusage usage;
	siginfo_t info;
	int r;

	if (session->state == EXEC_STATE_STARTING && session->report >= 0)
		on_report(session->report, EV_READ, session);
	/* it would have said why it hadn't */
	if (session->state == EXEC_STATE_STARTING)
		set_started(session);
	/*
	 * Before it is reaped: until then its number is the session's and nobody else's. Without a
	 * terminal what it left behind goes on, as with ssh(1) or nsenter(1).
	 */
	if (session->tty)
		hang_up(session);
	r = leader_reap(session->pidfd, &info, &usage);
	if (r == -EAGAIN) {
		leader_watch_again(&session->leader);
		return;
	}
	if (r < 0)
		(void)log_errno(
			r, "cannot reap the leader of session %016" PRIx64, session->record.id);
	if (session->state != EXEC_STATE_FAILED) {
		exec_answer_exited(session->socket, &info, &usage);
		session->record.status = leader_status(&info);
		session->record.duration_usec = session_clock_usec() - session->started;
		store_release(&session->all->store, &session->slot);
		sessions_journal_closed(session->all, &session->record);
	}
	session_finish(session);
}

/* --- START ----------------------------------------------------------------------------------- */

static int watch(struct exec_session *session)
{
	struct event_base *base = session->all->base;

	if (leader_watch_start(&session->leader, base, session->pidfd, on_leader_exit, session) < 0)
		return -ENOMEM;
	if (session->report >= 0 && (event_assign(&session->report_event, base, session->report,
					     EV_READ | EV_PERSIST, on_report, session) < 0 ||
					    event_add(&session->report_event, NULL) < 0))
		return -ENOMEM;
	return 0;
}

/* It came with stdin, stdout and stderr, or the terminal, or nothing when detached. */
static void take_start(struct exec_session *session, struct exec_packet *packet)
{
	struct exec_request *request = session->all->exec.request;
	struct spawn_request spawn_request;
	enum spawn_step step;
	int r;

	(void)event_remove_timer(&session->socket_event); /* its deadline */
	if (exec_start_prepare(session, packet, &spawn_request) < 0) {
		session_finish(session);
		return;
	}
	r = exec_start_spawn(session, &spawn_request, &step);
	exec_packet_close(packet);
	exec_request_done(request);
	if (r < 0) {
		exec_answer_spawn_failed(session->socket, session->program, step, r);
		session_finish(session);
		return;
	}
	session->state = EXEC_STATE_STARTING;
	r = watch(session);
	if (r < 0) {
		siginfo_t info;

		(void)syscall(SYS_pidfd_send_signal, session->pidfd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)session->pidfd, &info, WEXITED);
		exec_answer_failed(session->socket, session->program, EXEC_STEP_RESOURCES, r,
			"cannot watch it");
		session_finish(session);
		return;
	}
	if (session->report < 0)
		set_started(session);
}

/* --- SIGNAL ---------------------------------------------------------------------------------- */

/* The leader isn't reaped yet, so its number is its own. */
static void take_signal(const struct exec_session *session, int number)
{
	pid_t group = session->tty ? leader_foreground(session->record.leader) : -1;

	if (session->state == EXEC_STATE_RUNS)
		(void)kill(group > 0 ? -group : -session->record.leader, number);
}

/* --- receiving ------------------------------------------------------------------------------- */

static void take_packet(struct exec_session *session, struct exec_packet *packet)
{
	struct exec_request *request = session->all->exec.request;
	bool waits = session->state == EXEC_STATE_WAITS;
	const char *why;

	if (packet->cut)
		malformed(session, "more than fits");
	else if (exec_request_parse(request, (size_t)packet->len, &why) < 0)
		malformed(session, why);
	else if (waits && request->message.type != EXEC_START)
		malformed(session, "START has to come first");
	else if (!waits && request->message.type != EXEC_SIGNAL)
		malformed(session, "only SIGNAL can follow");
	else if (waits && packet->n_fds != exec_start_fds(request->flags))
		malformed(session, "a wrong number of descriptors");
	else if (waits)
		take_start(session, packet);
	else
		take_signal(session, (int)request->message.signal);
	if (!waits && session->socket >= 0)
		(void)recv(session->socket, NULL, 0, MSG_DONTWAIT); /* it is done */
}

static void receive_packet(struct exec_session *session)
{
	struct exec_packet packet = {};
	int r;

	/*
	 * Only START comes with descriptors: of what comes later none is taken, and it stays in the
	 * queue until it is done, so that it isn't lost with an agent that is killed.
	 */
	r = exec_packet_receive(session->socket, session->all->exec.request->buf,
		session->state == EXEC_STATE_WAITS, &packet);

	/* it is there still when the kernel has memory again */
	if (r == -EAGAIN || r == -EINTR || r == -ENOMEM || r == -ENOBUFS)
		return;
	if (r < 0 || (packet.len == 0 && has_left(session))) {
		drop_client(session, !session->detached);
		return;
	}
	take_packet(session, &packet);
	exec_packet_close(&packet);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct exec_session *session = arg;

	/* libevent tells of the deadline only, when START has come while we were held up */
	if ((what & EV_TIMEOUT) && !is_readable(fd))
		malformed(session, "no START in " STRINGIFY(START_DEADLINE_SEC) " s");
	else
		receive_packet(session);
}

/* --- sessions -------------------------------------------------------------------------------- */

static struct exec_session *session_new(struct sessions *all, const struct door *door, int fd)
{
	struct exec_session *session;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	/* one for all; a session that was taken over may be the first to need it, for a SIGNAL */
	if (!all->exec.request)
		all->exec.request = calloc(1, sizeof(*all->exec.request));
	session = all->exec.request ? calloc(1, sizeof(*session)) : NULL;
	if (!session)
		return NULL;
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	session->all = all;
	session->started = session_clock_usec();
	session->socket = fd;
	session->pidfd = session->report = session->place = -EBADF;
	session->record = (struct journal_session){
		.door = door,
		.id = session_new_id(),
		.peer_uid = peer.uid,
		.peer_pid = peer.pid,
		.program = session->program,
	};
	LIST_INSERT_HEAD(&all->exec.list, session, entry);
	return session;
}

static void refuse(struct exec_session *session, int r)
{
	const struct limits *limits = &session->all->limits;
	char text[128];

	if (r == -EUSERS)
		(void)snprintf(text, sizeof(text), "limit %zu", limits->max);
	else
		(void)snprintf(text, sizeof(text), "limit %zu of one user", limits->max_per_uid);
	if (r == -EUSERS || r == -EDQUOT)
		exec_answer_failed(session->socket, session->program, EXEC_STEP_LIMIT, 0, text);
	else
		exec_answer_failed(session->socket, session->program, EXEC_STEP_RESOURCES, r, "");
	client_finish(TAKE_FD(session->socket));
	session_free(session);
}

void exec_session_start(struct sessions *sessions, const struct door *door, int fd)
{
	static const struct timeval deadline = { .tv_sec = START_DEADLINE_SEC };
	struct exec_session *session;
	int r;

	session = session_new(sessions, door, fd);
	if (!session) {
		log_warning("door exec: cannot serve a client: %s", strerror(ENOMEM));
		(void)close(fd);
		return;
	}
	r = limits_take(&sessions->limits, session->record.peer_uid, false);
	if (r < 0) {
		refuse(session, r);
		return;
	}
	if (event_assign(&session->socket_event, sessions->base, fd, EV_READ | EV_PERSIST,
		    on_socket, session) < 0 ||
		event_add(&session->socket_event, &deadline) < 0) {
		exec_answer_failed(
			session->socket, session->program, EXEC_STEP_RESOURCES, -ENOMEM, "");
		session_finish(session);
		return;
	}
	if (sessions->changed)
		sessions->changed(sessions->arg);
	receive_packet(session); /* it often is there already */
}

/* A word to the client, and the end of its connection. */
static void say_error(struct exec_session *session, const char *why)
{
	exec_answer_error(session->socket, why);
	if (session->socket >= 0)
		client_finish(TAKE_FD(session->socket));
}

void exec_session_end_stranger(int fd, const char *why)
{
	exec_answer_error(fd, why);
	client_finish(fd);
}

/* Goes on where the last agent was: a message of its may be said twice, none is left out. */
static int resume(
	struct exec_session *session, const struct store_record *record, int *fds, size_t n)
{
	bool starting = record->flags & STORE_STARTING;
	int r;

	if (n != (starting ? 3 : 2))
		return -EBADMSG;
	session->pidfd = TAKE_FD(fds[1]);
	session->report = starting ? TAKE_FD(fds[2]) : -EBADF;
	session->state = EXEC_STATE_STARTING;
	if (event_assign(&session->socket_event, session->all->base, session->socket,
		    EV_READ | EV_PERSIST, on_socket, session) < 0 ||
		event_add(&session->socket_event, NULL) < 0)
		return -ENOMEM;
	r = watch(session);
	if (r >= 0 && !starting)
		set_started(session);
	return r;
}

void exec_session_adopt(struct sessions *sessions, struct store_slot *slot,
	const struct store_record *record, int *fds, size_t n)
{
	struct exec_session *session = session_new(sessions, door_get(DOOR_EXEC), fds[0]);
	int r;

	if (!session) { /* its descriptors are closed by the caller */
		store_release(&sessions->store, &slot);
		return;
	}
	fds[0] = -EBADF;
	session->slot = slot;
	session->started = record->started;
	session->record.id = record->id;
	session->record.peer_uid = record->peer_uid;
	session->record.peer_pid = record->peer_pid;
	session->record.leader = record->leader;
	session->tty = record->flags & STORE_TTY;
	session->detached = record->flags & STORE_DETACHED;
	session->pam = record->flags & STORE_PAM;
	(void)snprintf(session->program, sizeof(session->program), "%.*s",
		(int)sizeof(record->program) - 1, record->program);
	(void)snprintf(session->user, sizeof(session->user), "%.*s", (int)sizeof(record->user) - 1,
		record->user);
	r = limits_take(&sessions->limits, record->peer_uid, false);
	if (r < 0) {
		hang_up(session);
		refuse(session, r);
		return;
	}
	r = resume(session, record, fds, n);
	if (r < 0) {
		(void)log_errno(r, "cannot take over session %016" PRIx64, record->id);
		hang_up(session);
		say_error(session, "the agent can't go on with this session");
		session_finish(session);
		return;
	}
	if (sessions->changed)
		sessions->changed(sessions->arg);
}

void exec_sessions_init(struct sessions *sessions)
{
	int fd = -EBADF;

	if (sessions->cgroups.fd >= 0)
		fd = session_cgroup_share(&sessions->cgroups, CGROUP_NAME);
	if (sessions->cgroups.fd >= 0 && fd < 0)
		log_warning("cannot make a cgroup for the exec door: %s", strerror(-fd));
	sessions->exec.cgroup_fd = fd < 0 ? -EBADF : fd;
}

bool exec_sessions_wait(const struct sessions *sessions)
{
	for (const struct exec_session *s = LIST_FIRST(&sessions->exec.list); s;
		s = LIST_NEXT(s, entry))
		if (s->state == EXEC_STATE_WAITS)
			return true;
	return false;
}

void exec_sessions_done(struct sessions *sessions, bool keep)
{
	struct exec_session *session;

	while (!keep && (session = LIST_FIRST(&sessions->exec.list))) {
		if (session->pidfd >= 0 && !session->detached)
			hang_up(session);
		say_error(session, "the agent is stopped and ends this session");
		session_free(session);
	}
	close_fdp(&sessions->exec.cgroup_fd);
	if (!keep && sessions->cgroups.fd >= 0)
		(void)session_cgroup_remove(&sessions->cgroups, CGROUP_NAME);
	exec_users_done(&sessions->exec.users);
	free(TAKE_PTR(sessions->exec.request));
}
