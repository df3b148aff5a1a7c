/* SPDX-License-Identifier: MIT */

/*
 * narthex-keep: begins a session in a container and keeps it, whoever comes and goes. Started by
 * narthex shell --keep (kept-client.c) as "narthex-keep NAME [USER]", with a connection to it as
 * descriptor 3. What keeps the session from beginning is said on standard error, which is the
 * caller's until then, and by the exit status.
 */

#include "../client/door-client.h"
#include "../client/exec-answers.h"
#include "../client/exec-client.h"
#include "../kept.h"
#include "../launcher-status.h"
#include "../name.h"
#include "../verbs.h"
#include "cleanup.h"
#include "clock.h"
#include "exec-message.h"
#include "fd.h"
#include "keeper.h"
#include "log.h"
#include "place.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>

#define CLIENT_FD 3

/* Nothing of the caller's: he may go, and what he has open is not ours to hold. Logs. */
static int leave_caller(void)
{
	if (close_range(CLIENT_FD + 1, ~0U, 0) < 0 || fcntl(CLIENT_FD, F_SETFD, FD_CLOEXEC) < 0 ||
		setsid() < 0 || chdir("/") < 0)
		return log_errno(-errno, "cannot start a keeper");
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* Logs. */
static int find_launcher(const char *name, struct keeper *keeper)
{
	struct launcher_status status = LAUNCHER_STATUS_NULL;
	int r = launcher_ask(name, &status);

	if (r < 0)
		return log_errno(r, "cannot ask the launcher of container '%s'", name);
	keeper->launcher = TAKE_FD(status.launcher_fd);
	if (keeper->launcher < 0)
		keeper->launcher = pidfd_open(status.launcher, 0);
	if (keeper->launcher < 0)
		return log_errno(-errno, "cannot watch the launcher of container '%s'", name);
	r = place_join(status.launcher);
	if (r < 0)
		log_warning("the session may end with this login: cannot join the cgroup of "
			    "container '%s': %s",
			name, strerror(-r));
	return 0;
}

/* The terminal, with the size of the caller's. Logs. */
static int open_terminal(const struct door_place *place, struct keeper *keeper)
{
	struct kept_packet packet;
	struct winsize size = {};
	int fds[2], r;

	if (kept_receive(CLIENT_FD, &packet, 0) < 0 || packet.header.type != KEPT_ATTACH)
		return log_errno(-EPROTO, "narthex-keep is for 'narthex shell --keep'");
	r = door_terminal(place, keeper->sock, fds);
	if (r < 0)
		return r;
	keeper->master = fds[0];
	keeper->slave = fds[1];
	keeper->size = packet.size;
	size.ws_row = packet.size.rows;
	size.ws_col = packet.size.columns;
	(void)ioctl(keeper->master, TIOCSWINSZ, &size);
	(void)fcntl(keeper->master, F_SETFL, O_RDWR | O_NONBLOCK);
	return 0;
}

/* Sends what is to be run. Logs. */
static int send_start(struct keeper *keeper, const char *user)
{
	static char buf[EXEC_MESSAGE_MAX];
	const char *term = getenv("TERM");
	char variable[128], *none[] = { NULL }, *env[] = { variable, NULL };
	uint32_t flags = EXEC_TTY | EXEC_LOGIN | (user ? EXEC_PAM : 0);
	ssize_t n;
	int r;

	(void)snprintf(variable, sizeof(variable), "TERM=%s", term && *term ? term : "linux");
	n = exec_message_start(buf, sizeof(buf), flags, user, NULL, none, env);
	r = n < 0 ? (int)n : fd_send_message(keeper->sock, buf, (size_t)n, &keeper->slave, 1, 0);
	/* an agent that refuses everybody may be gone again: what it said can still be read */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return log_errno(r, "cannot send the command to the container");
	return 0;
}

/* Until it runs: 0, or the status to exit with. Logs. */
static int await_start(const struct keeper *keeper, const char *user)
{
	char *none[] = { NULL };
	const struct exec_request request = { .user = user, .argv = none };
	struct exec_answers answers = { .request = &request, .status = -1 };
	int64_t deadline = clock_ms() + DOOR_DEADLINE_MS, left;

	while (!answers.started && answers.status < 0) {
		struct pollfd fd = { .fd = keeper->sock, .events = POLLIN };
		char buf[EXEC_ANSWER_MAX];
		ssize_t n;

		left = deadline - clock_ms();
		if (left <= 0 || poll(&fd, 1, (int)left) == 0) {
			log_error(
				"the container has not answered in %d s", DOOR_DEADLINE_MS / 1000);
			return STATUS_FAILED;
		}
		/* no control buffer: a descriptor of the guest's is never taken */
		n = recv(keeper->sock, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno == ECONNRESET)
			n = recv(keeper->sock, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0) {
			log_error("the container has closed the door without an answer");
			return STATUS_FAILED;
		}
		exec_answers_take(&answers, buf, (size_t)n);
	}
	return answers.started ? 0 : answers.status;
}

static int listen_for_clients(const char *name, struct keeper *keeper, int *ret_dir)
{
	keeper->listening = kept_listen(name, &keeper->state.id, ret_dir);
	if (keeper->listening == -EUSERS)
		log_error("container '%s' has %d kept sessions already", name, KEPT_MAX);
	else if (keeper->listening == -ENOENT)
		log_error("container '%s' was started by an older narthex: restart it", name);
	else if (keeper->listening < 0)
		log_errno(keeper->listening, "cannot keep a session of container '%s'", name);
	return keeper->listening < 0 ? -1 : 0;
}

/* From here on nobody reads what we write but clients. Logs. 0 or -errno. */
static int retire(int dir, struct keeper *keeper)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct timespec now;
	int r = null < 0 ? -errno : place_confine(dir);

	(void)clock_gettime(CLOCK_REALTIME, &now);
	keeper->state.since_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	keeper->state.status = -1;
	keeper->state.attached = true;
	if (r >= 0)
		r = kept_send(
			CLIENT_FD, KEPT_STATE, &keeper->state, sizeof(keeper->state), MSG_DONTWAIT);
	if (r < 0)
		return log_errno(r, "cannot keep the session");
	(void)dup2(null, STDERR_FILENO);
	return 0;
}

/* Owns nothing: the end of the process closes all. */
static int keep(const char *name, const char *user, struct keeper *keeper)
{
	const struct door_place place = { .name = name };
	char file[16];
	int dir, status;

	keeper->sock = door_connect(&place, "exec", SOCK_SEQPACKET);
	if (keeper->sock < 0 || find_launcher(name, keeper) < 0 ||
		open_terminal(&place, keeper) < 0 || listen_for_clients(name, keeper, &dir) < 0)
		return STATUS_FAILED;
	(void)snprintf(keeper->state.user, sizeof(keeper->state.user), "%s", user ?: "root");
	(void)snprintf(file, sizeof(file), "%u", keeper->state.id);
	status = send_start(keeper, user) < 0 ? STATUS_FAILED : await_start(keeper, user);
	if (status == 0 && retire(dir, keeper) < 0)
		status = STATUS_FAILED;
	if (status == 0 && keeper_run(keeper) < 0)
		status = STATUS_FAILED;
	(void)unlinkat(dir, file, 0);
	return status;
}

int main(int argc, char **argv)
{
	struct keeper keeper = { .client = CLIENT_FD };
	const char *why;

	log_init("narthex");
	if (argc < 2 || argc > 3 || !name_is_valid(argv[1], &why) || exec_hold_stdio() < 0) {
		log_error("narthex-keep is for 'narthex shell --keep'");
		return STATUS_USAGE;
	}
	if (leave_caller() < 0)
		return STATUS_FAILED;
	return keep(argv[1], argc > 2 ? argv[2] : NULL, &keeper);
}
