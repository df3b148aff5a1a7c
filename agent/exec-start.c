/* SPDX-License-Identifier: MIT */
#include "exec-start.h"

#include "cleanup.h"
#include "escape.h"
#include "exec-answer.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct store_record for_store(const struct exec_session *session, bool apart)
{
	struct store_record record = {
		.version = STORE_VERSION,
		.door = DOOR_EXEC,
		.flags = (session->tty ? STORE_TTY : 0) | (session->detached ? STORE_DETACHED : 0) |
			 (session->pam ? STORE_PAM : 0) | (apart ? STORE_STARTING : 0),
		.peer_uid = session->record.peer_uid,
		.peer_pid = session->record.peer_pid,
		.leader = session->record.leader,
		.id = session->record.id,
		.started = session->started,
	};

	(void)snprintf(record.program, sizeof(record.program), "%s", session->program);
	(void)snprintf(record.user, sizeof(record.user), "%s", session->user);
	return record;
}

/* From its first moment on it goes on without this agent. */
static int spawn_kept(
	struct exec_session *session, struct spawn_request *request, enum spawn_step *ret_step)
{
	struct store *store = &session->all->store;
	const struct store_record record = for_store(session, false);
	const int fds[] = { session->socket, -EBADF };
	struct spawn_first first = {};
	int r;

	session->slot = store_prepare(store, &record, fds, ARRAY_SIZE(fds));
	if (session->slot) {
		first = store_first(store, session->slot);
		request->first = &first;
	}
	r = spawn(&session->all->spawner, request, &session->record.leader, &session->pidfd,
		ret_step);
	request->first = NULL;
	if (r == 0 && session->slot && !first.sent)
		(void)store_send(store, &session->slot);
	return r;
}

static int spawn_apart_kept(struct exec_session *session, const struct spawn_request *request,
	enum spawn_step *ret_step)
{
	int r = spawn_apart(&session->all->spawner, request, &session->record.leader,
		&session->pidfd, &session->report, ret_step);

	if (r == 0) {
		const struct store_record record = for_store(session, true);
		const int fds[] = { session->socket, session->pidfd, session->report };

		session->slot = store_keep(&session->all->store, &record, fds, ARRAY_SIZE(fds));
	}
	return r;
}

int exec_start_spawn(
	struct exec_session *session, struct spawn_request *request, enum spawn_step *ret_step)
{
	return exec_request_is_slow(session->all->exec.request, request)
		       ? spawn_apart_kept(session, request, ret_step)
		       : spawn_kept(session, request, ret_step);
}

int exec_start_prepare(
	struct exec_session *session, const struct exec_packet *packet, struct spawn_request *ret)
{
	struct sessions *all = session->all;
	struct exec_request *request = all->exec.request;
	const struct exec_user *user;
	const char *program;
	int r;

	session->tty = request->flags & EXEC_TTY;
	session->detached = request->flags & EXEC_DETACH;
	r = exec_users_find(&all->exec.users, request->user, &user);
	if (r == -ESRCH) {
		exec_answer_failed(session->socket, session->program, EXEC_STEP_USER, 0, "");
		return r;
	}
	if (r < 0) {
		exec_answer_failed(session->socket, session->program, EXEC_STEP_OTHER, r,
			"cannot read /etc/passwd or /etc/group");
		return r;
	}
	if (r > 0)
		log_warning("cannot read /etc/passwd or /etc/group, root is served without: %s",
			strerror(r));
	(void)snprintf(session->user, sizeof(session->user), "%s", user->name);
	program = request->words[0] ? request->words[0] : user->shell;
	(void)escape_text(session->program, sizeof(session->program), program, strlen(program));
	r = exec_request_prepare(request, user, NULL, ret);
	if (r < 0) {
		exec_answer_failed(session->socket, session->program,
			r == -ENAMETOOLONG ? EXEC_STEP_PROGRAM : EXEC_STEP_RESOURCES, r, "");
		return r;
	}
	session->pam = request->pam;
	/* its user may open it by its name: /dev/tty is not enough for everybody */
	if (session->tty && fchown(packet->fds[0], user->uid, (gid_t)-1) < 0)
		log_debug("cannot give the terminal to uid %u", (unsigned int)user->uid);
	for (int i = 0; i < 3; i++)
		ret->stdio[i] = session->detached ? all->spawner.null_fd
						  : packet->fds[session->tty ? 0 : i];
	ret->cgroup_fd = all->exec.cgroup_fd;
	return 0;
}
