/* SPDX-License-Identifier: MIT */

/* What a copy keeps and drops, and that nobody can lead it out of a tree. */

#include "host-tools/ctl/tree-copy.h"

#include "scratch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define BASE SCRATCH "/copy"
#define SRC BASE "/src"
#define DST BASE "/dst"
#define OUTSIDE BASE "/outside"

static int src = -EBADF, dst = -EBADF;
static size_t fds_before;
static unsigned problems;
static char problem_path[256];
static uint64_t stop_at;

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	assert_int_equal(mount("copy", BASE, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(SRC, 0755), 0);
	assert_int_equal(mkdir(DST, 0755), 0);
	assert_int_equal(mkdir(OUTSIDE, 0755), 0);
	put_file(OUTSIDE "/canary", "sings");
	fds_before = count_fds();
	src = open(SRC, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dst = open(DST, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(src >= 0 && dst >= 0);
	problems = 0;
	problem_path[0] = '\0';
	stop_at = UINT64_MAX;
	return 0;
}

static int teardown(void **state)
{
	close_fdp(&src);
	close_fdp(&dst);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(count_entries(OUTSIDE), 1);
	assert_file(OUTSIDE "/canary", "sings");
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

static int on_progress(void *userdata, uint64_t bytes)
{
	return bytes >= stop_at ? -ECANCELED : 0;
}

static void on_problem(void *userdata, const char *path, int error, const char *what)
{
	problems++;
	(void)snprintf(problem_path, sizeof(problem_path), "%s", path);
}

enum direction { INWARDS, OUTWARDS };

static int copy(enum direction direction, bool archive, const char *name, uint32_t shift)
{
	struct tree_copy c = {
		.archive = archive,
		.uid = 12,
		.gid = 34,
		.progress = on_progress,
		.problem = on_problem,
	};
	struct copy_end from = { .dir_fd = src, .name = name, .guest = direction == OUTWARDS };
	struct copy_end to = { .dir_fd = dst, .name = name, .guest = direction == INWARDS };

	if (direction == INWARDS)
		to.uid_base = shift;
	else
		from.uid_base = shift;
	return tree_copy(&c, &from, &to);
}

static struct stat look(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		fail_msg("there is no %s", path);
	return st;
}

/* One of each kind in SRC/d. */
static void make_every_kind(void)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000, .tv_nsec = 5 } };
	static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };

	assert_int_equal(mkdir(SRC "/d", 0755), 0);
	assert_int_equal(chmod(SRC "/d", 01777), 0);
	put_file(SRC "/d/file", "text");
	assert_int_equal(chown(SRC "/d/file", 100, 200), 0);
	assert_int_equal(chmod(SRC "/d/file", 06751), 0);
	assert_int_equal(setxattr(SRC "/d/file", "user.key", "value", 5, 0), 0);
	assert_int_equal(setxattr(SRC "/d/file", "security.capability", capability, 20, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, SRC "/d/file", times, 0), 0);
	assert_int_equal(symlink(OUTSIDE "/canary", SRC "/d/link"), 0);
	assert_int_equal(lchown(SRC "/d/link", 100, 200), 0);
	assert_int_equal(mkfifo(SRC "/d/fifo", 0640), 0);
	assert_int_equal(mknod(SRC "/d/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(chmod(SRC "/d/null", 0666), 0);
	assert_int_equal(mkdir(SRC "/d/sub", 0700), 0);
	put_file(SRC "/d/sub/\n\xff", "odd");
}

static void archives_into_a_container(void **state)
{
	char text[256], value[64];
	struct stat st;

	make_every_kind();
	assert_int_equal(copy(INWARDS, true, "d", 0), 0);
	assert_int_equal(problems, 0);
	st = look(DST "/d/file");
	assert_int_equal(st.st_mode, S_IFREG | 06751);
	assert_int_equal(st.st_uid, 100);
	assert_int_equal(st.st_gid, 200);
	assert_int_equal(st.st_mtim.tv_sec, 2000);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
	assert_int_equal(getxattr(DST "/d/file", "user.key", value, sizeof(value)), 5);
	assert_int_equal(getxattr(DST "/d/file", "security.capability", value, 64), 20);
	assert_file(DST "/d/file", "text");
	assert_int_equal(look(DST "/d").st_mode, S_IFDIR | 01777);
	assert_int_equal(readlink(DST "/d/link", text, sizeof(text)), strlen(OUTSIDE "/canary"));
	assert_int_equal(look(DST "/d/link").st_uid, 100);
	assert_int_equal(look(DST "/d/fifo").st_mode, S_IFIFO | 0640);
	assert_int_equal(look(DST "/d/null").st_mode, S_IFCHR | 0666);
	assert_int_equal(look(DST "/d/null").st_rdev, makedev(1, 3));
	assert_int_equal(look(DST "/d/sub").st_mode, S_IFDIR | 0700);
	assert_file(DST "/d/sub/\n\xff", "odd");
	assert_int_equal(count_entries(DST "/d"), 5);
}

static void keeps_little_without_archive(void **state)
{
	char value[64];
	struct stat st;

	make_every_kind();
	assert_int_equal(copy(INWARDS, false, "d", 0), -EOPNOTSUPP);
	assert_int_equal(problems, 2); /* the FIFO and the device */
	assert_false(exists(DST "/d/fifo"));
	assert_false(exists(DST "/d/null"));
	st = look(DST "/d/file");
	assert_int_equal(st.st_mode, S_IFREG | 0751);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	assert_true(st.st_mtim.tv_sec > 2000);
	assert_int_equal(getxattr(DST "/d/file", "user.key", value, sizeof(value)), 5);
	assert_int_equal(getxattr(DST "/d/file", "security.capability", value, 64), -1);
	assert_int_equal(look(DST "/d/link").st_uid, 12);
	assert_int_equal(look(DST "/d").st_mode, S_IFDIR | 0777);
	assert_int_equal(look(DST "/d").st_uid, 12);
	assert_int_equal(count_entries(DST "/d"), 3);
}

static void brings_no_setuid_out(void **state)
{
	char value[64];

	make_every_kind();
	assert_true(getxattr(SRC "/d/file", "security.capability", value, sizeof(value)) > 0);
	assert_int_equal(copy(OUTWARDS, true, "d", 0), 0);
	assert_int_equal(look(DST "/d/file").st_mode, S_IFREG | 0751);
	assert_int_equal(look(DST "/d/file").st_uid, 100);
	assert_int_equal(getxattr(DST "/d/file", "user.key", value, sizeof(value)), 5);
	assert_int_equal(getxattr(DST "/d/file", "security.capability", value, sizeof(value)), -1);
	assert_int_equal(errno, ENODATA);
}

static void shifts_owners(void **state)
{
	put_file(SRC "/file", "");
	assert_int_equal(chown(SRC "/file", 100100, 5), 0);
	assert_int_equal(copy(OUTWARDS, true, "file", 100000), 0);
	assert_int_equal(look(DST "/file").st_uid, 100);
	assert_int_equal(look(DST "/file").st_gid, 65534); /* beyond the container's range */
	assert_int_equal(chown(SRC "/file", 7, 8), 0);
	assert_int_equal(copy(INWARDS, true, "file", 100000), 0);
	assert_int_equal(look(DST "/file").st_uid, 100007);
	assert_int_equal(copy(INWARDS, false, "file", 100000), 0);
	assert_int_equal(look(DST "/file").st_uid, 100012);
	assert_int_equal(look(DST "/file").st_gid, 100034);
}

static void leaves_holes(void **state)
{
	_cleanup_close_ int fd = open(SRC "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[8] = "";

	assert_int_equal(ftruncate(fd, 100L << 20), 0);
	assert_int_equal(pwrite(fd, "middle", 6, 50L << 20), 6);
	assert_int_equal(copy(INWARDS, false, "file", 0), 0);
	assert_int_equal(look(DST "/file").st_size, 100L << 20);
	assert_true(look(DST "/file").st_blocks < 100);
	close_fdp(&fd);
	fd = open(DST "/file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, text, 6, 50L << 20), 6);
	assert_string_equal(text, "middle");
}

static void copies_what_is_shorter_than_it_says(void **state)
{
	struct tree_copy c = { .progress = on_progress, .problem = on_problem };
	_cleanup_close_ int sys = open("/sys/kernel", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct copy_end from = { .dir_fd = sys, .name = "uevent_seqnum" };
	struct copy_end to = { .dir_fd = dst, .name = "number" };

	assert_int_equal(look("/sys/kernel/uevent_seqnum").st_size, 4096);
	assert_int_equal(tree_copy(&c, &from, &to), 0);
	assert_in_range(look(DST "/number").st_size, 1, 30);
}

static void replaces_and_writes_through_nothing(void **state)
{
	put_file(SRC "/file", "new");
	put_file(DST "/other", "old");
	assert_int_equal(symlink(OUTSIDE "/canary", DST "/file"), 0);
	assert_int_equal(copy(INWARDS, false, "file", 0), 0);
	assert_int_equal(look(DST "/file").st_mode, S_IFREG | 0644);
	assert_file(DST "/file", "new");
	assert_int_equal(unlink(DST "/file"), 0);
	assert_int_equal(link(DST "/other", DST "/file"), 0);
	assert_int_equal(copy(INWARDS, false, "file", 0), 0);
	assert_file(DST "/other", "old");
	assert_int_equal(unlink(DST "/file"), 0);
	assert_int_equal(mkfifo(DST "/file", 0600), 0);
	assert_int_equal(copy(INWARDS, false, "file", 0), 0);
	assert_file(DST "/file", "new");
	assert_int_equal(unlink(DST "/file"), 0);
	assert_int_equal(mkdir(DST "/file", 0700), 0);
	assert_int_equal(copy(INWARDS, false, "file", 0), -EISDIR);
	assert_int_equal(count_entries(DST), 2); /* no temporary file */
}

static void enters_no_linked_directory(void **state)
{
	assert_int_equal(mkdir(SRC "/d", 0755), 0);
	put_file(SRC "/d/evil", "");
	assert_int_equal(symlink(OUTSIDE, DST "/d"), 0);
	assert_int_equal(copy(INWARDS, false, "d", 0), -ENOTDIR);
	assert_int_equal(unlink(DST "/d"), 0);
	/* the same one level deeper */
	assert_int_equal(mkdir(SRC "/d/sub", 0755), 0);
	put_file(SRC "/d/sub/evil", "");
	assert_int_equal(mkdir(DST "/d", 0755), 0);
	assert_int_equal(symlink(OUTSIDE, DST "/d/sub"), 0);
	assert_int_equal(copy(INWARDS, false, "d", 0), -ENOTDIR);
	assert_string_equal(problem_path, "d/sub");
	assert_true(exists(DST "/d/evil"));
}

static void merges_directories(void **state)
{
	assert_int_equal(mkdir(SRC "/d", 0700), 0);
	put_file(SRC "/d/new", "new");
	assert_int_equal(mkdir(DST "/d", 0711), 0);
	put_file(DST "/d/old", "old");
	assert_int_equal(copy(OUTWARDS, false, "d", 0), 0);
	assert_file(DST "/d/old", "old");
	assert_file(DST "/d/new", "new");
	assert_int_equal(look(DST "/d").st_mode, S_IFDIR | 0711); /* it was there before */
	assert_int_equal(copy(OUTWARDS, false, ".", 0), 0);
	assert_int_equal(count_entries(DST), 1);
}

static void enters_no_mount_of_a_guest(void **state)
{
	assert_int_equal(mkdir(SRC "/d", 0755), 0);
	assert_int_equal(mkdir(SRC "/d/mnt", 0755), 0);
	assert_int_equal(mount(OUTSIDE, SRC "/d/mnt", NULL, MS_BIND, NULL), 0);
	assert_int_equal(copy(OUTWARDS, false, "d", 0), -EXDEV);
	assert_string_equal(problem_path, "d/mnt");
	assert_false(exists(DST "/d/mnt/canary"));
	/* on the host it is as good as any directory */
	assert_int_equal(copy(INWARDS, false, "d", 0), 0);
	assert_file(DST "/d/mnt/canary", "sings");
	assert_int_equal(umount2(SRC "/d/mnt", MNT_DETACH), 0);
}

static void copies_no_socket(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SRC "/socket" };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(copy(OUTWARDS, true, "socket", 0), -EOPNOTSUPP);
	assert_int_equal(copy(OUTWARDS, true, "none", 0), -ENOENT);
	assert_int_equal(problems, 2);
	assert_int_equal(count_entries(DST), 0);
}

static void ends_in_itself(void **state)
{
	struct tree_copy c = { .progress = on_progress, .problem = on_problem };
	_cleanup_close_ int inner = -EBADF;

	assert_int_equal(mkdir(SRC "/d", 0755), 0);
	put_file(SRC "/d/file", "x");
	inner = open(SRC "/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_copy(&c, &(struct copy_end){ .dir_fd = src, .name = "d" },
				 &(struct copy_end){ .dir_fd = inner, .name = "d" }),
		-ELOOP);
	assert_file(SRC "/d/d/file", "x");
	assert_false(exists(SRC "/d/d/d"));
}

static void leaves_nothing_half_copied(void **state)
{
	_cleanup_close_ int fd = open(SRC "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	for (long i = 0; i < 32; i++)
		assert_int_equal(pwrite(fd, "data", 4, i << 20), 4);
	stop_at = 1;
	assert_int_equal(copy(INWARDS, false, "file", 0), -ECANCELED);
	assert_int_equal(count_entries(DST), 0);
}

static void copies_what_is_deep(void **state)
{
	char path[4096] = SRC;

	for (int i = 0; i < 200; i++) {
		size_t len = strlen(path);

		(void)snprintf(path + len, sizeof(path) - len, "/d");
		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_int_equal(copy(OUTWARDS, false, "d", 0), 0);
	memcpy(path, DST, strlen(DST));
	assert_true(exists(path));
}

/* --- races --------------------------------------------------------------------------------- */

#define RACE_MS 1500

static atomic_bool racing;

/* Exchanges, as fast as it can, the directory NAME and the link NAME-link. */
static void *exchange(void *arg)
{
	int fd = *(int *)arg;

	while (atomic_load(&racing))
		(void)renameat2(fd, "d", fd, "d-link", RENAME_EXCHANGE);
	return NULL;
}

static void race(int fd, enum direction direction)
{
	int64_t end = clock_ms() + RACE_MS;
	pthread_t thread;

	atomic_store(&racing, true);
	assert_int_equal(pthread_create(&thread, NULL, exchange, &fd), 0);
	while (clock_ms() < end)
		(void)copy(direction, false, direction == OUTWARDS ? "." : "d", 0);
	atomic_store(&racing, false);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void wins_the_race_out(void **state)
{
	static const char *const copies[] = { DST "/d", DST "/d-link" };

	assert_int_equal(mkdir(SRC "/d", 0755), 0);
	put_file(SRC "/d/file", "x");
	assert_int_equal(symlink(OUTSIDE, SRC "/d-link"), 0);
	race(src, OUTWARDS);
	/* each was copied as what it was when it was looked at, both may have been directories or
	 * links; the canary never */
	for (size_t i = 0; i < ARRAY_SIZE(copies); i++)
		if (S_ISLNK(look(copies[i]).st_mode))
			assert_int_equal(unlink(copies[i]), 0);
	assert_false(exists(DST "/d/canary"));
	assert_false(exists(DST "/d-link/canary"));
}

static void wins_the_race_in(void **state)
{
	assert_int_equal(mkdir(SRC "/d", 0755), 0);
	for (int i = 0; i < 20; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), SRC "/d/evil%d", i);
		put_file(path, "x");
	}
	assert_int_equal(mkdir(DST "/d", 0755), 0);
	assert_int_equal(symlink(OUTSIDE, DST "/d-link"), 0);
	race(dst, INWARDS);
	/* teardown looks at OUTSIDE */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(archives_into_a_container),
		TEST(keeps_little_without_archive),
		TEST(brings_no_setuid_out),
		TEST(shifts_owners),
		TEST(leaves_holes),
		TEST(copies_what_is_shorter_than_it_says),
		TEST(replaces_and_writes_through_nothing),
		TEST(enters_no_linked_directory),
		TEST(merges_directories),
		TEST(enters_no_mount_of_a_guest),
		TEST(copies_no_socket),
		TEST(ends_in_itself),
		TEST(leaves_nothing_half_copied),
		TEST(copies_what_is_deep),
		TEST(wins_the_race_out),
		TEST(wins_the_race_in),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
