/* SPDX-License-Identifier: MIT */

/* Trees that are hard to remove, and what must survive. */

#include "host-tools/ctl/tree-remove.h"

#include "scratch.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define BASE SCRATCH "/remove"
#define TREE BASE "/tree"
#define OUTSIDE BASE "/outside"

static int base = -EBADF;
static size_t fds_before;

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	assert_int_equal(mount("remove", BASE, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(TREE, 0755), 0);
	assert_int_equal(mkdir(OUTSIDE, 0755), 0);
	put_file(OUTSIDE "/canary", "sings");
	base = open(BASE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(base >= 0);
	fds_before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(count_fds(), fds_before);
	close_fdp(&base);
	assert_int_equal(count_entries(OUTSIDE), 1);
	assert_file(OUTSIDE "/canary", "sings");
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

static void assert_removed(uint64_t count)
{
	struct tree_removal removal = {};
	int r = tree_remove(base, "tree", &removal);

	if (r < 0)
		fail_msg("%s: %s", removal.failed, strerror(-r));
	assert_false(exists(TREE));
	if (count)
		assert_int_equal(removal.removed, count);
}

static void removes_every_kind(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = TREE "/socket" };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(mkfifo(TREE "/fifo", 0600), 0);
	assert_int_equal(mknod(TREE "/null", S_IFCHR | 0600, makedev(1, 3)), 0);
	assert_int_equal(symlink(OUTSIDE, TREE "/link"), 0);
	assert_int_equal(symlink(OUTSIDE "/canary", TREE "/file-link"), 0);
	assert_int_equal(link(OUTSIDE "/canary", TREE "/hard-link"), 0);
	assert_int_equal(mkdir(TREE "/closed", 0000), 0);
	put_file(TREE "/closed/file", "");
	assert_removed(9);
}

static void removes_any_name(void **state)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), TREE "/%0255d", 0);
	assert_int_equal(mkdir(path, 0755), 0);
	put_file(TREE "/-rf", "");
	put_file(TREE "/ new\nline\t*?[", "");
	put_file(TREE "/\xff\xfe\x80", "");
	put_file(TREE "/...", "");
	put_file(TREE "/.deep-0", "");
	assert_removed(7);
}

/* A chain of directories, a file at its end. */
static void make_deep(unsigned depth)
{
	_cleanup_close_ int at = open(TREE, O_RDONLY | O_DIRECTORY | O_CLOEXEC), file = -EBADF;

	for (unsigned i = 0; i < depth; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close_fdp(&at);
		at = next;
	}
	file = openat(at, "end", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
}

static void removes_what_is_deep(void **state)
{
	make_deep(20000);
	assert_removed(20002);
}

static void removes_what_is_wide(void **state)
{
	for (unsigned i = 0; i < 5000; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), TREE "/f%u", i);
		put_file(path, "");
		(void)snprintf(path, sizeof(path), TREE "/d%u", i);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_removed(10001);
}

static void set_flags(const char *path, int flags)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
}

static void removes_immutable_files(void **state)
{
	assert_int_equal(mkdir(TREE "/dir", 0755), 0);
	assert_int_equal(mkdir(TREE "/dir/empty", 0755), 0);
	assert_int_equal(mkdir(TREE "/logs", 0755), 0);
	put_file(TREE "/dir/file", "");
	put_file(TREE "/logs/log", "");
	set_flags(TREE "/dir/file", FS_IMMUTABLE_FL);
	set_flags(TREE "/dir/empty", FS_IMMUTABLE_FL);
	set_flags(TREE "/dir", FS_IMMUTABLE_FL);
	set_flags(TREE "/logs/log", FS_APPEND_FL);
	set_flags(TREE "/logs", FS_APPEND_FL);
	set_flags(TREE, FS_IMMUTABLE_FL);
	assert_int_equal(unlink(TREE "/dir/file"), -1);
	assert_int_equal(errno, EPERM);
	assert_removed(6);
}

static void leaves_what_a_link_has_immutable(void **state)
{
	int flags = 0;
	_cleanup_close_ int fd = open(OUTSIDE "/canary", O_RDONLY | O_CLOEXEC);

	assert_int_equal(symlink(OUTSIDE "/canary", TREE "/link"), 0);
	set_flags(OUTSIDE "/canary", FS_IMMUTABLE_FL);
	set_flags(TREE, FS_IMMUTABLE_FL);
	assert_removed(2);
	assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	assert_true(flags & FS_IMMUTABLE_FL);
	set_flags(OUTSIDE "/canary", 0);
}

static void enters_no_mount(const char *target, const char *wanted)
{
	struct tree_removal removal = {};
	_cleanup_free_ char *where = NULL;

	put_file(TREE "/file", "");
	assert_int_equal(tree_find_mount(TREE, &where), 0);
	assert_int_equal(mount(OUTSIDE, target, NULL, MS_BIND, NULL), 0);
	assert_int_equal(tree_find_mount(TREE, &where), 1);
	assert_string_equal(where, target);
	assert_int_equal(tree_remove(base, "tree", &removal), -EBUSY);
	assert_string_equal(removal.failed, wanted);
	assert_file(OUTSIDE "/canary", "sings");
	assert_false(exists(TREE "/file"));
	assert_int_equal(umount2(target, MNT_DETACH), 0);
	assert_removed(0);
}

static void leaves_a_mounted_directory(void **state)
{
	assert_int_equal(mkdir(TREE "/a b", 0755), 0);
	assert_int_equal(mkdir(TREE "/a b/mnt", 0755), 0);
	enters_no_mount(TREE "/a b/mnt", "a b/mnt");
}

/* Deep enough to be moved about. */
static void leaves_a_deep_mounted_directory(void **state)
{
	char path[1024] = TREE;
	struct tree_removal removal = {};

	for (int i = 0; i < 200; i++) {
		size_t len = strlen(path);

		(void)snprintf(path + len, sizeof(path) - len, "/d");
		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_int_equal(mount(OUTSIDE, path, NULL, MS_BIND, NULL), 0);
	assert_int_equal(tree_remove(base, "tree", &removal), -EBUSY);
	assert_file(OUTSIDE "/canary", "sings");
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(mount("remove", BASE, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(OUTSIDE, 0755), 0);
	put_file(OUTSIDE "/canary", "sings");
}

static void leaves_a_mounted_file(void **state)
{
	struct tree_removal removal = {};

	put_file(TREE "/file", "");
	assert_int_equal(mount(OUTSIDE "/canary", TREE "/file", NULL, MS_BIND, NULL), 0);
	assert_int_equal(tree_remove(base, "tree", &removal), -EBUSY);
	assert_string_equal(removal.failed, "file");
	assert_int_equal(umount2(TREE "/file", MNT_DETACH), 0);
	assert_removed(2);
}

static void finds_the_mounts_of_a_tree_only(void **state)
{
	_cleanup_free_ char *where = NULL;

	assert_int_equal(mkdir(BASE "/tree-2", 0755), 0);
	assert_int_equal(mount(OUTSIDE, BASE "/tree-2", NULL, MS_BIND, NULL), 0);
	assert_int_equal(tree_find_mount(TREE, &where), 0);
	assert_int_equal(tree_find_mount(BASE "/tree-2", &where), 1);
	assert_string_equal(where, BASE "/tree-2");
	assert_int_equal(umount2(BASE "/tree-2", MNT_DETACH), 0);
}

static void refuses_what_is_no_directory(void **state)
{
	struct tree_removal removal = {};

	assert_int_equal(symlink("outside", BASE "/link"), 0);
	assert_int_equal(tree_remove(base, "link", &removal), -ENOTDIR);
	assert_int_equal(tree_remove(base, "none", &removal), -ENOENT);
	put_file(BASE "/file", "");
	assert_int_equal(tree_remove(base, "file", &removal), -ENOTDIR);
	assert_int_equal(removal.removed, 0);
}

static void on_progress(void *userdata, uint64_t removed)
{
	assert_true(removed > *(uint64_t *)userdata);
	*(uint64_t *)userdata = removed;
}

static void tells_its_progress(void **state)
{
	uint64_t seen = 0;
	struct tree_removal removal = { .progress = on_progress, .userdata = &seen };

	make_deep(1000);
	assert_int_equal(tree_remove(base, "tree", &removal), 0);
	assert_true(seen > 500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(removes_every_kind),
		TEST(removes_any_name),
		TEST(removes_what_is_deep),
		TEST(removes_what_is_wide),
		TEST(removes_immutable_files),
		TEST(leaves_what_a_link_has_immutable),
		TEST(leaves_a_mounted_directory),
		TEST(leaves_a_deep_mounted_directory),
		TEST(leaves_a_mounted_file),
		TEST(finds_the_mounts_of_a_tree_only),
		TEST(refuses_what_is_no_directory),
		TEST(tells_its_progress),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
