/* SPDX-License-Identifier: MIT */
#include "session-cgroup.h"

#include "cgroup-path.h"
#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/*
 * Theory of operation
 *
 * narthex-sessions.slice owns a cgroup in which the agent makes one for each session. The agent's
 * own would do for that only until the agent is restarted: systemd then complains about every
 * process in it. A slice is no delegation boundary, but systemd leaves alone what it hasn't made
 * there, and nothing else stays: systemd 252 removes the cgroup of a Delegate=yes,
 * RemainAfterExit=yes service as soon as that is empty. A process is born in its cgroup (spawn.c);
 * it is never moved, since a write to cgroup.procs takes the kernel milliseconds.
 */

#define SESSIONS_UNIT "narthex-sessions.slice"
#define PREFIX "session-"
#define CGROUP_FILE_MAX (1024 * 1024)
#define DEPTH_MAX 16	 /* of cgroups that sessions have made themselves */
#define KILLED_MS 1000	 /* until what was killed is gone */
#define KILL_AGAIN_MS 20 /* without cgroup.kill, for what was forked meanwhile */

int session_cgroups_open(struct session_cgroups *cgroups)
{
	char path[PATH_MAX + 64];
	int r = cgroup_path_of(0, path);

	*cgroups = SESSION_CGROUPS_NULL;
	if (r < 0)
		return r == -ENODATA ? -ENOENT : r;
	memcpy(path + strlen(path), "/../" SESSIONS_UNIT, sizeof("/../" SESSIONS_UNIT));
	cgroups->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cgroups->fd < 0 ? -errno : 0;
}

void session_cgroups_close(struct session_cgroups *cgroups)
{
	close_fdp(&cgroups->fd);
}

static int open_cgroup(const struct session_cgroups *cgroups, const char *name)
{
	int fd = openat(cgroups->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int session_cgroup_create(const struct session_cgroups *cgroups, const char *name)
{
	if (mkdirat(cgroups->fd, name, 0755) < 0)
		return -errno;
	return open_cgroup(cgroups, name);
}

int session_cgroup_share(const struct session_cgroups *cgroups, const char *name)
{
	if (mkdirat(cgroups->fd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return open_cgroup(cgroups, name);
}

bool session_cgroup_remove(const struct session_cgroups *cgroups, const char *name)
{
	return unlinkat(cgroups->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV;
}

static DIR *open_directory(int dirfd, const char *path)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)TAKE_FD(fd);
	return dir;
}

bool session_cgroups_sweep(const struct session_cgroups *cgroups)
{
	_cleanup_closedir_ DIR *dir = open_directory(cgroups->fd, ".");
	bool clean = true;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
			clean = session_cgroup_remove(cgroups, entry->d_name) && clean;
	return clean;
}

/*
 * The descriptor is taken before the session is asked for: what is signalled is what was asked
 * about, or has exited.
 */
static void hang_up_member(pid_t pid, pid_t sid)
{
	_cleanup_close_ int fd = -EBADF;

	if (getsid(pid) != sid)
		return; /* most of them, where many sessions share a cgroup */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 || getsid(pid) != sid)
		return;
	(void)syscall(SYS_pidfd_send_signal, fd, SIGHUP, NULL, 0);
	/* a stopped process would sleep on with its SIGHUP */
	(void)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
}

static void hang_up_everywhere(pid_t sid)
{
	_cleanup_closedir_ DIR *dir = open_directory(AT_FDCWD, "/proc");

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0)
			hang_up_member((pid_t)pid, sid);
	}
}

void session_cgroup_hang_up(const struct session_cgroups *cgroups, const char *name, pid_t sid)
{
	_cleanup_free_ char *text = NULL;
	char path[SESSION_CGROUP_NAME_SIZE + sizeof("/cgroup.procs")];
	char *line, *rest;

	if (!name) {
		hang_up_everywhere(sid);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	if (file_read_all(cgroups->fd, path, 0, CGROUP_FILE_MAX, &text) < 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0)
			hang_up_member((pid_t)pid, sid);
	}
}

/* --- the end of all ----------------------------------------------------------------------------
 */

/* To every process in and below a cgroup. */
static void signal_all(int dirfd, const int *signals, size_t n, int depth)
{
	_cleanup_closedir_ DIR *dir = open_directory(dirfd, ".");
	_cleanup_free_ char *text = NULL;
	char *line, *rest;

	if (file_read_all(dirfd, "cgroup.procs", 0, CGROUP_FILE_MAX, &text) >= 0)
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
			long pid = strtol(line, NULL, 10);

			for (size_t i = 0; pid > 0 && i < n; i++)
				(void)kill((pid_t)pid, signals[i]);
		}
	for (struct dirent *entry; dir && depth > 0 && (entry = readdir(dir));) {
		_cleanup_close_ int below = -EBADF;

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			below = openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below >= 0)
			signal_all(below, signals, n, depth - 1);
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Waits until nothing runs in or below it. */
static bool wait_empty(int dirfd, int ms)
{
	_cleanup_close_ int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end = now_ms() + ms, left = ms;
	struct pollfd change = { .fd = fd, .events = POLLPRI };
	char text[256];

	if (fd < 0)
		return true;
	for (;;) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return errno == ENODEV; /* the cgroup is gone */
		text[n] = '\0';
		if (strstr(text, "populated 0"))
			return true;
		left = end - now_ms();
		if (left <= 0)
			return false;
		(void)poll(&change, 1, (int)left);
	}
}

bool session_cgroups_end(const struct session_cgroups *cgroups, int grace_ms)
{
	/* an interactive shell heeds SIGHUP only, and a stopped process nothing before SIGCONT */
	static const int ask[] = { SIGTERM, SIGHUP, SIGCONT };
	static const int force[] = { SIGKILL };
	int64_t end;

	signal_all(cgroups->fd, ask, ARRAY_SIZE(ask), DEPTH_MAX);
	if (wait_empty(cgroups->fd, grace_ms))
		return true;
	/* Linux 5.14, and no fork is fast enough for it */
	if (file_write_string(cgroups->fd, "cgroup.kill", "1") == 0)
		return wait_empty(cgroups->fd, KILLED_MS);
	for (end = now_ms() + KILLED_MS; now_ms() < end;) {
		signal_all(cgroups->fd, force, ARRAY_SIZE(force), DEPTH_MAX);
		if (wait_empty(cgroups->fd, KILL_AGAIN_MS))
			return true;
	}
	return false;
}
