/* SPDX-License-Identifier: MIT */
#include "session-state.h"

#include "cleanup.h"
#include "client.h"
#include "leader.h"
#include "log.h"
#include "pty.h"
#include "relay.h"
#include "utmp.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

/*
 * Theory of operation
 *
 * A session ends when its leader does, nothing else: the leader's pidfd becomes readable, what it
 * left behind in its session is hung up, it is reaped, what it wrote is delivered, the socket is
 * closed. A client that goes away only starts this by a SIGHUP to the session.
 *
 * At the root-shell door the socket itself is the shell's stdio; the agent keeps a descriptor of it
 * to end the connection when the shell is gone though a background job still holds it. The
 * description is shared with the shell, so O_NONBLOCK is never set on it. At the doors with a pty
 * the socket is the agent's, and relay.c carries the bytes.
 *
 * A client that is gone may have left commands behind, so the hangup waits: until the session is
 * HANGUP_GRACE old, and while there is input that nobody has read, for INPUT_GRACE at most. One
 * that ended its input before it left (`echo reboot | socat …` leaves half a second later) wants
 * its last command done, and some take their time (busybox' reboot syncs first): it has
 * ENDED_GRACE.
 *
 * struct store_record is what can't be learnt from the descriptors. Together with socket, pidfd,
 * terminal and the relay's pipes it is the whole of a session, kept outside (store.h) from the
 * moment its leader runs: the next agent goes on with it (session_adopt()).
 */

#define HANGUP_GRACE_USEC UINT64_C(1000000)
#define ENDED_GRACE_USEC UINT64_C(15000000)
#define INPUT_GRACE_USEC UINT64_C(5000000)
#define INPUT_POLL_USEC UINT64_C(100000)
uint64_t session_clock_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t session_new_id(void)
{
	uint64_t id;

	/* unique is enough, and early in the boot there is nothing better: never wait for entropy
	 */
	if (getrandom(&id, sizeof(id), GRND_INSECURE) < 0)
		id = session_clock_usec();
	return id;
}

void session_cgroup_name(const struct session *session, char name[SESSION_CGROUP_NAME_SIZE])
{
	(void)snprintf(name, SESSION_CGROUP_NAME_SIZE, "session-%016" PRIx64, session->record.id);
}

static bool has_cgroup(const struct session *session)
{
	return session->record.flags & STORE_CGROUP;
}

/* A half-close doesn't count. */
static bool client_is_gone(const struct session *session)
{
	struct pollfd end = { .fd = session->socket };

	return poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR));
}

/*
 * Whether its cgroup is where its processes are looked for. Not those of a login, which logind
 * moves into a scope of its own. Anybody else may have such a scope, too (systemd-run --scope):
 * nothing of a session whose client is gone is to stay, while the end of any other has to be quick.
 */
static bool is_in_cgroup(const struct session *session)
{
	return has_cgroup(session) && session->record.door != DOOR_LOGIN &&
	       !client_is_gone(session);
}

static void hang_up(const struct session *session)
{
	char name[SESSION_CGROUP_NAME_SIZE];

	session_cgroup_name(session, name);
	session_cgroup_hang_up(&session->all->cgroups, is_in_cgroup(session) ? name : NULL,
		session->record.leader);
}

/*
 * Hangs up what the leader left behind. It is a zombie still, and a cgroup with nothing but zombies
 * can be removed: the usual case, and a quick one.
 */
static void hang_up_leftovers(struct session *session)
{
	char name[SESSION_CGROUP_NAME_SIZE];

	session_cgroup_name(session, name);
	if (is_in_cgroup(session) && session_cgroup_remove(&session->all->cgroups, name))
		session->record.flags &= (uint16_t)~STORE_CGROUP;
	else
		hang_up(session);
}

static void close_terminal(struct session *session)
{
	relay_stop(&session->relay);
	close_fdp(&session->slave);
	close_fdp(&session->master);
}

void session_free(struct session *session)
{
	leader_watch_stop(&session->leader);
	if (event_initialized(&session->hangup_timer))
		(void)event_del(&session->hangup_timer);
	store_release(&session->all->store, &session->slot);
	hangup_stop(&session->all->hangups, &session->watch);
	session_table_remove(&session->all->table, &session->place);
	close_terminal(session);
	close_fdp(&session->socket);
	close_fdp(&session->pidfd);
	free(session);
}

struct journal_session session_for_journal(const struct session *session)
{
	return (struct journal_session){
		.door = door_get(session->record.door),
		.id = session->record.id,
		.peer_uid = session->record.peer_uid,
		.peer_pid = session->record.peer_pid,
		.leader = session->record.leader,
		.program = session->record.program,
		.status = session->status,
		.duration_usec = session_clock_usec() - session->record.started,
	};
}

void session_remove_cgroup(struct session *session)
{
	char name[SESSION_CGROUP_NAME_SIZE];

	if (!has_cgroup(session))
		return;
	session_cgroup_name(session, name);
	if (!session_cgroup_remove(&session->all->cgroups, name))
		sessions_sweep_later(session->all);
}

/* The last step. */
static void session_finish(void *arg)
{
	struct session *session = arg;
	struct sessions *all = session->all;
	struct journal_session entry = session_for_journal(session);

	if (session->record.door == DOOR_LOGIN)
		(void)utmp_logout(NULL, session->terminal);
	close_terminal(session);
	hangup_stop(&all->hangups, &session->watch);
	client_finish(TAKE_FD(session->socket));
	store_release(&all->store, &session->slot);
	session_remove_cgroup(session);
	journal_session_closed(&all->journal, &entry);
	limits_release(&all->limits, session->record.peer_uid);
	LIST_REMOVE(session, entry);
	session_free(session);
	if (all->changed)
		all->changed(all->arg);
}

static void on_leader_exit(void *arg)
{
	struct session *session = arg;
	struct rusage usage;
	siginfo_t info;
	int r;

	/* before it is reaped: until then its number is the session's and nobody else's */
	hang_up_leftovers(session);
	r = leader_reap(session->pidfd, &info, &usage);
	if (r == -EAGAIN) {
		leader_watch_again(&session->leader);
		return;
	}
	if (r < 0 || info.si_pid == 0)
		(void)log_errno(r < 0 ? r : -ECHILD,
			"cannot tell how the leader of session %016" PRIx64 " ended",
			session->record.id);
	session->status = leader_status(&info);
	session->exited = true;
	leader_watch_stop(&session->leader);
	(void)event_del(&session->hangup_timer);
	close_fdp(&session->slave);
	if (session->master >= 0)
		relay_drain(&session->relay, session_finish, session);
	else
		session_finish(session);
}

/* The descriptors to keep, of which the second is the pidfd. */
size_t session_to_keep(const struct session *session, int fds[STORE_FDS_MAX])
{
	size_t n = 0;

	fds[n++] = session->socket;
	fds[n++] = session->pidfd;
	if (session->master >= 0) {
		fds[n++] = session->master;
		fds[n++] = session->slave;
		n += relay_pipes(&session->relay, fds + n);
	}
	return n;
}

/* From now on it goes on without this agent. */
static void keep(struct session *session)
{
	int fds[STORE_FDS_MAX];
	size_t n = session_to_keep(session, fds);

	session->slot = store_keep(&session->all->store, &session->record, fds, n);
}

static bool has_input(const struct session *session)
{
	int unread = 0;

	if (session->master >= 0)
		return relay_has_input(&session->relay);
	return ioctl(session->socket, FIONREAD, &unread) == 0 && unread > 0;
}

static void set_hangup_timer(struct session *session, uint64_t after_usec)
{
	struct timeval after = {
		.tv_sec = (time_t)(after_usec / 1000000),
		.tv_usec = (suseconds_t)(after_usec % 1000000),
	};

	(void)event_add(&session->hangup_timer, &after);
}

static void on_hangup_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	if (has_input(session) && session_clock_usec() < session->gone + INPUT_GRACE_USEC) {
		set_hangup_timer(session, INPUT_POLL_USEC);
		return;
	}
	hang_up(session);
	/* nor may the store hold the terminal: its end is a hangup to whoever is left on it */
	store_release(&session->all->store, &session->slot);
	close_terminal(session);
	keep(session);
}

static void on_client_gone(void *arg)
{
	struct session *session = arg;
	uint64_t now = session_clock_usec(), earliest = session->record.started + HANGUP_GRACE_USEC;

	if (session->exited)
		return; /* what is left to deliver finds nobody and ends */
	if (session->watch.ended)
		earliest = now + ENDED_GRACE_USEC;
	session->gone = now;
	set_hangup_timer(session, earliest > now ? earliest - now : 0);
}

/* Whose connection it is, as the guest's kernel sees it: a client on the host is pid 0 here. */
static void read_peer(struct session *session)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	(void)getsockopt(session->socket, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	session->record.peer_uid = peer.uid;
	session->record.peer_pid = peer.pid;
}

int session_watch(struct session *session)
{
	struct event_base *base = session->all->base;

	if (event_assign(&session->hangup_timer, base, -1, 0, on_hangup_timer, session) < 0 ||
		leader_watch_start(
			&session->leader, base, session->pidfd, on_leader_exit, session) < 0)
		return -ENOMEM;
	return hangup_start(
		&session->all->hangups, &session->watch, session->socket, on_client_gone, session);
}

struct session *session_new(struct sessions *all, const struct door *door, int fd)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	*session = (struct session){
		.all = all,
		.record = {
			.version = STORE_VERSION,
			.door = (uint8_t)door->kind,
			.started = session_clock_usec(),
		},
		.socket = fd,
		.master = -EBADF,
		.slave = -EBADF,
		.pidfd = -EBADF,
		.place = -EBADF,
		.relay = RELAY_NULL,
		.watch = HANGUP_WATCH_NULL,
	};
	session->record.id = session_new_id();
	read_peer(session);
	return session;
}

void session_publish(struct session *session)
{
	struct sessions *all = session->all;
	const struct door *door = door_get(session->record.door);

	LIST_INSERT_HEAD(&all->list, session, entry);
	/* who it is at the login door is asked for inside */
	session->place = session_table_add(&all->table, door->name,
		door->kind == DOOR_LOGIN ? "" : "root", session->record.started);
	if (all->changed)
		all->changed(all->arg);
}

/* --- over the end of an agent ------------------------------------------------------------------
 */

/* The terminal and its pipes, unless it was hung up. 0 or -errno. */
static int adopt_terminal(struct session *session, int *fds, size_t n)
{
	int r;

	if (n == 0)
		return 0;
	if (n != 2 + RELAY_PIPES || !door_get(session->record.door)->pty)
		return -EBADMSG;
	session->master = TAKE_FD(fds[0]);
	session->slave = TAKE_FD(fds[1]);
	r = pty_name(session->master, session->terminal);
	if (r < 0)
		return r;
	return relay_resume(&session->relay, session->all->base, session->socket, session->master,
		session->slave, fds + 2);
}

void session_adopt(struct sessions *sessions, struct store_slot *slot,
	const struct store_record *record, int *fds, size_t n)
{
	struct session *session = session_new(sessions, door_get(record->door), fds[0]);
	int r;

	if (!session) { /* its descriptors are closed by the caller */
		store_release(&sessions->store, &slot);
		return;
	}
	fds[0] = -EBADF;
	session->slot = slot;
	session->record = *record;
	session->record.program[sizeof(record->program) - 1] = '\0';
	r = limits_take(&sessions->limits, record->peer_uid, record->door == DOOR_LOGIN);
	if (r < 0) {
		hang_up(session);
		client_refuse(&session->all->refused, TAKE_FD(session->socket),
			"narthex: too many sessions");
		session_free(session);
		return;
	}
	session->pidfd = n < 2 ? -EBADF : TAKE_FD(fds[1]);
	r = n < 2 ? -EBADMSG : adopt_terminal(session, fds + 2, n - 2);
	if (r >= 0)
		r = session_watch(session);
	if (r >= 0) {
		session_publish(session);
		return;
	}
	(void)log_errno(r, "cannot take over session %016" PRIx64, record->id);
	hang_up(session);
	relay_stop(&session->relay);
	client_refuse(&session->all->refused, TAKE_FD(session->socket),
		"narthex: cannot take the session over: %s", strerror(-r));
	limits_release(&sessions->limits, record->peer_uid);
	session_free(session);
}

void session_stop(struct session *session)
{
	static const char text[] = "narthex: the agent is stopped and ends this session";

	if (!session->exited)
		hang_up(session);
	LIST_REMOVE(session, entry);
	relay_stop(&session->relay);
	if (session->socket >= 0)
		client_refuse(NULL, TAKE_FD(session->socket), "%s%s", session->exited ? "" : "\r\n",
			text);
	session_free(session);
}
