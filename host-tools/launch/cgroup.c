/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include "cgroup-path.h"
#include "cleanup.h"
#include "clock.h"
#include "fd.h"
#include "log.h"
#include "notify.h"
#include "syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* deep enough for a systemd inside a systemd; it bounds the walk that removes the tree */
#define PAYLOAD_MAX_DEPTH "64"
#define DESTROY_DEADLINE_MS 5000

static int make_directory(const char *path)
{
	int fd;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_enter_supervisor(bool service)
{
	char path[PATH_MAX + 16];
	_cleanup_close_ int fd = -EBADF;
	int pidfd = -EBADF;
	char message[64];
	long pid;
	int r;

	if (!service)
		return 0;
	r = cgroup_path_of(0, path);
	if (r < 0)
		return r == -ENODATA ? 0 : log_errno(r, "cannot find the own cgroup");
	memcpy(path + strlen(path), "/supervisor", sizeof("/supervisor"));
	fd = make_directory(path);
	if (fd < 0)
		return log_errno(fd, "cannot make cgroup '%s' (the unit needs Delegate=yes)", path);
	/* A sibling, not a child: systemd doesn't wait at stop for a main process that isn't its
	 * own child, and kills the guest at once. The exit signal comes with CLONE_PARENT. */
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_PARENT,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.cgroup = (uint64_t)fd,
	};
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return log_errno(-errno, "cannot clone into cgroup '%s'", path);
	if (pid == 0)
		return 0;
	(void)snprintf(message, sizeof(message), "MAINPID=%ld", pid);
	r = notify_systemd(message);
	if (r < 0) {
		log_errno(r, "cannot tell systemd the main process");
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		_exit(1);
	}
	_exit(0);
}

/*
 * The directories that belong to the guest are the payload's and those below; the files are what
 * cgroups(7) names for delegation. Limits (memory.max, pids.max …) stay root's.
 */
static int delegate(int fd, uint32_t uid)
{
	static const char *const files[] = { "cgroup.procs", "cgroup.threads",
		"cgroup.subtree_control", "memory.oom.group" };

	if (uid == 0)
		return 0;
	if (fchown(fd, uid, uid) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (fchownat(fd, files[i], uid, uid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

static bool populated(int fd)
{
	_cleanup_free_ char *text = NULL;

	return file_read_all(fd, "cgroup.events", 0, 4096, &text) > 0 &&
	       strstr(text, "populated 1");
}

int cgroup_find_payload(bool service, const char *name, struct cgroup *ret)
{
	char own[PATH_MAX], *slash;
	int r = cgroup_path_of(0, own);

	*ret = CGROUP_NULL;
	if (r == -ENODATA) {
		log_warning(
			"no cgroup v2 on this host: container '%s' has no cgroup of its own", name);
		return 0;
	}
	if (r < 0)
		return log_errno(r, "cannot find the own cgroup");
	slash = service ? strrchr(own, '/') : NULL;
	if (slash && strcmp(slash, "/supervisor") == 0)
		*slash = '\0';
	if (asprintf(&ret->path, service ? "%s/payload" : "%s/narthex-%s", own, name) < 0) {
		*ret = CGROUP_NULL;
		return log_errno(-ENOMEM, "cannot find the own cgroup");
	}
	return 0;
}

int cgroup_make_payload(uint32_t uid, struct cgroup *cgroup)
{
	const char *path = cgroup->path;
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!path)
		return 0;
	cgroup_destroy_path(path);
	fd = make_directory(path);
	if (fd < 0)
		return log_errno(fd, "cannot make cgroup '%s'", path);
	if (populated(fd)) {
		log_error("cgroup '%s' has processes of an earlier container that can't be killed: "
			  "look what they wait for",
			path);
		return -EBUSY;
	}
	(void)file_write_string(fd, "cgroup.max.depth", PAYLOAD_MAX_DEPTH);
	r = delegate(fd, uid);
	if (r < 0)
		return log_errno(r, "cannot give cgroup '%s' to the container", path);
	cgroup->fd = TAKE_FD(fd);
	return 0;
}

void cgroup_enable_controllers(const struct cgroup *cgroup)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int unit = -EBADF;
	char *state = NULL;

	if (cgroup->fd < 0)
		return;
	unit = openat(cgroup->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (unit < 0 || file_read_all(unit, "cgroup.controllers", 0, 4096, &text) < 0)
		return;
	for (char *name = strtok_r(text, " \n", &state); name;
		name = strtok_r(NULL, " \n", &state)) {
		char word[64];

		(void)snprintf(word, sizeof(word), "+%s", name);
		if (file_write_string(unit, "cgroup.subtree_control", word) < 0)
			log_debug("cannot enable controller %s for the payload: %m", name);
	}
}

static void kill_listed(int fd)
{
	_cleanup_free_ char *text = NULL;
	char *state = NULL;

	if (file_read_all(fd, "cgroup.procs", 0, 1 << 20, &text) < 0)
		return;
	for (char *pid = strtok_r(text, "\n", &state); pid; pid = strtok_r(NULL, "\n", &state)) {
		long n = strtol(pid, NULL, 10);

		if (n > 1)
			(void)kill((pid_t)n, SIGKILL);
	}
}

int cgroup_kill(const struct cgroup *cgroup)
{
	int r;

	if (cgroup->fd < 0)
		return 0;
	r = file_write_string(cgroup->fd, "cgroup.kill", "1");
	if (r == -ENOENT) {
		kill_listed(cgroup->fd);
		r = 0;
	}
	return r;
}

/* Waits until no process is left (cgroup.events changes wake poll() with POLLPRI). */
static void wait_unpopulated(int fd)
{
	_cleanup_close_ int events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t deadline = clock_ms() + DESTROY_DEADLINE_MS;

	while (events >= 0 && populated(fd)) {
		struct pollfd p = { .fd = events, .events = POLLPRI };
		int64_t left = deadline - clock_ms();

		if (left <= 0)
			return;
		(void)poll(&p, 1, left > 100 ? 100 : (int)left);
	}
}

/* Removes the directories below fd. PAYLOAD_MAX_DEPTH bounds the recursion. */
static void remove_below(int fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	dir = copy < 0 ? NULL : fdopendir(copy);
	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int child = -EBADF;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0)
			continue;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			continue;
		remove_below(child);
		(void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	}
}

void cgroup_destroy_path(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (rmdir(path) == 0)
		return;
	(void)cgroup_kill(&(struct cgroup){ .fd = fd });
	wait_unpopulated(fd);
	remove_below(fd);
	if (rmdir(path) < 0 && errno != ENOENT)
		log_errno(-errno, "cannot remove cgroup '%s'", path);
}

void cgroup_destroy(struct cgroup *cgroup)
{
	close_fdp(&cgroup->fd);
	if (cgroup->path)
		cgroup_destroy_path(cgroup->path);
	free(TAKE_PTR(cgroup->path));
}
