/* SPDX-License-Identifier: MIT */

/* From an accepted connection at a raw door to a program that runs, and is kept. */

#include "cleanup.h"
#include "client.h"
#include "command.h"
#include "log.h"
#include "pty.h"
#include "session-state.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int open_cgroup(struct session *session)
{
	char name[SESSION_CGROUP_NAME_SIZE];
	int fd;

	if (session->all->cgroups.fd < 0)
		return -EBADF;
	session_cgroup_name(session, name);
	fd = session_cgroup_create(&session->all->cgroups, name);
	if (fd >= 0)
		session->record.flags |= STORE_CGROUP;
	return fd;
}

/* Runs the command on its terminal, or on the socket. From its first moment on it is kept. */
static int spawn_command(
	struct session *session, const struct command *command, const char **ret_step)
{
	_cleanup_close_ int cgroup_fd = open_cgroup(session);
	int stdio = session->slave >= 0 ? session->slave : session->socket;
	struct store *store = &session->all->store;
	int fds[STORE_FDS_MAX];
	size_t n = session_to_keep(session, fds);
	struct spawn_first first = {};
	enum spawn_step step;
	pid_t leader = 0;
	int r;

	session->slot = store_prepare(store, &session->record, fds, n);
	if (session->slot)
		first = store_first(store, session->slot);
	const struct spawn_request request = {
		.path = command->path,
		.argv = command->argv,
		.envp = command->environment,
		.cwd = command->cwd,
		.stdio = { stdio, stdio, stdio },
		.tty = session->slave >= 0,
		.cgroup_fd = cgroup_fd,
		.first = session->slot ? &first : NULL,
	};
	r = spawn(&session->all->spawner, &request, &leader, &session->pidfd, &step);
	session->record.leader = leader;
	if (r < 0)
		*ret_step = spawn_step_text(step);
	else if (session->slot && !first.sent)
		(void)store_send(store, &session->slot);
	return r;
}

static int open_terminal(struct session *session)
{
	int flags, r;

	r = pty_open(&session->master, &session->slave);
	if (r == 0)
		r = pty_name(session->master, session->terminal);
	if (r < 0)
		return r;
	/* this description is the agent's alone, unlike that of a root shell */
	flags = fcntl(session->socket, F_GETFL);
	if (flags < 0 || fcntl(session->socket, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return relay_start(&session->relay, session->all->base, session->socket, session->master,
		session->slave);
}

/* 0 or -errno; *ret_step says what failed. */
static int session_run(struct session *session, const char **ret_step)
{
	const struct door *door = door_get(session->record.door);
	struct command command = {};
	int r;

	if (door->pty) {
		*ret_step = "cannot open a terminal";
		r = open_terminal(session);
		if (r < 0)
			return r;
	}
	*ret_step = "cannot find its program";
	r = command_find(door, session->all->term, session->terminal, &command);
	if (r < 0)
		return r;
	if (command.unread < 0)
		log_warning("cannot read /etc/passwd (%s), using %s for root",
			strerror(-command.unread), command.path);
	if (command.fallback)
		log_warning("root's shell is missing or not executable, using %s", command.path);
	(void)snprintf(
		session->record.program, sizeof(session->record.program), "%s", command.program);
	r = spawn_command(session, &command, ret_step);
	command_done(&command);
	if (r < 0)
		return r;
	*ret_step = "cannot watch it";
	r = session_watch(session);
	if (r < 0) {
		siginfo_t info;

		(void)syscall(SYS_pidfd_send_signal, session->pidfd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)session->pidfd, &info, WEXITED);
	}
	return r;
}

/* A place among the limits, or a line to the client. 0 or -errno. */
static int take_place(struct session *session)
{
	struct limits *limits = &session->all->limits;
	bool anybody = session->record.door == DOOR_LOGIN;
	int r = limits_take(limits, session->record.peer_uid, anybody);

	if (r == -EUSERS)
		client_refuse(&session->all->refused, TAKE_FD(session->socket),
			"narthex: too many sessions (limit %zu)",
			limits_share(limits->max, anybody));
	else if (r == -EDQUOT)
		client_refuse(&session->all->refused, TAKE_FD(session->socket),
			"narthex: too many sessions of one user (limit %zu)",
			limits_share(limits->max_per_uid, anybody));
	else if (r < 0)
		client_refuse(&session->all->refused, TAKE_FD(session->socket), "narthex: %s",
			strerror(-r));
	if (r < 0)
		log_warning("door %s: refused uid %u: too many sessions",
			door_get(session->record.door)->name,
			(unsigned int)session->record.peer_uid);
	return r;
}

void session_start(struct sessions *sessions, const struct door *door, int fd)
{
	struct session *session;
	const char *step;
	int r;

	if (door->kind == DOOR_EXEC) {
		exec_session_start(sessions, door, fd);
		return;
	}
	session = session_new(sessions, door, fd);
	if (!session) {
		client_refuse(&sessions->refused, fd, "narthex: %s", strerror(ENOMEM));
		return;
	}
	if (take_place(session) < 0) {
		session_free(session);
		return;
	}
	r = session_run(session, &step);
	if (r < 0) {
		(void)log_errno(r, "door %s: %s: %s", door->name,
			session->record.program[0] ? session->record.program : "session", step);
		relay_stop(&session->relay);
		client_refuse(&session->all->refused, TAKE_FD(session->socket), "narthex: %s: %s",
			step, strerror(-r));
		session_remove_cgroup(session);
		limits_release(&sessions->limits, session->record.peer_uid);
		session_free(session);
		return;
	}
	session_publish(session);
	struct journal_session entry = session_for_journal(session);

	journal_session_opened(&sessions->journal, &entry);
}
