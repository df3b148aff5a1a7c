/* SPDX-License-Identifier: MIT */

/* Every hostile thing below a root, against the kernel. */

#include "host-tools/launch/tree.h"

#include "scratch.h"

#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define BASE SCRATCH "/tree"
#define ROOT BASE "/root"
#define OUTSIDE BASE "/outside"

static int root = -EBADF;
static size_t fds_before;

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	assert_int_equal(mount("tree", BASE, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(ROOT, 0755), 0);
	assert_int_equal(mkdir(OUTSIDE, 0755), 0);
	put_file(OUTSIDE "/canary", "sings");
	root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	fds_before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(count_fds(), fds_before);
	close_fdp(&root);
	/* whatever a test did, the outside is as it was */
	assert_int_equal(count_entries(OUTSIDE), 1);
	assert_file(OUTSIDE "/canary", "sings");
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

/* The result of a function that returns a descriptor, which is closed: 0 or -errno. */
static int done(int r)
{
	if (r >= 0)
		(void)close(r);
	return r < 0 ? r : 0;
}

static bool same_file(int fd_consumed, const char *path)
{
	_cleanup_close_ int fd = fd_consumed;
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static void make_socket(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void opens_what_is_there(void **state)
{
	assert_int_equal(mkdir(ROOT "/a", 0755), 0);
	assert_int_equal(mkdir(ROOT "/a/b", 0755), 0);
	put_file(ROOT "/a/file", "");
	assert_true(same_file(tree_open(root, "/a/b", S_IFDIR), ROOT "/a/b"));
	assert_true(same_file(tree_open(root, "a/b", S_IFDIR), ROOT "/a/b"));
	assert_true(same_file(tree_open(root, "//a///b//", S_IFDIR), ROOT "/a/b"));
	assert_true(same_file(tree_open(root, "/a/./b/.", 0), ROOT "/a/b"));
	assert_true(same_file(tree_open(root, "/a/file", S_IFREG), ROOT "/a/file"));
	assert_true(same_file(tree_open(root, "/", S_IFDIR), ROOT));
	assert_true(same_file(tree_open(root, "", S_IFDIR), ROOT));
	assert_int_equal(done(tree_open(root, "/none", 0)), -ENOENT);
}

static void tells_kinds_apart(void **state)
{
	static const char *const special[] = { "/fifo", "/device", "/socket" };

	assert_int_equal(mkdir(ROOT "/directory", 0755), 0);
	put_file(ROOT "/file", "");
	assert_int_equal(mkfifo(ROOT "/fifo", 0666), 0);
	assert_int_equal(mknod(ROOT "/device", S_IFCHR | 0666, makedev(1, 3)), 0);
	make_socket(ROOT "/socket");
	assert_int_equal(done(tree_open(root, "/file", S_IFDIR)), -ENOTDIR);
	assert_int_equal(done(tree_open(root, "/directory", S_IFREG)), -EINVAL);
	assert_int_equal(done(tree_open(root, "/file/", 0)), -ENOTDIR);
	assert_int_equal(done(tree_open(root, "/file/x", 0)), -ENOTDIR);
	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		assert_int_equal(done(tree_open(root, special[i], 0)), 0);
		assert_int_equal(done(tree_open(root, special[i], S_IFREG)), -EINVAL);
		assert_int_equal(done(tree_open(root, special[i], S_IFDIR)), -ENOTDIR);
		assert_int_equal(done(tree_mkdir_p(root, special[i])), -ENOTDIR);
		assert_int_equal(done(tree_mount_point(root, special[i], S_IFDIR)), -ENOTDIR);
		/* a file can be mounted over any of them */
		assert_int_equal(done(tree_mount_point(root, special[i], S_IFREG)), 0);
	}
	assert_int_equal(done(tree_mount_point(root, "/directory", S_IFREG)), -EISDIR);
	assert_int_equal(done(tree_mount_point(root, "/file", S_IFDIR)), -ENOTDIR);
	assert_int_equal(done(tree_mkdir_p(root, "/file/x")), -ENOTDIR);
}

static void refuses_links(void **state)
{
	static const char *const targets[] = { OUTSIDE, "../outside", "../../../../" OUTSIDE,
		"/outside", "/none", "none", "link", ".", "..", "directory" };

	assert_int_equal(mkdir(ROOT "/directory", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		assert_int_equal(symlink(targets[i], ROOT "/link"), 0);
		assert_int_equal(done(tree_open(root, "/link", 0)), -ELOOP);
		assert_int_equal(done(tree_open(root, "/link", S_IFDIR)), -ELOOP);
		assert_int_equal(done(tree_open(root, "/link/", S_IFDIR)), -ELOOP);
		assert_int_equal(done(tree_open(root, "/link/canary", 0)), -ELOOP);
		assert_int_equal(done(tree_mkdir_p(root, "/link")), -ELOOP);
		assert_int_equal(done(tree_mkdir_p(root, "/link/x/y")), -ELOOP);
		assert_int_equal(done(tree_mount_point(root, "/link", S_IFDIR)), -ELOOP);
		assert_int_equal(done(tree_mount_point(root, "/link", S_IFREG)), -ELOOP);
		assert_int_equal(done(tree_mount_point(root, "/link/x", S_IFDIR)), -ELOOP);
		assert_int_equal(done(tree_mount_point(root, "/link/x", S_IFREG)), -ELOOP);
		assert_int_equal(tree_write(root, "/link", "x", 0644), -EEXIST);
		assert_int_equal(tree_write(root, "/link/x", "x", 0644), -ELOOP);
		assert_int_equal(count_entries(ROOT), 2);
		assert_int_equal(count_entries(ROOT "/directory"), 0);
		assert_int_equal(unlink(ROOT "/link"), 0);
	}
}

/* The links of /proc lead anywhere, and "no symbolic links" alone is not about them. */
static void refuses_magic_links(void **state)
{
	char path[64];

	assert_int_equal(mkdir(ROOT "/proc", 0755), 0);
	assert_int_equal(mount("proc", ROOT "/proc", "proc", 0, NULL), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), root);
	assert_int_equal(done(tree_open(root, path, 0)), -ELOOP);
	(void)snprintf(path, sizeof(path), "/proc/%d/root", getpid());
	assert_int_equal(done(tree_open(root, path, S_IFDIR)), -ELOOP);
	assert_int_equal(done(tree_mount_point(root, path, S_IFDIR)), -ELOOP);
	assert_true(tree_resolve(root, path, &(char *){ NULL }) < 0);
}

static void dotdot_stays_inside(void **state)
{
	assert_int_equal(done(tree_open(root, "/../outside", 0)), -ENOENT);
	assert_true(same_file(tree_open(root, "../../..", S_IFDIR), ROOT));
	assert_true(same_file(tree_mkdir_p(root, "/../../x"), ROOT "/x"));
	assert_true(same_file(tree_mkdir_p(root, "/x/../y"), ROOT "/x/y"));
	assert_true(same_file(tree_mount_point(root, "/../outside/m", S_IFREG), ROOT "/outside/m"));
	assert_int_equal(tree_write(root, "/../outside/w", "x", 0644), 0);
	assert_file(ROOT "/outside/w", "x");
	assert_int_equal(tree_write(root, "/x/..", "x", 0644), -EINVAL);
	assert_int_equal(tree_write(root, "/x/.", "x", 0644), -EINVAL);
	assert_int_equal(tree_write(root, "/", "x", 0644), -EINVAL);
	assert_int_equal(tree_write(root, "", "x", 0644), -EINVAL);
}

static void makes_what_is_missing(void **state)
{
	struct stat st;

	assert_true(same_file(tree_mkdir_p(root, "//a//b/c/"), ROOT "/a/b/c"));
	assert_int_equal(stat(ROOT "/a/b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(same_file(tree_mount_point(root, "/m/dir/", S_IFDIR), ROOT "/m/dir"));
	assert_true(same_file(tree_mount_point(root, "/m/sub/file", S_IFREG), ROOT "/m/sub/file"));
	assert_int_equal(stat(ROOT "/m/sub/file", &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	/* again: what is there is taken */
	put_file(ROOT "/m/sub/file", "stays");
	assert_true(same_file(tree_mount_point(root, "/m/sub/file", S_IFREG), ROOT "/m/sub/file"));
	assert_file(ROOT "/m/sub/file", "stays");
}

static void long_names(void **state)
{
	char name[5000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(done(tree_mkdir_p(root, name)), -ENAMETOOLONG);
	assert_int_equal(done(tree_open(root, name, 0)), -ENAMETOOLONG);
	assert_int_equal(done(tree_mount_point(root, name, S_IFREG)), -ENAMETOOLONG);
	assert_int_equal(tree_write(root, name, "x", 0644), -ENAMETOOLONG);
	name[4095] = '\0'; /* a path that fits, a name that doesn't */
	assert_int_equal(done(tree_mkdir_p(root, name)), -ENAMETOOLONG);
	assert_int_equal(tree_write(root, name, "x", 0644), -ENAMETOOLONG);
	assert_int_equal(count_entries(ROOT), 0);
	name[255] = '\0';
	assert_int_equal(done(tree_mkdir_p(root, name)), 0);
	/* a path of many names, as long as they come */
	for (size_t i = 0; i < 4094; i++)
		name[i] = i % 2 == 0 ? 'd' : '/';
	name[4094] = '\0';
	assert_int_equal(done(tree_mkdir_p(root, name)), 0);
	assert_int_equal(done(tree_open(root, name, S_IFDIR)), 0);
}

static void writes_new_files_only(void **state)
{
	struct stat st;

	put_file(ROOT "/there", "old");
	assert_int_equal(link(OUTSIDE "/canary", ROOT "/hard"), 0);
	assert_int_equal(mkfifo(ROOT "/fifo", 0666), 0);
	assert_int_equal(mkdir(ROOT "/directory", 0755), 0);
	assert_int_equal(tree_write(root, "/there", "new", 0644), -EEXIST);
	assert_int_equal(tree_write(root, "/hard", "new", 0644), -EEXIST);
	assert_int_equal(tree_write(root, "/fifo", "new", 0644), -EEXIST);
	assert_int_equal(tree_write(root, "/directory", "new", 0644), -EEXIST);
	assert_file(ROOT "/there", "old");
	assert_int_equal(tree_write(root, "/new/file", "text\n", 0440), 0);
	assert_file(ROOT "/new/file", "text\n");
	assert_int_equal(stat(ROOT "/new/file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
	assert_int_equal(unlink(ROOT "/hard"), 0);
}

static void assert_resolves(const char *path, const char *want)
{
	_cleanup_free_ char *have = NULL;

	assert_int_equal(tree_resolve(root, path, &have), 0);
	assert_string_equal(have, want);
}

static void resolves_inside(void **state)
{
	char *none = NULL;

	assert_int_equal(done(tree_mkdir_p(root, "/usr/lib")), 0);
	put_file(ROOT "/usr/lib/real", "");
	assert_int_equal(symlink("/usr/lib/real", ROOT "/absolute"), 0);
	assert_int_equal(symlink("../../../../../usr/lib/real", ROOT "/usr/relative"), 0);
	assert_int_equal(symlink("usr/lib", ROOT "/lib"), 0);
	assert_int_equal(symlink("absolute", ROOT "/chain"), 0);
	assert_int_equal(symlink("loop", ROOT "/loop"), 0);
	assert_int_equal(symlink("/", ROOT "/top"), 0);
	assert_int_equal(symlink(OUTSIDE "/canary", ROOT "/escape"), 0);
	assert_resolves("/usr/lib/real", "/usr/lib/real");
	assert_resolves("absolute", "/usr/lib/real");
	assert_resolves("/usr/relative", "/usr/lib/real");
	assert_resolves("/lib/real", "/usr/lib/real");
	assert_resolves("/chain", "/usr/lib/real");
	assert_resolves("/top/lib", "/usr/lib");
	assert_int_equal(tree_resolve(root, "/loop", &none), -ELOOP);
	assert_int_equal(tree_resolve(root, "/none", &none), -ENOENT);
	assert_int_equal(tree_resolve(root, "/escape", &none), -ENOENT);
	assert_int_equal(tree_resolve(root, "/../outside/canary", &none), -ENOENT);
	assert_int_equal(tree_resolve(root, "/top", &none), -EXDEV);
	assert_null(none);
}

/* --- the race ------------------------------------------------------------------------------- */

static atomic_bool stop;
static atomic_uint exchanges;

/* A guest's root who swaps a directory for a link to the host, as fast as it goes. */
static void *exchange(void *arg)
{
	while (!stop)
		if (renameat2(root, "dir", root, "link", RENAME_EXCHANGE) == 0)
			exchanges++;
	return NULL;
}

static void nothing_outside_is_touched_in_a_race(void **state)
{
	unsigned int opened = 0, refused = 0;
	struct stat outside;
	pthread_t thread;

	assert_int_equal(stat(OUTSIDE, &outside), 0);
	assert_int_equal(mkdir(ROOT "/dir", 0755), 0);
	assert_int_equal(symlink("../outside", ROOT "/link"), 0);
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, exchange, NULL), 0);
	for (unsigned int i = 0; i < 1000 || ((opened == 0 || refused == 0) && i < 1000000); i++) {
		char path[64];
		int fds[3];

		(void)snprintf(path, sizeof(path), "/dir/w%u", i % 1000);
		fds[0] = tree_write(root, path, "x", 0644);
		(void)snprintf(path, sizeof(path), "/dir/m%u/file", i % 1000);
		fds[1] = tree_mount_point(root, path, S_IFREG);
		fds[2] = tree_mount_point(root, "/dir", S_IFDIR);
		for (size_t n = 0; n < ARRAY_SIZE(fds); n++) {
			struct stat st;

			if (fds[n] < 0)
				refused++;
			if (n == 0 || fds[n] < 0)
				continue;
			opened++;
			assert_int_equal(fstat(fds[n], &st), 0);
			assert_false(S_ISLNK(st.st_mode));
			assert_false(st.st_ino == outside.st_ino);
			(void)close(fds[n]);
		}
	}
	stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* the race took place, and both ways */
	assert_true(exchanges > 10);
	assert_true(opened > 0 && refused > 0);
}

static void resolves_beside_renames(void **state)
{
	pthread_t thread;

	assert_int_equal(done(tree_mkdir_p(root, "/usr/sbin")), 0);
	put_file(ROOT "/usr/real", "");
	assert_int_equal(symlink("../real", ROOT "/usr/sbin/init"), 0);
	/* anywhere on the machine: the kernel has one count for all */
	put_file(ROOT "/dir", "");
	put_file(ROOT "/link", "");
	stop = false;
	exchanges = 0;
	assert_int_equal(pthread_create(&thread, NULL, exchange, NULL), 0);
	for (unsigned int i = 0; i < 20000 || exchanges < 1000; i++)
		assert_resolves("/usr/sbin/init", "/usr/real");
	stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_what_is_there),
		TEST(tells_kinds_apart),
		TEST(refuses_links),
		TEST(refuses_magic_links),
		TEST(dotdot_stays_inside),
		TEST(makes_what_is_missing),
		TEST(long_names),
		TEST(writes_new_files_only),
		TEST(resolves_inside),
		TEST(nothing_outside_is_touched_in_a_race),
		TEST(resolves_beside_renames),
	};

	return cmocka_run_group_tests_name("tree", tests, scratch_enter, NULL);
}
