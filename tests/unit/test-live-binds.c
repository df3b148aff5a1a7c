/* SPDX-License-Identifier: MIT */

/*
 * Mounts that are put into a running container, here: a process with a user and a mount namespace
 * of its own. What its root can do to them, and what it can't.
 */

#include "host-tools/launch/live-binds.h"

#include "said.h"
#include "scratch.h"

#include "host-tools/launch/mnt.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>

#define PLACE "/run/narthex/foo/private/root"
#define SOURCE SCRATCH "/source"
#define TARGET SCRATCH "/target"

static pid_t guest;
static int guest_fd = -EBADF, guest_user = -EBADF, guest_mnt = -EBADF;
static size_t fds_before, mounts_before;

static int open_ns(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", guest, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void write_map(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", guest, name);
	put_file(path, "0 0 65536");
}

static int setup(void **state)
{
	int ready[2];
	char c;

	(void)mkdir("/run/narthex", 0755);
	(void)mkdir("/run/narthex/foo", 0755);
	(void)mkdir("/run/narthex/foo/private", 0700);
	(void)mkdir(PLACE, 0755);
	(void)mkdir(SOURCE, 0755);
	(void)mkdir(SOURCE "/sub", 0755);
	(void)mkdir(SCRATCH "/other", 0755);
	put_file(SOURCE "/file", "source");
	put_file(SCRATCH "/other/file", "other");
	(void)mkdir(TARGET, 0755);
	fds_before = count_fds();
	mounts_before = count_mounts("");
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	guest = fork();
	if (guest == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
			unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	if (guest < 0 || read(ready[0], &c, 1) != 1)
		return -1;
	(void)close(ready[0]);
	write_map("uid_map");
	write_map("gid_map");
	guest_fd = pidfd_open(guest, 0);
	guest_user = open_ns("user");
	guest_mnt = open_ns("mnt");
	return guest_fd < 0 || guest_user < 0 || guest_mnt < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)pidfd_send_signal(guest_fd, SIGKILL, NULL, 0);
	(void)waitpid(guest, NULL, 0);
	close_fdp(&guest_fd);
	close_fdp(&guest_user);
	close_fdp(&guest_mnt);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(count_mounts(""), mounts_before);
	return 0;
}

/* Runs f in a child: as the guest's root, or as the host's in the guest's mount namespace. Returns
 * what f does. */
static int as_guest(int (*f)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(setns(guest_user, CLONE_NEWUSER) < 0 || setns(guest_mnt, CLONE_NEWNS) < 0
				? 255
				: f(arg));
	return wait_child(pid);
}

static int as_host(int (*f)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fds_dir = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

		_exit(live_binds_enter(guest_fd) < 0 || fds_dir < 0 || dup2(fds_dir, 100) < 0
				? 255
				: f(arg));
	}
	return wait_child(pid);
}

struct set {
	struct config_bind *binds;
	int *mounts;
	size_t n;
};

/* Errors have small numbers. */
static int attach(void *arg)
{
	const struct set *set = arg;

	return -live_binds_attach(set->binds, set->mounts, set->n);
}

static int detach(void *arg)
{
	const struct set *set = arg;

	return -live_binds_detach(set->binds, set->mounts, set->n, 100);
}

static int clear_read_only(void *arg)
{
	return mount(NULL, arg, NULL, MS_REMOUNT | MS_BIND, NULL) < 0 ? errno : 0;
}

static int unmount(void *arg)
{
	return umount2(arg, MNT_DETACH) < 0 ? errno : 0;
}

static int can_write(void *arg)
{
	int fd = openat(AT_FDCWD, arg, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static int says_other(void *arg)
{
	char text[8] = "";
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, text, 7) > 0 ? strcmp(text, "other") != 0 : 2;
}

static int clone_of(const char *path, bool read_only)
{
	int mount = mnt_clone(AT_FDCWD, path, true);

	assert_true(mount >= 0);
	if (read_only)
		assert_int_equal(mnt_set(mount, MOUNT_ATTR_RDONLY, true), 0);
	return mount;
}

static struct config_bind bind_at(const char *target)
{
	return (struct config_bind){ .source = (char *)SOURCE, .target = (char *)target };
}

/* The guest's root can unmount it, which is the guest's own loss, but not write to it. */
static void a_locked_one_stays_read_only(void **state)
{
	struct config_bind bind = bind_at(TARGET);
	int mount = clone_of(SOURCE, true);
	struct set set = { &bind, &mount, 1 };

	assert_int_equal(live_binds_lock("foo", &mount, 1), 0);
	assert_int_equal(count_mounts(""), mounts_before);
	assert_int_equal(as_host(attach, &set), 0);
	assert_int_equal(as_guest(can_write, (void *)TARGET "/file"), EROFS);
	assert_int_equal(as_guest(clear_read_only, (void *)TARGET), EPERM);
	assert_int_equal(as_guest(can_write, (void *)TARGET "/file"), EROFS);
	assert_int_equal(as_guest(unmount, (void *)TARGET), 0);
	(void)close(mount);
}

/* What locking is for: without it, the same guest does that. */
static void one_that_is_not_locked_does_not(void **state)
{
	struct config_bind bind = bind_at(TARGET);
	int mount = clone_of(SOURCE, true);
	struct set set = { &bind, &mount, 1 };

	assert_int_equal(as_host(attach, &set), 0);
	assert_int_equal(as_guest(can_write, (void *)TARGET "/file"), EROFS);
	assert_int_equal(as_guest(clear_read_only, (void *)TARGET), 0);
	assert_int_equal(as_guest(can_write, (void *)TARGET "/file"), 0);
	(void)close(mount);
}

static void files_directories_and_gaps(void **state)
{
	int mounts[] = { clone_of(SOURCE, false), -EBADF, clone_of(SOURCE "/file", true) };
	struct config_bind binds[] = { bind_at(TARGET), bind_at("/nowhere"),
		bind_at(TARGET "/file") };
	struct set set = { binds, mounts, 3 };

	assert_int_equal(live_binds_lock("foo", mounts, 3), 0);
	assert_int_equal(mounts[1], -EBADF);
	assert_int_equal(as_host(attach, &set), 0);
	assert_false(exists("/nowhere"));
	assert_int_equal(as_guest(can_write, (void *)TARGET "/file"), EROFS);
	(void)close(mounts[0]);
	(void)close(mounts[2]);
}

/* And can't be taken off, for what it hides is not the guest's to see. */
static void what_is_mounted_below_comes_along(void **state)
{
	struct config_bind bind = bind_at(TARGET);
	int mount_fd;
	struct set set = { &bind, &mount_fd, 1 };

	assert_int_equal(mount("below", SOURCE "/sub", "tmpfs", 0, NULL), 0);
	put_file(SOURCE "/sub/file", "other");
	mount_fd = clone_of(SOURCE, false);
	assert_int_equal(umount2(SOURCE "/sub", MNT_DETACH), 0);
	assert_int_equal(live_binds_lock("foo", &mount_fd, 1), 0);
	assert_int_equal(as_host(attach, &set), 0);
	assert_int_equal(as_guest(says_other, (void *)TARGET "/sub/file"), 0);
	assert_int_equal(as_guest(unmount, (void *)TARGET "/sub"), EINVAL);
	(void)close(mount_fd);
}

/* Written child first: mounted in the order of the file, the parent would cover it. */
static void parents_come_first(void **state)
{
	int mounts[] = { clone_of(SCRATCH "/other", false), clone_of(SOURCE, false) };
	struct config_bind binds[] = { bind_at(TARGET "/sub"), bind_at(TARGET) };
	struct set set = { binds, mounts, 2 };

	assert_int_equal(as_host(attach, &set), 0);
	assert_int_equal(as_guest(says_other, (void *)TARGET "/sub/file"), 0);
	assert_int_equal(as_host(detach, &set), 0);
	assert_int_equal(as_guest(says_other, (void *)TARGET "/sub/file"), 2);
	(void)close(mounts[0]);
	(void)close(mounts[1]);
}

static int hide(void *arg)
{
	if (mkdir(SCRATCH "/elsewhere", 0755) < 0 && errno != EEXIST)
		return errno;
	if (mount(TARGET, SCRATCH "/elsewhere", NULL, MS_MOVE, NULL) < 0)
		return errno;
	for (int i = 0; i < 5; i++)
		if (mount("cover", SCRATCH "/elsewhere", "tmpfs", 0, NULL) < 0)
			return errno;
	return mount("mine", TARGET, "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int is_a_mount_of_mine(void *arg)
{
	return count_mounts(arg) == 1 ? 0 : 1;
}

/* Moved, and covered five times: it is found, and what lies where it was is not touched. */
static void it_is_found_wherever_it_is(void **state)
{
	struct config_bind bind = bind_at(TARGET);
	int mount = clone_of(SOURCE, false);
	struct set set = { &bind, &mount, 1 };

	assert_int_equal(live_binds_lock("foo", &mount, 1), 0);
	assert_int_equal(as_host(attach, &set), 0);
	assert_int_equal(as_guest(hide, NULL), 0);
	assert_int_equal(as_host(detach, &set), 0);
	assert_int_equal(as_guest(is_a_mount_of_mine, (void *)TARGET), 0);
	assert_int_equal(as_guest(is_a_mount_of_mine, (void *)SCRATCH "/elsewhere"), 1);
	/* one that is gone is fine */
	assert_int_equal(as_host(detach, &set), 0);
	assert_int_equal(as_guest(is_a_mount_of_mine, (void *)TARGET), 0);
	(void)close(mount);
}

/* A link of the guest's is not followed. */
static void a_target_that_is_a_link(void **state)
{
	struct config_bind bind = bind_at(SCRATCH "/link/x");
	int mount = clone_of(SOURCE, false);
	struct set set = { &bind, &mount, 1 };

	assert_int_equal(symlink("/run/scratch/other", SCRATCH "/link"), 0);
	listen_begin();
	assert_int_equal(as_host(attach, &set), ELOOP);
	listen_end();
	assert_non_null(strstr(said, "'" SCRATCH "/link/x' in the container's root is a symbolic"));
	assert_false(exists(SCRATCH "/other/x"));
	assert_int_equal(unlink(SCRATCH "/link"), 0);
	(void)close(mount);
}

static void without_a_place_to_lock_at(void **state)
{
	int mount = clone_of(SOURCE, true);

	assert_int_equal(rmdir(PLACE), 0);
	listen_begin();
	assert_int_equal(live_binds_lock("foo", &mount, 1), -ENOENT);
	listen_end();
	assert_non_null(strstr(said, "cannot lock the flags of the binds"));
	assert_true(fcntl(mount, F_GETFD) >= 0); /* still the caller's */
	(void)close(mount);
}

static void none(void **state)
{
	struct live_binds binds = {};

	live_binds_close(&binds);
	assert_int_equal(live_binds_init(&binds, 0), 0);
	assert_int_equal(live_binds_init(&binds, 3), 0);
	assert_int_equal(binds.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(binds.mounts[i], -EBADF);
	binds.mounts[1] = clone_of(SOURCE, false);
	live_binds_close(&binds); /* the descriptor, too: teardown counts */
	assert_null(binds.mounts);
}

#define BINDS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int enter(void **state)
{
	return scratch_enter(state) < 0 ? -1 : listen_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BINDS(a_locked_one_stays_read_only),
		BINDS(one_that_is_not_locked_does_not),
		BINDS(files_directories_and_gaps),
		BINDS(what_is_mounted_below_comes_along),
		BINDS(parents_come_first),
		BINDS(it_is_found_wherever_it_is),
		BINDS(a_target_that_is_a_link),
		BINDS(without_a_place_to_lock_at),
		BINDS(none),
	};

	log_init("test-live-binds");
	return cmocka_run_group_tests(tests, enter, NULL);
}
