/* SPDX-License-Identifier: MIT */

/* The mount API against the kernel. */

#include "host-tools/launch/mnt.h"

#include "scratch.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#define BASE SCRATCH "/mnt"
#define SHIFT 300000

static size_t fds_before;
static char why[256];

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	assert_int_equal(mount("base", BASE, "tmpfs", 0, NULL), 0);
	fds_before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(count_mounts(BASE), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

static int new_tmpfs(uint64_t attributes)
{
	int mount = mnt_new("tmpfs",
		(const struct mnt_option[]){ { .key = "source", .value = "test" },
			{ .key = "size", .value = "64k" }, { .key = "mode", .value = "0751" }, {} },
		attributes, why, sizeof(why));

	assert_true(mount >= 0);
	assert_string_equal(why, "");
	return mount;
}

static void attach(int mount, const char *path)
{
	_cleanup_close_ int target = open(path, O_PATH | O_CLOEXEC);

	assert_true(target >= 0);
	assert_int_equal(mnt_attach(mount, target), 0);
}

static void makes_a_file_system(void **state)
{
	_cleanup_close_ int mount = new_tmpfs(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	struct statvfs fs;
	struct stat st;

	assert_int_equal(fcntl(mount, F_GETFD), FD_CLOEXEC);
	assert_int_equal(mkdir(BASE "/at", 0700), 0);
	attach(mount, BASE "/at");
	assert_int_equal(stat(BASE "/at", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_int_equal(statvfs(BASE "/at", &fs), 0);
	assert_int_equal(
		fs.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY), ST_NOSUID | ST_NODEV);
	assert_int_equal(fs.f_blocks * fs.f_frsize, 64 * 1024);
}

static void a_closed_one_is_gone(void **state)
{
	size_t before = count_mounts("");
	int mount = new_tmpfs(0);

	assert_int_equal(count_mounts(""), before); /* detached: in no namespace */
	(void)close(mount);
	assert_int_equal(count_mounts(""), before);
}

static void says_why_not(void **state)
{
	char small[8] = "xxxxxxx";

	assert_int_equal(mnt_new("tmpfs",
				 (const struct mnt_option[]){ { .key = "size", .value = "64k" },
					 { .key = "colour", .value = "red" }, {} },
				 0, why, sizeof(why)),
		-EINVAL);
	assert_non_null(strstr(why, "colour"));
	assert_null(strchr(why, '\n'));
	/* cut, never overrun */
	assert_int_equal(mnt_new("tmpfs", (const struct mnt_option[]){ { .key = "colour" }, {} }, 0,
				 small, 4),
		-EINVAL);
	assert_true(memchr(small, '\0', 4) != NULL);
	assert_string_equal(small + 4, "xxx");
	assert_int_equal(mnt_new("no-such-fs", NULL, 0, why, sizeof(why)), -ENODEV);
	assert_string_equal(why, "");
}

static void clones_with_and_without_what_is_below(void **state)
{
	_cleanup_close_ int below = new_tmpfs(0), flat = -EBADF, deep = -EBADF, empty = -EBADF,
			    dir = open(BASE, O_PATH | O_CLOEXEC);
	struct stat st;

	assert_int_equal(mkdir(BASE "/below", 0700), 0);
	attach(below, BASE "/below");
	put_file(BASE "/below/file", "");
	flat = mnt_clone(AT_FDCWD, BASE, false);
	deep = mnt_clone(AT_FDCWD, BASE, true);
	empty = mnt_clone(dir, "", true);
	assert_true(flat >= 0 && deep >= 0 && empty >= 0);
	assert_int_equal(fstatat(flat, "below/file", &st, 0), -1);
	assert_int_equal(fstatat(deep, "below/file", &st, 0), 0);
	assert_int_equal(fstatat(empty, "below/file", &st, 0), 0);
	assert_int_equal(mnt_clone(AT_FDCWD, BASE "/none", false), -ENOENT);
}

static void a_link_is_not_followed(void **state)
{
	_cleanup_close_ int mount = -EBADF;
	struct stat st;

	assert_int_equal(symlink("/proc", BASE "/link"), 0);
	mount = mnt_clone(AT_FDCWD, BASE "/link", false);
	if (mount >= 0) {
		assert_int_equal(fstat(mount, &st), 0);
		assert_true(S_ISLNK(st.st_mode));
	}
}

static void sets_and_clears_attributes(void **state)
{
	_cleanup_close_ int mount = mnt_clone(AT_FDCWD, BASE, false);
	struct statvfs fs;

	assert_int_equal(mnt_set(mount, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, false), 0);
	assert_int_equal(fstatvfs(mount, &fs), 0);
	assert_int_equal(fs.f_flag & (ST_RDONLY | ST_NOSUID), ST_RDONLY | ST_NOSUID);
	assert_int_equal(mnt_clear(mount, MOUNT_ATTR_RDONLY, false), 0);
	assert_int_equal(fstatvfs(mount, &fs), 0);
	assert_int_equal(fs.f_flag & (ST_RDONLY | ST_NOSUID), ST_NOSUID);
	/* the mount that was cloned has its own */
	assert_int_equal(statvfs(BASE, &fs), 0);
	assert_int_equal(fs.f_flag & (ST_RDONLY | ST_NOSUID), 0);
}

static void attributes_reach_below_when_wanted(void **state)
{
	_cleanup_close_ int below = new_tmpfs(0), mount = -EBADF, inner = -EBADF;
	struct statvfs fs;

	assert_int_equal(mkdir(BASE "/below", 0700), 0);
	attach(below, BASE "/below");
	mount = mnt_clone(AT_FDCWD, BASE, true);
	inner = openat(mount, "below", O_PATH | O_CLOEXEC);
	assert_int_equal(mnt_set(mount, MOUNT_ATTR_RDONLY, false), 0);
	assert_int_equal(fstatvfs(inner, &fs), 0);
	assert_int_equal(fs.f_flag & ST_RDONLY, 0);
	assert_int_equal(mnt_set(mount, MOUNT_ATTR_RDONLY, true), 0);
	assert_int_equal(fstatvfs(inner, &fs), 0);
	assert_int_equal(fs.f_flag & ST_RDONLY, ST_RDONLY);
}

/* A user namespace with 0…999 at SHIFT. */
static int make_userns(void)
{
	int ready[2], userns;
	char path[64];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], path, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	put_file(path, "0 300000 1000\n");
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	put_file(path, "0 300000 1000\n");
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(userns >= 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	return userns;
}

static void shifts_owners(void **state)
{
	_cleanup_close_ int userns = make_userns(), mount = -EBADF;
	struct stat st;

	put_file(BASE "/file", "");
	assert_int_equal(chown(BASE "/file", 7, 8), 0);
	put_file(BASE "/far", "");
	assert_int_equal(chown(BASE "/far", 5000, 5000), 0);
	mount = mnt_clone(AT_FDCWD, BASE, false);
	assert_int_equal(mnt_idmap(mount, userns, false), 0);
	assert_int_equal(fstatat(mount, "file", &st, 0), 0);
	assert_int_equal(st.st_uid, SHIFT + 7);
	assert_int_equal(st.st_gid, SHIFT + 8);
	assert_int_equal(fstatat(mount, "far", &st, 0), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(stat(BASE "/file", &st), 0);
	assert_int_equal(st.st_uid, 7); /* the disk's owner stays */
}

static void says_where_owners_cannot_be_shifted(void **state)
{
	_cleanup_close_ int userns = make_userns(), proc = mnt_clone(AT_FDCWD, "/proc", false),
			    mount = -EBADF;

	assert_int_equal(mnt_idmap(proc, userns, false), -EINVAL);
	/* one such below is enough */
	assert_int_equal(mkdir(BASE "/below", 0700), 0);
	attach(proc, BASE "/below");
	mount = mnt_clone(AT_FDCWD, BASE, true);
	assert_int_equal(mnt_idmap(mount, userns, true), -EINVAL);
	assert_int_equal(mnt_idmap(mount, userns, false), 0);
}

static void attaches_like_to_like(void **state)
{
	_cleanup_close_ int mount = -EBADF, file = -EBADF, dir = -EBADF;

	put_file(BASE "/source", "text");
	put_file(BASE "/target", "");
	assert_int_equal(mkdir(BASE "/directory", 0700), 0);
	mount = mnt_clone(AT_FDCWD, BASE "/source", false);
	file = open(BASE "/target", O_PATH | O_CLOEXEC);
	dir = open(BASE "/directory", O_PATH | O_CLOEXEC);
	assert_true(mnt_attach(mount, dir) < 0);
	assert_int_equal(mnt_attach(mount, file), 0);
	assert_file(BASE "/target", "text");
}

static void names_file_systems(void **state)
{
	_cleanup_close_ int base = open(BASE, O_PATH | O_CLOEXEC),
			    proc = open("/proc", O_PATH | O_CLOEXEC),
			    memory = memfd_create("memory", MFD_CLOEXEC);
	char name[16], small[4];

	assert_string_equal(mnt_fs_name(base, name, sizeof(name)), "tmpfs");
	assert_string_equal(mnt_fs_name(proc, name, sizeof(name)), "proc");
	assert_string_equal(mnt_fs_name(base, small, sizeof(small)), "tmp");
	assert_string_equal(mnt_fs_name(memory, name, sizeof(name)), "unknown");
	assert_string_equal(mnt_fs_name(-EBADF, name, sizeof(name)), "unknown");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_a_file_system),
		TEST(a_closed_one_is_gone),
		TEST(says_why_not),
		TEST(clones_with_and_without_what_is_below),
		TEST(a_link_is_not_followed),
		TEST(sets_and_clears_attributes),
		TEST(attributes_reach_below_when_wanted),
		TEST(shifts_owners),
		TEST(says_where_owners_cannot_be_shifted),
		TEST(attaches_like_to_like),
		TEST(names_file_systems),
	};

	return cmocka_run_group_tests_name("mnt", tests, scratch_enter, NULL);
}
