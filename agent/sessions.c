/* SPDX-License-Identifier: MIT */

/* All sessions: what they share, and how they pass from one agent to the next. */

#include "cleanup.h"
#include "client.h"
#include "log.h"
#include "session.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define SWEEP_INTERVAL_SEC 10
#define SESSION_NOFILE 1024 /* systemd's default, and what select(2) can do */
#define FLUSH_AFTER_USEC 50000
#define SHORT_USEC 1000000

/* Unless it is to come anyway. */
static void come(struct event *timer, const struct timeval *after)
{
	if (!event_pending(timer, EV_TIMEOUT, NULL))
		(void)event_add(timer, after);
}

void sessions_sweep_later(struct sessions *sessions)
{
	come(&sessions->sweep, &(struct timeval){ .tv_sec = SWEEP_INTERVAL_SEC });
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct sessions *sessions = arg;

	(void)fd;
	(void)what;
	if (!session_cgroups_sweep(&sessions->cgroups))
		sessions_sweep_later(sessions);
}

static void flush_later(struct sessions *sessions)
{
	come(&sessions->flush, &(struct timeval){ .tv_usec = FLUSH_AFTER_USEC });
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct sessions *sessions = arg;

	(void)fd;
	(void)what;
	if (!journal_flush(&sessions->journal))
		flush_later(sessions);
}

void sessions_journal_closed(struct sessions *sessions, const struct journal_session *session)
{
	if (session->duration_usec >= SHORT_USEC) {
		journal_session_closed(&sessions->journal, session);
		return;
	}
	journal_session_closed_later(&sessions->journal, session);
	flush_later(sessions);
}

int sessions_init(struct sessions *sessions, struct event_base *base, size_t max,
	size_t max_per_uid, const char *term)
{
	int r;

	*sessions = (struct sessions){
		.base = base,
		.refused = { .base = base },
		.spawner = SPAWNER_NULL,
		.hangups = HANGUPS_NULL,
		.cgroups = SESSION_CGROUPS_NULL,
		.table = SESSION_TABLE_NULL,
		.journal = JOURNAL_NULL,
		.limits = { .max = max, .max_per_uid = max_per_uid },
		.term = term,
		.exec = EXEC_SESSIONS_NULL,
	};
	if (event_assign(&sessions->sweep, base, -1, 0, on_sweep, sessions) < 0 ||
		event_assign(&sessions->flush, base, -1, 0, on_flush, sessions) < 0)
		return -ENOMEM;
	store_init(&sessions->store);
	r = spawner_init(&sessions->spawner);
	if (r < 0)
		return r;
	/* the unit's is for us: it has to be above what is kept, or no agent could start */
	if (sessions->store.systemd && sessions->spawner.nofile.rlim_cur > SESSION_NOFILE)
		sessions->spawner.nofile.rlim_cur = SESSION_NOFILE;
	r = hangups_init(&sessions->hangups, base);
	if (r < 0)
		return r;
	r = journal_open(&sessions->journal);
	if (r < 0)
		log_warning("cannot reach journald: %s", strerror(-r));
	r = session_cgroups_open(&sessions->cgroups);
	if (r < 0 && r != -ENOENT)
		log_warning(
			"cannot open the cgroup of sessions, they go without: %s", strerror(-r));
	if (sessions->cgroups.fd >= 0)
		(void)session_cgroups_sweep(&sessions->cgroups);
	r = session_table_open(&sessions->table, SESSION_RECORD_DIR);
	if (r < 0 && r != -ENOENT)
		log_warning("cannot tell the host which sessions there are: %s", strerror(-r));
	exec_sessions_init(sessions);
	return 0;
}

/* What nobody can go on with is hung up, with a word to its client. fds: the caller's. */
static void end_stranger(
	struct sessions *sessions, const struct store_record *record, int *fds, size_t n)
{
	const char *why = sessions->crashed ? "the agent has crashed again and again"
					    : "this agent can't go on with a session of another "
					      "version";

	log_warning("door %s: %s", door_get(record->door)->name, why);
	if (n > 1)
		(void)syscall(SYS_pidfd_send_signal, fds[1], SIGHUP, NULL, 0);
	if (record->door == DOOR_EXEC)
		exec_session_end_stranger(TAKE_FD(fds[0]), why);
	else
		client_refuse(&sessions->refused, TAKE_FD(fds[0]), "narthex: %s", why);
}

bool sessions_adopt(struct sessions *sessions, int fd, const char *name)
{
	int fds[STORE_FDS_MAX];
	struct store_record record;
	size_t n;
	struct store_slot *slot = store_take(&sessions->store, fd, name, &record, fds, &n);

	if (!slot)
		return false;
	if (n == 0 || record.door >= DOOR_MAX_) {
		store_release(&sessions->store, &slot);
	} else if (record.version != STORE_VERSION || sessions->crashed) {
		end_stranger(sessions, &record, fds, n);
		store_release(&sessions->store, &slot);
	} else if (record.door == DOOR_EXEC) {
		exec_session_adopt(sessions, slot, &record, fds, n);
	} else {
		session_adopt(sessions, slot, &record, fds, n);
	}
	while (n > 0)
		close_fdp(&fds[--n]); /* those that were not taken */
	return true;
}

void sessions_done(struct sessions *sessions, bool keep)
{
	struct session *session;

	while (!keep && (session = LIST_FIRST(&sessions->list)))
		session_stop(session);
	exec_sessions_done(sessions, keep);
	refused_clients_done(&sessions->refused);
	store_done(&sessions->store);
	if (sessions->base) {
		(void)event_del(&sessions->sweep);
		(void)event_del(&sessions->flush);
	}
	if (!keep && sessions->cgroups.fd >= 0)
		(void)session_cgroups_sweep(&sessions->cgroups);
	session_cgroups_close(&sessions->cgroups);
	session_table_close(&sessions->table);
	journal_close(&sessions->journal);
	hangups_done(&sessions->hangups);
	spawner_done(&sessions->spawner);
	limits_done(&sessions->limits);
}
