/* SPDX-License-Identifier: MIT */

/*
 * The builder (H in docs/architecture.md): a process of the host with a mount namespace of its own.
 * It clones the leader, which shares that mount namespace, maps its ids, builds its tree, moves
 * both into the tree (pivot_root changes the root of every process that had the old one) and lets
 * the leader go.
 *
 * Everything it makes belongs to namespaces and processes that die with it or with the leader, so
 * a failure at any step needs no undoing but the end of the two processes.
 */

#include "builder.h"

#include "attributes.h"
#include "caps.h"
#include "cleanup.h"
#include "fd.h"
#include "guest.h"
#include "integration.h"
#include "live-binds.h"
#include "log.h"
#include "mnt.h"
#include "mounts.h"
#include "payload.h"
#include "resolv.h"
#include "syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct builder {
	struct build build;
	const struct payload_stdio *stdio;
	int socket;   /* to the supervisor */
	int error_fd; /* the leader's words to the supervisor */
	int go_fd;    /* a byte here lets the leader go; one from it says that it has gone */
	struct live_binds live_binds;
};

/* Logs. */
static int tell(const struct builder *b, enum build_tag tag, const int *fds, size_t n)
{
	int r = fd_send(b->socket, (char)tag, fds, n);

	return r < 0 ? log_errno(r, "cannot report to the launcher") : 0;
}

static int clone_leader(struct builder *b)
{
	const struct launch *launch = b->build.launch;
	_cleanup_close_ int theirs = -EBADF;
	int go_fds[2], pidfd = -EBADF;
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_NEWPID,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
	};
	long pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go_fds) < 0)
		return log_errno(-errno, "cannot make a socket pair");
	theirs = go_fds[0];
	b->go_fd = go_fds[1];
	if (launch->range.base != 0)
		args.flags |= CLONE_NEWUSER;
	if (launch->cgroup.fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)launch->cgroup.fd;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return log_errno(-errno, "cannot create the container's namespaces%s",
			errno == ENOSYS ? " (Linux 5.7 is needed)" : "");
	if (pid == 0) {
		(void)close(b->go_fd);
		payload_run(
			launch, b->stdio, &(struct payload_fds){ b->socket, theirs, b->error_fd });
	}
	b->build.leader = (pid_t)pid;
	b->build.leader_fd = pidfd;
	return tell(b, BUILD_LEADER, &pidfd, 1);
}

static int write_map(const struct builder *b, const char *file)
{
	char path[64], line[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", b->build.leader, file);
	(void)snprintf(line, sizeof(line), "0 %u %u\n", b->build.launch->range.base,
		b->build.launch->range.count);
	return file_write_string(AT_FDCWD, path, line);
}

static int map_ids(struct builder *b)
{
	char path[64];
	int r;

	if (b->build.launch->range.base == 0)
		return 0;
	r = write_map(b, "uid_map");
	if (r >= 0)
		r = write_map(b, "gid_map");
	if (r < 0)
		return log_errno(r, "cannot map ids %u to %u", b->build.launch->range.base,
			b->build.launch->range.base + b->build.launch->range.count - 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", b->build.leader);
	b->build.userns_fd = open(path, O_RDONLY | O_CLOEXEC);
	return b->build.userns_fd < 0 ? log_errno(-errno, "cannot open the user namespace") : 0;
}

int act_as_guest_root(const struct launch *launch)
{
	int r;

	if (launch->range.base == 0)
		return 0;
	(void)setfsgid(launch->range.base);
	(void)setfsuid(launch->range.base);
	/* the change of ids has taken some out of the effective set */
	r = caps_apply(UINT64_MAX, 0);
	return r < 0 ? log_errno(r, "cannot keep the capabilities") : 0;
}

static int tie(const struct builder *b)
{
	int r = tie_to_launcher(b->error_fd);

	return r < 0 ? log_errno(r, "cannot tie the container's builder to its launcher") : 0;
}

/*
 * Waits for a word of the supervisor. On failure it has logged why, or the leader has: what it
 * can't do is a reason for the supervisor never to say anything.
 */
static int hear(struct builder *b, enum build_tag expected, int *ret_fd)
{
	struct pollfd fds[] = { { .fd = b->socket, .events = POLLIN },
		{ .fd = b->build.leader_fd, .events = POLLIN } };
	char tag;
	int fd = -EBADF, n;

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return log_errno(-errno, "cannot wait for the supervisor");
	if (fds[0].revents == 0)
		return -ESRCH;
	n = fd_receive(b->socket, &tag, &fd, 1);
	if (n < 0)
		return log_errno(n, "cannot hear the launcher");
	if (tag != (char)expected || (n == 1) != (ret_fd != NULL)) {
		close_fdp(&fd);
		return log_errno(-EPROTO, "unexpected message from the supervisor");
	}
	if (ret_fd)
		*ret_fd = fd;
	return 0;
}

/* NamespacePath=: the leader, which has no power over the namespace, is born in it. */
static int join_network(const struct container_config *config)
{
	_cleanup_close_ int fd = -EBADF;

	if (!config->namespace_path)
		return 0;
	fd = open(config->namespace_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return log_errno(-errno, "cannot open '%s' (NamespacePath=)%s",
			config->namespace_path,
			errno == ENOENT ? ", make the network namespace before the container starts"
					: "");
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		log_error("'%s' (NamespacePath=) is no network namespace", config->namespace_path);
		return -EINVAL;
	}
	if (setns(fd, CLONE_NEWNET) < 0)
		return log_errno(
			-errno, "cannot join the network namespace '%s'", config->namespace_path);
	return 0;
}

/* A sysfs shows the network namespace of the process that makes it. */
static int enter_network(struct builder *b)
{
	int r = hear(b, BUILD_NETWORK, NULL);

	if (r < 0 || !b->build.launch->config.private_network)
		return r;
	if (setns(b->build.leader_fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno != ESRCH)
		return log_errno(-errno, "cannot enter the container's network namespace");
	log_error("the container's first process ended before its tree was complete");
	return -ESRCH;
}

static int send_live_root(struct builder *b)
{
	_cleanup_close_ int mount = -EBADF;

	/* the supervisor shows a tree on disk itself, and keeps an overlay over reboots */
	if (!config_root_is_temporary(&b->build.launch->config) || b->build.launch->boots > 1)
		return 0;
	mount = mnt_clone(b->build.whole >= 0 ? b->build.whole : b->build.root, "", false);
	if (mount < 0)
		return log_errno(mount, "cannot clone the container's root");
	return tell(b, BUILD_ROOT, &mount, 1);
}

/* Tells the supervisor which mount each bind will be, to have it unmounted one day. */
static int send_live_binds(struct builder *b)
{
	int r = 0;

	if (b->build.userns_fd >= 0)
		r = live_binds_lock(
			b->build.launch->config.name, b->live_binds.mounts, b->live_binds.n);
	for (size_t i = 0; r >= 0 && i < b->live_binds.n; i++)
		r = tell(b, BUILD_BIND, &b->live_binds.mounts[i], b->live_binds.mounts[i] >= 0);
	return r;
}

static int let_leader_go(const struct builder *b)
{
	int r = fd_write_all(b->go_fd, "", 1);

	return r < 0 ? log_errno(r, "cannot let the container's first process go on") : 0;
}

/* Those have to be in the leader's own mount namespace (live-binds.c), and nothing runs there yet.
 */
static int attach_live_binds(struct builder *b)
{
	char byte;
	ssize_t n = read(b->go_fd, &byte, 1);
	int r;

	if (n < 0)
		return log_errno(-errno, "cannot hear of the container's first process");
	if (n == 0)
		return -ESRCH; /* it has said itself what it couldn't do */
	r = live_binds_enter(b->build.leader_fd);
	if (r >= 0)
		r = live_binds_attach(
			b->build.launch->config.binds, b->live_binds.mounts, b->live_binds.n);
	return r < 0 ? r : let_leader_go(b);
}

/* pivot_root(2), "pivot_root(".", ".")": no directory for the old root is needed. */
static int enter_tree(const struct build *build)
{
	if (fchdir(build->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
		umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return log_errno(-errno, "cannot make the tree the container's root");
	return 0;
}

static int send_done(struct builder *b, enum init_kind kind)
{
	char byte = (char)kind;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return log_errno(-errno, "cannot make a pipe");
	r = fd_write_all(fds[1], &byte, 1);
	if (r < 0)
		log_errno(r, "cannot report to the launcher");
	else
		r = tell(b, BUILD_DONE, fds, 1);
	(void)close(fds[0]);
	(void)close(fds[1]);
	return r;
}

static int build(struct builder *b)
{
	int terminals[2], r;
	enum init_kind kind;

	if (live_binds_init(&b->live_binds, b->build.launch->config.n_binds) < 0)
		return log_errno(-ENOMEM, "cannot build the container");
	b->build.live_binds = b->live_binds.mounts;
	(void)umask(0); /* modes are meant as they are written */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return log_errno(-errno, "cannot make a mount namespace");
	r = join_network(&b->build.launch->config);
	if (r >= 0)
		r = clone_leader(b);
	if (r >= 0)
		r = map_ids(b);
	if (r >= 0)
		r = nix_make_directories(&b->build.launch->config);
	if (r >= 0)
		r = act_as_guest_root(b->build.launch);
	if (r >= 0)
		r = tie(b); /* again: the change of ids untied it */
	if (r >= 0)
		r = root_mount(&b->build);
	if (r >= 0)
		r = nix_apply(&b->build);
	if (r < 0)
		return r;
	kind = guest_init_kind(b->build.launch, b->build.root);
	r = send_live_root(b);
	if (r >= 0)
		r = mounts_apply(&b->build);
	if (r >= 0)
		r = guest_populate_run(b->build.launch, b->build.root, kind);
	if (r >= 0)
		r = hear(b, BUILD_DOORS, &b->build.doors_fd);
	if (r >= 0)
		r = bundle_show(&b->build);
	if (r >= 0)
		r = credentials_apply(&b->build);
	if (r >= 0)
		r = journal_apply(&b->build);
	/* the leader takes its namespaces meanwhile: all that can be done before is done */
	if (r >= 0)
		r = enter_network(b);
	if (r >= 0)
		r = mounts_apply_sys(&b->build);
	if (r >= 0)
		r = bind_users_apply(&b->build);
	if (r >= 0)
		r = custom_mounts_apply(&b->build);
	if (r >= 0)
		r = timezone_apply(&b->build);
	if (r >= 0)
		r = resolv_apply(&b->build);
	if (r >= 0)
		r = hosts_apply(&b->build);
	if (r >= 0)
		r = root_finish(&b->build);
	if (r >= 0 && b->live_binds.n > 0)
		r = send_live_binds(b);
	if (r < 0)
		return r;
	terminals[0] = b->build.devpts_fd;
	terminals[1] = b->build.console_fd;
	r = tell(b, BUILD_TERMINALS, terminals, 2);
	if (r >= 0)
		r = attributes_apply(&b->build.launch->config, b->build.leader);
	if (r >= 0)
		r = enter_tree(&b->build);
	if (r >= 0)
		r = let_leader_go(b);
	if (r >= 0 && b->live_binds.n > 0)
		r = attach_live_binds(b);
	return r < 0 ? r : send_done(b, kind);
}

int builder_start(const struct launch *launch, const struct payload_stdio *stdio, int *ret_pidfd,
	int *ret_socket, int *ret_error)
{
	int sockets[2], errors[2], pidfd;
	sigset_t all, before;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return log_errno(-errno, "cannot make a socket pair");
	if (pipe2(errors, O_CLOEXEC) < 0) {
		(void)close(sockets[0]);
		(void)close(sockets[1]);
		return log_errno(-errno, "cannot make a pipe");
	}
	/* the supervisor's handlers are not for its children: they keep all signals blocked;
	 * SIGKILL comes through */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0) {
		struct builder b = {
			.build = {
				.launch = launch,
				.root = -EBADF,
				.whole = -EBADF,
				.stage = -EBADF,
				.userns_fd = -EBADF,
				.leader_fd = -EBADF,
				.empty_fd = -EBADF,
				.devpts_fd = -EBADF,
				.console_fd = -EBADF,
				.doors_fd = -EBADF,
			},
			.stdio = stdio,
			.socket = sockets[1],
			.error_fd = errors[1],
			.go_fd = -EBADF,
		};

		/* the launcher's ends are its alone, so that their other ends tell of its death */
		(void)close(sockets[0]);
		(void)close(errors[0]);
		_exit(tie(&b) < 0 || build(&b) < 0 ? 1 : 0);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)close(sockets[1]);
	(void)close(errors[1]);
	pidfd = pid < 0 ? -errno : pidfd_open(pid, 0);
	if (pidfd < 0) {
		(void)close(sockets[0]);
		(void)close(errors[0]);
		return log_errno(pid < 0 ? pidfd : -errno, "cannot fork the builder");
	}
	*ret_pidfd = pidfd;
	*ret_socket = sockets[0];
	*ret_error = errors[0];
	return 0;
}
