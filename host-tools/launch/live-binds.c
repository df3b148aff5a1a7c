/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * When a mount namespace is copied into one that belongs to a less privileged user namespace, the
 * kernel locks the copies: each to its place, and its flags. The leader gets all its mounts that
 * way. A live bind must not be locked to its place, for then nobody could unmount it, but its flags
 * must be. So it makes a detour: it is attached in a mount namespace of ours, a child with a user
 * namespace that is thrown away gets a copy of that one, and clones the bind there. The clone has
 * the locked flags, and its root, as every clone's, is not locked to a place. What is mounted below
 * in a recursive bind stays locked within it.
 *
 * The targets are the guest's, who may be running and hostile. They are opened below its root
 * without following any link and the mount is attached to what was opened. Whoever does it is not
 * in the guest's pid namespace, executes nothing, and has no descriptors but what it needs
 * (reload-apply.c); what a file system of the guest's could do is to make it wait.
 */

#include "live-binds.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define COVERS_MAX 1000

int live_binds_init(struct live_binds *binds, size_t n)
{
	live_binds_close(binds);
	binds->mounts = calloc(n + 1, sizeof(*binds->mounts));
	if (!binds->mounts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		binds->mounts[i] = -EBADF;
	binds->n = n;
	return 0;
}

void live_binds_close(struct live_binds *binds)
{
	for (size_t i = 0; i < binds->n; i++)
		close_fdp(&binds->mounts[i]);
	free(binds->mounts);
	*binds = (struct live_binds){};
}

void live_binds_hand_over(struct live_binds *binds, struct hand_over *h, size_t n)
{
	if (h->reading && live_binds_init(binds, n) < 0)
		h->error = -ENOMEM;
	for (size_t i = 0; i < n && h->error == 0; i++)
		binds->mounts[i] = hand_over_fd(h, "bind", binds->mounts[i]);
}

/* --- locking ---------------------------------------------------------------------------------- */

#define SLOT_SIZE 24

/* A mount's name on the bench. */
static const char *slot(char name[SLOT_SIZE], size_t i)
{
	(void)snprintf(name, SLOT_SIZE, "%zu", i);
	return name;
}

static int place(int bench, size_t i, int mount)
{
	_cleanup_close_ int target = -EBADF;
	char name[SLOT_SIZE];
	struct stat st;

	(void)slot(name, i);
	if (fstat(mount, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) ? mkdirat(bench, name, 0700) < 0
				: mknodat(bench, name, S_IFREG | 0600, 0) < 0)
		return -errno;
	target = openat(bench, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return target < 0 ? -errno : mnt_attach(mount, target);
}

/* What the child that gets the locked copies leaves in its parent's memory. */
struct locking {
	const int *mounts;
	int *locked;
	size_t n;
	int r;
};

/* Runs on memory and descriptors shared with its parent, which waits (CLONE_VFORK). Its working
 * directory is the bench, in the copied namespace. */
static int clone_locked(void *arg)
{
	struct locking *locking = arg;
	char name[SLOT_SIZE];

	for (size_t i = 0; i < locking->n && locking->r >= 0; i++) {
		if (locking->mounts[i] < 0)
			continue;
		locking->locked[i] = mnt_clone(AT_FDCWD, slot(name, i), true);
		if (locking->locked[i] < 0)
			locking->r = locking->locked[i];
	}
	return 0;
}

static int lock_on(int bench, int *mounts, size_t n)
{
	char stack[64 * 1024] __attribute__((aligned(16)));
	_cleanup_(live_binds_close) struct live_binds locked = {};
	struct locking locking = { .mounts = mounts, .n = n };
	int r = live_binds_init(&locked, n);
	pid_t pid;

	for (size_t i = 0; i < n && r >= 0; i++)
		if (mounts[i] >= 0)
			r = place(bench, i, mounts[i]);
	if (r < 0 || fchdir(bench) < 0)
		return r < 0 ? r : -errno;
	locking.locked = locked.mounts;
	pid = clone(clone_locked, stack + sizeof(stack),
		CLONE_NEWUSER | CLONE_NEWNS | CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD,
		&locking);
	if (pid < 0)
		return -errno;
	(void)waitpid(pid, NULL, 0);
	for (size_t i = 0; i < n && locking.r >= 0; i++) {
		if (mounts[i] < 0)
			continue;
		(void)close(mounts[i]);
		mounts[i] = TAKE_FD(locked.mounts[i]);
	}
	return locking.r;
}

int live_binds_lock(const char *name, int *mounts, size_t n)
{
	_cleanup_close_ int mount = -EBADF, target = -EBADF, bench = -EBADF;
	char path[PATH_MAX], why[256];
	int r;

	/* a place that every container has; nobody else sees this namespace */
	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/private/root", name);
	mount = mnt_new("tmpfs",
		(const struct mnt_option[]){
			{ "source", "narthex-bench" }, { "mode", "0700" }, {} },
		0, why, sizeof(why));
	target = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = mount < 0 ? mount : target < 0 ? -errno : mnt_attach(mount, target);
	if (r >= 0) {
		bench = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = bench < 0 ? -errno : lock_on(bench, mounts, n);
		if (chdir("/") < 0 || umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			r = r < 0 ? r : -errno;
	}
	return r < 0 ? log_errno(r, "cannot lock the flags of the binds") : 0;
}

/* --- in the guest's mount namespace ----------------------------------------------------------- */

int live_binds_enter(int leader_fd)
{
	if (setns(leader_fd, CLONE_NEWNS) < 0)
		return log_errno(-errno, "cannot enter the container's mount namespace");
	return 0;
}

/* Parents first: a path sorts before what begins with it. */
static int next_target(const struct config_bind *binds, const int *mounts, size_t n, int last)
{
	int next = -1;

	for (size_t i = 0; i < n; i++) {
		if (mounts[i] < 0 ||
			(last >= 0 && strcmp(binds[i].target, binds[last].target) <= 0))
			continue;
		if (next < 0 || strcmp(binds[i].target, binds[next].target) < 0)
			next = (int)i;
	}
	return next;
}

int live_binds_attach(const struct config_bind *binds, int *mounts, size_t n)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = root < 0 ? log_errno(-errno, "cannot open the container's root") : 0;
	int last = -1, i;

	while (r >= 0 && (i = next_target(binds, mounts, n, last)) >= 0) {
		struct stat st;

		if (fstat(mounts[i], &st) < 0)
			r = log_errno(-errno, "cannot examine '%s'", binds[i].source);
		else
			r = mount_on(root, mounts[i], binds[i].target,
				S_ISDIR(st.st_mode) ? S_IFDIR : S_IFREG);
		if (r >= 0)
			last = i;
	}
	while (r < 0 && (i = next_target(binds, mounts, n, last)) >= 0)
		close_fdp(&mounts[i]);
	return r;
}

/* Whether a mount that was attached is still there: those of other mount namespaces can't be
 * changed. */
static bool is_mounted(int mount)
{
	return mnt_clear(mount, MOUNT_ATTR_NOSYMFOLLOW, false) != -EINVAL;
}

/*
 * umount2(2) takes what lies over a place first, whoever says where: all that goes with the mount
 * in any case. The guest's root could go on covering it for a while.
 */
static int detach(int mount)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%d", mount);
	for (int i = 0; i < COVERS_MAX && is_mounted(mount); i++)
		if (umount2(name, MNT_DETACH) < 0 && errno != EINVAL)
			return -errno;
	return is_mounted(mount) ? -EBUSY : 0;
}

int live_binds_detach(const struct config_bind *binds, const int *mounts, size_t n, int fds_dir)
{
	if (fchdir(fds_dir) < 0)
		return log_errno(-errno, "cannot go to /proc/self/fd");
	/* what is mounted below goes along: whatever the order, all of them go */
	for (size_t i = 0; i < n; i++) {
		int r = mounts[i] < 0 ? 0 : detach(mounts[i]);

		if (r < 0)
			return log_errno(
				r, "cannot unmount '%s' in the container", binds[i].target);
	}
	return 0;
}
