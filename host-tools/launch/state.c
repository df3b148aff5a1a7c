/* SPDX-License-Identifier: MIT */

/*
 * The lock file is the truth about "running": a start that gets the lock may remove whatever lies
 * beside it. A file that was unlinked between our open and our flock is not the lock any more, so
 * after locking we look whether it still has a name.
 */

#include "state.h"

#include "../client/trust.h"
#include "../kept.h"
#include "../system-links.h"
#include "cgroup.h"
#include "cleanup.h"
#include "fd.h"
#include "hosts.h"
#include "log.h"
#include "mnt.h"
#include "network-helper.h"
#include "ports.h"
#include "resolv.h"
#include "session-record.h"
#include "syscalls.h"
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* The sockets and the list of open sessions fit; a guest that fills it harms itself only. */
#define DOORS_SIZE "512k"
#define DOORS_INODES "64"

/* Opens a directory, made with mode whatever the caller's mask is: host users go through it. */
static int open_directory(int at, const char *path, mode_t mode)
{
	bool made = mkdirat(at, path, mode) == 0;
	_cleanup_close_ int fd = -EBADF;

	if (!made && errno != EEXIST)
		return -errno;
	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (made && fchmod(fd, mode) < 0)) {
		int r = -errno;

		if (made)
			(void)unlinkat(at, path, AT_REMOVEDIR);
		return r;
	}
	return TAKE_FD(fd);
}

static void log_busy(const char *name, int lock_fd)
{
	char pid[32] = "";
	ssize_t n = pread(lock_fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	log_error("container '%s' is already running (launcher pid %s): stop it first", name,
		pid[0] ? pid : "unknown");
}

/* 1: locked; 0: somebody removed the file meanwhile, try again. */
static int try_lock(struct state *state)
{
	struct stat st;
	char pid[32];
	int n;

	state->lock_fd =
		openat(state->dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (state->lock_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(state->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		log_busy(state->name, state->lock_fd);
		return -EBUSY;
	}
	if (fstat(state->lock_fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return 0;
	state->is_leftover = st.st_size > 0;
	n = snprintf(pid, sizeof(pid), "%d\n", getpid());
	/* never empty in between: that would say that there is nothing to clean */
	if (pwrite(state->lock_fd, pid, (size_t)n, 0) < 0 || ftruncate(state->lock_fd, n) < 0)
		return -errno;
	return 1;
}

static void unmount_all(int dirfd, const char *name)
{
	char path[64];

	/* umount2() has no dirfd; several mounts may lie on each other */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}

/* What can't be removed now is left to the next start. */
static void remove_name(struct state *state, int dirfd, const char *name, int flags)
{
	if (unlinkat(dirfd, name, flags) == 0 || errno == ENOENT)
		return;
	log_errno(-errno, "cannot remove %s/%s/…/%s", RUN_DIR, state->name, name);
	state->is_unclean = true;
}

/* Unless another has begun to use it, or it is none. */
static void remove_directory(const struct state *state)
{
	char path[sizeof(RUN_DIR) + 1 + NAME_MAX];

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s", state->name);
	if (rmdir(path) < 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT &&
		errno != ENOTDIR)
		log_errno(-errno, "cannot remove %s", path);
}

/* Keepers end with the container, but one that was killed has left its socket. */
static void remove_kept(struct state *state)
{
	_cleanup_close_ int dir = -EBADF;
	char id[16];

	if (unlinkat(state->dir_fd, KEPT_DIR, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	dir = openat(state->dir_fd, KEPT_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (unsigned int i = 1; dir >= 0 && i <= KEPT_MAX; i++) {
		(void)snprintf(id, sizeof(id), "%u", i);
		(void)unlinkat(dir, id, 0);
	}
	remove_name(state, state->dir_fd, KEPT_DIR, AT_REMOVEDIR);
}

/* What lies in the directory besides the lock, and is mounted there. */
static void remove_files(struct state *state)
{
	_cleanup_free_ char *cgroup = NULL;

	if (state->private_fd >= 0) {
		unmount_all(state->private_fd, "root");
		if (file_read_all(state->private_fd, "cgroup", O_NOFOLLOW, 4096, &cgroup) > 0)
			cgroup_destroy_path(cgroup);
		remove_name(state, state->private_fd, "cgroup", 0);
		remove_name(state, state->private_fd, "notify", 0);
		remove_name(state, state->private_fd, "staging", AT_REMOVEDIR);
		remove_name(state, state->private_fd, "root", AT_REMOVEDIR);
	}
	if (hosts_remove(state->name) < 0)
		state->is_unclean = true;
	remove_kept(state);
	unmount_all(state->dir_fd, "doors");
	remove_name(state, state->dir_fd, "doors", AT_REMOVEDIR);
	remove_name(state, state->dir_fd, "root", 0);
	system_roots_remove(state->name);
	system_links_remove(state->dir_fd);
	remove_name(state, state->dir_fd, PORTS_FILE, 0);
	remove_name(state, state->dir_fd, RESOLV_FILE, 0);
	remove_name(state, state->dir_fd, HOSTS_FILE, 0);
	remove_name(state, state->dir_fd, TRUST_FILE, 0);
	remove_name(state, state->dir_fd, TRUST_FILE ".new", 0);
	remove_name(state, state->dir_fd, "launcher.socket", 0);
}

static int lock(struct state *state)
{
	_cleanup_close_ int run_fd = open_directory(AT_FDCWD, RUN_DIR, 0755);
	int r = 0;

	if (run_fd < 0)
		return log_errno(run_fd, "cannot make %s", RUN_DIR);
	while (r == 0) {
		close_fdp(&state->lock_fd);
		close_fdp(&state->dir_fd);
		state->dir_fd = open_directory(run_fd, state->name, 0755);
		if (state->dir_fd == -ENOENT)
			continue; /* given up by another between our mkdir and our open */
		if (state->dir_fd < 0)
			return log_errno(state->dir_fd, "cannot make %s/%s", RUN_DIR, state->name);
		r = try_lock(state);
	}
	if (r < 0 && r != -EBUSY)
		return log_errno(r, "cannot lock %s/%s/lock", RUN_DIR, state->name);
	return r;
}

/* A lock that could not be taken after all: what was made for it goes, another's and a crashed
 * launcher's stays. */
static void abandon(struct state *state)
{
	struct stat st;

	if (state->lock_fd >= 0 && flock(state->lock_fd, LOCK_EX | LOCK_NB) == 0 &&
		fstat(state->lock_fd, &st) == 0 && st.st_size == 0)
		(void)unlinkat(state->dir_fd, "lock", 0);
	remove_directory(state);
	close_fdp(&state->lock_fd);
	close_fdp(&state->dir_fd);
	free(TAKE_PTR(state->name));
}

int state_acquire(const char *name, struct state *ret)
{
	struct state state = STATE_NULL;
	int r;

	state.name = strdup(name);
	if (!state.name)
		return -ENOMEM;
	r = lock(&state);
	if (r < 0) {
		abandon(&state);
		return r;
	}
	state.private_fd = open_directory(state.dir_fd, "private", 0700);
	if (state.private_fd < 0) {
		r = log_errno(state.private_fd, "cannot make %s/%s/private", RUN_DIR, name);
		state_release(&state);
		return r;
	}
	/* the file of a lock that is free is new, or a crashed launcher's */
	if (state.is_leftover)
		remove_files(&state);
	state.is_unclean = false;
	if (state.is_leftover || state_has_interfaces(&state))
		state.is_unclean = network_helper_cleanup(name) < 0;
	if (mkdirat(state.private_fd, "root", 0700) < 0 ||
		mkdirat(state.private_fd, "staging", 0700) < 0 ||
		mkdirat(state.dir_fd, "doors", 0755) < 0 ||
		mkdirat(state.dir_fd, KEPT_DIR, 0700) < 0 ||
		symlinkat("private/root", state.dir_fd, "root") < 0) {
		r = log_errno(-errno, "cannot fill %s/%s", RUN_DIR, name);
		state_release(&state);
		return r;
	}
	*ret = state;
	return 0;
}

static int attach_at(int mount, int dirfd, const char *name)
{
	_cleanup_close_ int target = tree_open(dirfd, name, S_IFDIR);

	if (target < 0)
		return target;
	return mnt_attach(mount, target);
}

int state_mount_doors(struct state *state, uint32_t uid)
{
	_cleanup_close_ int mount = -EBADF;
	char id[16], why[256];
	int r;

	(void)snprintf(id, sizeof(id), "%u", uid);
	mount = mnt_new("tmpfs",
		(const struct mnt_option[]){
			{ "source", "narthex-doors" },
			{ "size", DOORS_SIZE },
			{ "nr_inodes", DOORS_INODES },
			{ "mode", "0755" },
			{ "uid", id },
			{ "gid", id },
			{},
		},
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, why, sizeof(why));
	r = mount < 0 ? mount : attach_at(mount, state->dir_fd, "doors");
	if (r < 0)
		return log_errno(r, "cannot mount %s/%s/doors%s%s", RUN_DIR, state->name,
			why[0] ? ": " : "", why);
	return 0;
}

void state_forget_sessions(struct state *state)
{
	_cleanup_close_ int doors =
		openat(state->dir_fd, "doors", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	(void)unlinkat(doors, SESSION_RECORD_FILE, 0);
}

int state_link_root(struct state *state, const char *path)
{
	if (unlinkat(state->dir_fd, "root", 0) < 0 || symlinkat(path, state->dir_fd, "root") < 0)
		return log_errno(-errno, "cannot link %s/%s/root", RUN_DIR, state->name);
	return 0;
}

/* Whether the container name runs in the tree at st. */
static bool runs_in(int run_fd, const char *name, const struct stat *st)
{
	char path[NAME_MAX + 8];
	_cleanup_close_ int lock_fd = -EBADF;
	struct stat other;

	(void)snprintf(path, sizeof(path), "%s/root", name);
	if (fstatat(run_fd, path, &other, 0) < 0 || other.st_ino != st->st_ino ||
		other.st_dev != st->st_dev)
		return false;
	(void)snprintf(path, sizeof(path), "%s/lock", name);
	lock_fd = openat(run_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return lock_fd >= 0 && flock(lock_fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int state_check_root(const struct state *state, const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(RUN_DIR);
	const struct dirent *entry;
	struct stat st;

	if (!dir || fstatat(state->dir_fd, "root", &st, 0) < 0)
		return log_errno(-errno, "cannot look who else runs in '%s' (Root=)", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, state->name) == 0 ||
			!runs_in(dirfd(dir), entry->d_name, &st))
			continue;
		log_error("container '%s' runs in '%s' (Root=) already: stop it, or use "
			  "Ephemeral=yes",
			entry->d_name, path);
		return -EBUSY;
	}
	return 0;
}

int state_mount_root(struct state *state, int mount_consumed)
{
	_cleanup_close_ int mount = mount_consumed;
	int r = mnt_set(mount, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);

	if (r >= 0)
		r = attach_at(mount, state->private_fd, "root");
	if (r < 0)
		return log_errno(r, "cannot mount %s/%s/root", RUN_DIR, state->name);
	return 0;
}

bool state_has_interfaces(const struct state *state)
{
	return faccessat(state->private_fd, STATE_NETNS, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int state_note_cgroup(struct state *state, const char *path)
{
	_cleanup_close_ int fd =
		openat(state->private_fd, "cgroup", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, path, strlen(path));

	return r < 0 ? log_errno(r, "cannot write %s/%s/private/cgroup", RUN_DIR, state->name) : 0;
}

void state_release(struct state *state)
{
	if (state->dir_fd >= 0 && state->lock_fd >= 0) {
		/* the interface dies with its namespace; deleting it would take the kernel 30 ms */
		remove_files(state);
		if (state->private_fd >= 0)
			remove_name(state, state->dir_fd, "private", AT_REMOVEDIR);
	}
	if (state->dir_fd >= 0 && state->lock_fd >= 0 && !state->is_unclean) {
		/* the lock goes last, and its directory with it: from here on a new start may come
		 */
		remove_name(state, state->dir_fd, "lock", 0);
		remove_directory(state);
	}
	close_fdp(&state->private_fd);
	close_fdp(&state->dir_fd);
	close_fdp(&state->lock_fd);
	free(TAKE_PTR(state->name));
}
