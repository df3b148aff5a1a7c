/* SPDX-License-Identifier: MIT */

/*
 * What lies in a door's directory is the guest's, so the socket is opened below it without
 * following anything, looked at, and connected to by its descriptor: no exchange in between can
 * lead elsewhere.
 *
 * The connecting process is not this one. A listener gets a handle on whoever connected
 * (SO_PEERPIDFD); through it the root of a guest without a user namespace could enter the host's
 * namespaces. So a child that shares our memory and descriptors connects, and is dead and reaped
 * before the first byte: its handle is worth nothing. In the moment before that a user namespace
 * protects it; where there may be none, one that is dead already connects (ghost-connect.h).
 */

#include "door-client.h"

#include "../config/config.h"
#include "../launch/state.h"
#include "../name.h"
#include "cleanup.h"
#include "fd.h"
#include "foreign-pty.h"
#include "ghost-connect.h"
#include "log.h"
#include "syscalls.h"
#include "trust.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define HELPER_STACK 16384

int64_t door_clock_ms(void)
{
	struct timespec now;

	/* for one look at the clock the C library's way through the vDSO is the longer one */
	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct helper {
	char stack[HELPER_STACK] __attribute__((aligned(16)));
	/* above the stack: beside what its user has on its own */
	struct sockaddr_un address;
	int sock;
	int error;
};

static int helper_main(void *arg)
{
	struct helper *helper = arg;

	helper->error = 0;
	if (UNINTERRUPTED(connect(helper->sock, (struct sockaddr *)&helper->address,
		    sizeof(helper->address))) < 0)
		helper->error = errno;
	return 0;
}

/* Connects sock to the socket file behind the O_PATH descriptor target, in a process of its own. */
static int connect_in_helper(int sock, int target)
{
	struct helper helper;
	pid_t pid;

	helper.address.sun_family = AF_UNIX;
	helper.sock = sock;
	helper.error = EINTR; /* stays when the helper is killed */
	(void)snprintf(helper.address.sun_path, sizeof(helper.address.sun_path), "/proc/self/fd/%d",
		target);
	pid = clone(helper_main, helper.stack + sizeof(helper.stack),
		CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS | CLONE_SIGHAND, &helper);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return -helper.error;
}

static int new_socket(int type)
{
	const struct timeval deadline = { .tv_sec = DOOR_DEADLINE_MS / 1000 };
	const int no = 0;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* a listener whose backlog is full would keep connect() waiting for ever */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
	/* before Linux 6.16 it can't be refused; what comes is dropped, as nobody asks for it */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
	return fd;
}

/*
 * dirfd: the guest's; path: below it. mighty: its root may be the host's, to whom a handle on the
 * helper is of use while that lives. Returns a connected socket or -errno.
 */
static int connect_below(int dirfd, const char *path, int type, bool mighty)
{
	_cleanup_close_ int target = -EBADF, sock = -EBADF;
	struct stat st;
	int r;

	target = sys_openat2(dirfd, path, O_PATH, 0, RESOLVE_GUEST);
	if (target < 0)
		return target;
	if (fstat(target, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	sock = new_socket(type);
	if (sock < 0)
		return sock;
	r = mighty ? ghost_connect(sock, target) : connect_in_helper(sock, target);
	return r < 0 ? r : TAKE_FD(sock);
}

/* One line that says why there is no way in. Returns r. */
static int log_closed(const char *what, const char *whose, const char *door, int r)
{
	switch (r) {
	case -ENOENT:
		log_error("%s '%s' has no door '%s': is narthex-agent installed and its socket "
			  "active there?",
			what, whose, door);
		return r;
	case -EACCES:
	case -EPERM:
		log_error("no permission for the door '%s' of %s '%s'; 'narthex login' is for "
			  "everybody",
			door, what, whose);
		return r;
	case -ECONNREFUSED:
		log_error("nobody listens at the door '%s' of %s '%s'", door, what, whose);
		return r;
	case -EAGAIN:
		log_error("the door '%s' of %s '%s' has not opened in %d s", door, what, whose,
			DOOR_DEADLINE_MS / 1000);
		return r;
	case -ELOOP:
	case -ENOTSOCK:
	case -EXDEV:
		log_error("the door '%s' of %s '%s' is no socket: refusing it", door, what, whose);
		return r;
	case -ENOSYS:
		log_error("the door '%s' of %s '%s' can't be opened safely: this kernel has no "
			  "openat2: Linux 5.6 is needed",
			door, what, whose);
		return r;
	default:
		return log_errno(
			r, "cannot connect to the door '%s' of %s '%s'", door, what, whose);
	}
}

static int log_not_running(const char *name)
{
	char path[sizeof(CONTAINERS_DIR) + NAME_MAX_LEN + 8];
	bool known;

	(void)snprintf(path, sizeof(path), CONFIG_DIR "/%s.conf", name);
	known = access(path, F_OK) == 0;
	(void)snprintf(path, sizeof(path), CONTAINERS_DIR "/%s", name);
	known = known || access(path, F_OK) == 0;
	if (known)
		log_error("container '%s' is not running: start it with 'narthex start %s'", name,
			name);
	else
		log_error("there is no container '%s'", name);
	return -ENOENT;
}

/* RUN_DIR/NAME, O_PATH. Logs. */
static int open_state(const char *name)
{
	char path[sizeof(RUN_DIR) + NAME_MAX_LEN + 1];
	const char *why;
	int fd;

	if (!name_is_valid(name, &why)) {
		log_error("'%s' is not the name of a container: %s", name, why);
		return -EINVAL;
	}
	(void)snprintf(path, sizeof(path), RUN_DIR "/%s", name);
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? log_not_running(name)
				       : log_errno(-errno, "cannot open %s", path);
	return fd;
}

static int connect_by_name(const char *name, const char *door, int type)
{
	_cleanup_close_ int state = open_state(name), doors = -EBADF, sock = -EBADF;
	char file[64];
	struct trust trust;
	const char *why;
	int r;

	if (state < 0)
		return state;
	r = trust_read(state, &trust);
	if (r == -ENOENT)
		return log_not_running(name);
	if (r < 0)
		return log_errno(r, "cannot read " RUN_DIR "/%s/" TRUST_FILE, name);
	doors = openat(state, "doors", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (doors < 0)
		return log_errno(-errno, "cannot open " RUN_DIR "/%s/doors", name);
	(void)snprintf(file, sizeof(file), "%s.socket", door);
	sock = connect_below(doors, file, type, trust.uid_base == 0);
	if (sock < 0)
		return log_closed("container", name, door, sock);
	r = trust_check(sock, &trust, &why);
	if (r < 0) {
		log_error("refusing the door '%s' of container '%s': %s", door, name, why);
		return r;
	}
	return TAKE_FD(sock);
}

static int connect_by_root(const char *root, const char *door, int type)
{
	_cleanup_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), sock = -EBADF;
	char file[64];
	const char *why;
	int r;

	if (dir < 0)
		return log_errno(-errno, "cannot open --root=%s", root);
	(void)snprintf(file, sizeof(file), "var/lib/%s.socket", door);
	sock = connect_below(dir, file, type, true);
	if (sock < 0)
		return log_closed("the root", root, door, sock);
	r = trust_check_root(sock, dir, &why);
	if (r < 0) {
		log_error("refusing the door '%s' of the root '%s': %s", door, root, why);
		return r;
	}
	return TAKE_FD(sock);
}

int door_connect(const struct door_place *place, const char *door, int type)
{
	return place->root ? connect_by_root(place->root, door, type)
			   : connect_by_name(place->name, door, type);
}

/* --- terminals ----------------------------------------------------------------------------- */

/* Unlike fd_receive(): a text comes along. The launcher is ours, its descriptors may be taken. */
static int receive_terminal(int sock, int ret_fds[2], char *text, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 2)];
	} control = {};
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	ssize_t n = UNINTERRUPTED(recvmsg(sock, &message, MSG_CMSG_CLOEXEC));

	if (n < 0)
		return -errno;
	text[n] = '\0';
	cmsg = CMSG_FIRSTHDR(&message);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(int) * 2))
		return -EPROTO;
	memcpy(ret_fds, CMSG_DATA(cmsg), sizeof(int) * 2);
	return 0;
}

static int terminal_by_name(const char *name, int ret_fds[2])
{
	const struct timeval deadline = { .tv_sec = DOOR_DEADLINE_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char text[256] = "";
	int r;

	if (sock < 0)
		return log_errno(-errno, "cannot make a socket");
	(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	(void)snprintf(
		address.sun_path, sizeof(address.sun_path), RUN_DIR "/%s/launcher.socket", name);
	if (UNINTERRUPTED(connect(sock, (struct sockaddr *)&address, sizeof(address))) < 0 ||
		UNINTERRUPTED(send(sock, "pty", 3, MSG_NOSIGNAL)) < 0)
		return log_errno(-errno, "cannot ask the launcher of container '%s'", name);
	r = receive_terminal(sock, ret_fds, text, sizeof(text));
	if (r == -EPROTO && text[0])
		log_error("the launcher of container '%s' gives no terminal: %s", name, text);
	else if (r < 0)
		log_errno(r, "the launcher of container '%s' gives no terminal", name);
	return r;
}

static int terminal_by_root(const char *root, int door, int ret_fds[2])
{
	_cleanup_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *why;
	int r;

	if (dir < 0)
		return log_errno(-errno, "cannot open --root=%s", root);
	r = foreign_pty_open(door, dir, ret_fds, &why);
	return r < 0 ? log_errno(r, "no terminal for the root '%s': %s", root, why) : 0;
}

int door_terminal(const struct door_place *place, int sock, int ret_fds[2])
{
	return place->root ? terminal_by_root(place->root, sock, ret_fds)
			   : terminal_by_name(place->name, ret_fds);
}
