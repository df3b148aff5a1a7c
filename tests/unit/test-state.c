/* SPDX-License-Identifier: MIT */

/* /run/narthex/NAME from its making to its end, crashes and races included. */

#include "host-tools/launch/state.h"

#include "scratch.h"

#include "host-tools/launch/mnt.h"
#include "host-tools/launch/notify.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define DIR_ RUN_DIR "/foo"

static struct state container;
static size_t fds_before, mounts_before;

static int setup(void **state)
{
	fds_before = count_fds();
	mounts_before = count_mounts("");
	container = STATE_NULL;
	return 0;
}

static int teardown(void **state)
{
	state_release(&container);
	state_release(&container); /* the null state */
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(count_mounts(""), mounts_before);
	/* nothing of any container is left */
	if (exists(RUN_DIR))
		assert_int_equal(count_entries(RUN_DIR), 0);
	return 0;
}

/* What is left when the kernel closes a dead launcher's descriptors. */
static void crash(struct state *s)
{
	close_fdp(&s->lock_fd);
	close_fdp(&s->dir_fd);
	close_fdp(&s->private_fd);
	free(s->name);
	*s = STATE_NULL;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		fail_msg("no %s", path);
	return st.st_mode;
}

static void is_laid_out(void **state)
{
	char link[64] = "", pid[16];

	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(mode_of(RUN_DIR), S_IFDIR | 0755);
	assert_int_equal(mode_of(DIR_), S_IFDIR | 0755);
	assert_int_equal(mode_of(DIR_ "/lock"), S_IFREG | 0600);
	assert_int_equal(mode_of(DIR_ "/doors"), S_IFDIR | 0755);
	assert_int_equal(mode_of(DIR_ "/private"), S_IFDIR | 0700);
	assert_true(S_ISDIR(mode_of(DIR_ "/private/root")));
	assert_true(readlink(DIR_ "/root", link, sizeof(link) - 1) > 0);
	assert_string_equal(link, "private/root");
	(void)snprintf(pid, sizeof(pid), "%d\n", getpid());
	assert_file(DIR_ "/lock", pid);
	assert_int_equal(fcntl(container.lock_fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(container.dir_fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(container.private_fd, F_GETFD), FD_CLOEXEC);
}

/* A caller with a strict mask doesn't shut the doors on others. */
static void modes_are_as_written(void **state)
{
	mode_t mask = umask(077);

	if (exists(RUN_DIR))
		assert_int_equal(rmdir(RUN_DIR), 0);
	assert_int_equal(state_acquire("foo", &container), 0);
	(void)umask(mask);
	assert_int_equal(mode_of(RUN_DIR), S_IFDIR | 0755);
	assert_int_equal(mode_of(DIR_), S_IFDIR | 0755);
	assert_int_equal(mode_of(DIR_ "/private"), S_IFDIR | 0700);
}

static void only_one_holds_it(void **state)
{
	struct state second = STATE_NULL, other;

	assert_int_equal(state_acquire("foo", &container), 0);
	put_file(DIR_ "/private/notify", "mine");
	assert_int_equal(state_acquire("foo", &second), -EBUSY);
	assert_int_equal(second.dir_fd, -EBADF); /* untouched */
	assert_file(DIR_ "/private/notify", "mine");
	assert_int_equal(state_acquire("bar", &other), 0);
	state_release(&other);
	assert_false(exists(RUN_DIR "/bar"));
	state_release(&container);
	assert_int_equal(state_acquire("foo", &container), 0);
	assert_false(exists(DIR_ "/private/notify"));
}

static void doors_are_the_guests_within_limits(void **state)
{
	struct statvfs fs;
	struct stat st;
	char path[128];
	size_t made = 0;

	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(state_mount_doors(&container, 700000), 0);
	assert_int_equal(stat(DIR_ "/doors", &st), 0);
	assert_int_equal(st.st_uid, 700000);
	assert_int_equal(st.st_gid, 700000);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(statvfs(DIR_ "/doors", &fs), 0);
	assert_int_equal(
		fs.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC), ST_NOSUID | ST_NODEV | ST_NOEXEC);
	assert_true(fs.f_blocks * fs.f_frsize <= 512 * 1024);
	for (; made < 1000; made++) {
		(void)snprintf(path, sizeof(path), DIR_ "/doors/%zu", made);
		if (mknod(path, S_IFREG | 0600, 0) < 0)
			break;
	}
	assert_in_range(made, 16, 64);
}

/* A guest that died left it; one that made something else of it is not followed. */
static void sessions_are_forgotten(void **state)
{
	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(state_mount_doors(&container, 700000), 0);
	state_forget_sessions(&container);
	assert_int_equal(mknod(DIR_ "/doors/sessions", S_IFREG | 0600, 0), 0);
	state_forget_sessions(&container);
	assert_false(exists(DIR_ "/doors/sessions"));
	assert_int_equal(symlink("../lock", DIR_ "/doors/sessions"), 0);
	state_forget_sessions(&container);
	assert_true(exists(DIR_ "/lock"));
}

static int detached_tmpfs(void)
{
	char why[64];
	int mount = mnt_new("tmpfs",
		(const struct mnt_option[]){ { .key = "source", .value = "t" }, {} }, 0, why,
		sizeof(why));

	assert_true(mount >= 0);
	return mount;
}

static void the_live_root_is_tame(void **state)
{
	struct statvfs fs;
	int root = detached_tmpfs();

	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(mknodat(root, "marker", S_IFREG | 0600, 0), 0);
	assert_int_equal(state_mount_root(&container, root), 0);
	assert_int_equal(fcntl(root, F_GETFD), -1); /* consumed */
	assert_true(exists(DIR_ "/root/marker"));
	assert_int_equal(statvfs(DIR_ "/private/root", &fs), 0);
	assert_int_equal(fs.f_flag & (ST_NOSUID | ST_NODEV), ST_NOSUID | ST_NODEV);
	/* consumed in failure, too */
	assert_true(state_mount_root(&container, dup(0)) < 0);
}

static void others_do_not_get_in(void **state)
{
	pid_t pid;

	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(state_mount_doors(&container, 700000), 0);
	assert_int_equal(state_mount_root(&container, detached_tmpfs()), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0)
			_exit(1);
		if (open(DIR_ "/private", O_RDONLY) >= 0 || open(DIR_ "/root/.", O_PATH) >= 0 ||
			open(DIR_ "/lock", O_RDONLY) >= 0 ||
			access(DIR_ "/private/root/x", F_OK) == 0)
			_exit(2);
		if (mknod(DIR_ "/doors/x", S_IFREG | 0600, 0) == 0 || mkdir(DIR_ "/x", 0700) == 0)
			_exit(3);
		_exit(open(DIR_ "/doors", O_RDONLY) >= 0 ? 0 : 4);
	}
	assert_int_equal(wait_child(pid), 0);
}

/* What a killed launcher leaves: mounts upon mounts, sockets, a cgroup's note. */
static void leave_a_mess(void)
{
	int root = detached_tmpfs(), notify;

	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(state_mount_doors(&container, 700000), 0);
	assert_int_equal(state_mount_doors(&container, 800000), 0);
	assert_int_equal(state_mount_root(&container, root), 0);
	assert_int_equal(mkdir(DIR_ "/private/root/deep", 0700), 0);
	assert_int_equal(mount("deep", DIR_ "/private/root/deep", "tmpfs", 0, NULL), 0);
	assert_int_equal(state_note_cgroup(&container, "/sys/fs/cgroup/narthex-test-none"), 0);
	assert_file(DIR_ "/private/cgroup", "/sys/fs/cgroup/narthex-test-none");
	notify = notify_listen(container.private_fd);
	assert_true(notify >= 0);
	(void)close(notify);
	put_file(DIR_ "/launcher.socket", "");
	put_file(DIR_ "/doors/login.socket", "");
	crash(&container);
	assert_true(count_mounts(DIR_) >= 4);
}

static void the_next_start_cleans_up(void **state)
{
	leave_a_mess();
	assert_int_equal(state_acquire("foo", &container), 0);
	assert_true(container.is_leftover);
	assert_int_equal(count_mounts(DIR_), 0);
	assert_int_equal(count_entries(DIR_ "/doors"), 0);
	assert_int_equal(count_entries(DIR_ "/private/root"), 0);
	assert_false(exists(DIR_ "/launcher.socket"));
	assert_false(exists(DIR_ "/private/notify"));
	assert_false(exists(DIR_ "/private/cgroup"));
}

static void a_mount_in_use_is_no_obstacle(void **state)
{
	_cleanup_close_ int user = -EBADF;

	leave_a_mess();
	user = open(DIR_ "/doors", O_RDONLY | O_CLOEXEC);
	assert_true(user >= 0);
	assert_int_equal(state_acquire("foo", &container), 0);
	assert_int_equal(count_mounts(DIR_), 0);
}

static void release_removes_everything(void **state)
{
	leave_a_mess();
	assert_int_equal(state_acquire("foo", &container), 0);
	assert_false(container.lock_fd < 0);
	assert_int_equal(state_mount_doors(&container, 700000), 0);
	assert_int_equal(state_mount_root(&container, detached_tmpfs()), 0);
	put_file(DIR_ "/launcher.socket", "");
	state_release(&container);
	assert_false(exists(DIR_));
	assert_int_equal(count_mounts(DIR_), 0);
	assert_int_equal(container.dir_fd, -EBADF);
	assert_null(container.name);
}

static void links_lead_nowhere(void **state)
{
	assert_int_equal(mkdir(SCRATCH "/victim", 0755), 0);
	put_file(SCRATCH "/victim/file", "");
	assert_int_equal(state_acquire("bar", &container), 0);
	state_release(&container);
	assert_int_equal(symlink(SCRATCH "/victim", DIR_), 0);
	assert_true(state_acquire("foo", &container) < 0);
	container = STATE_NULL;
	assert_int_equal(unlink(DIR_), 0);
	assert_int_equal(mkdir(DIR_, 0755), 0);
	assert_int_equal(symlink(SCRATCH "/victim/file", DIR_ "/lock"), 0);
	assert_int_equal(state_acquire("foo", &container), -ELOOP);
	assert_int_equal(unlink(DIR_ "/lock"), 0);
	assert_int_equal(symlink(SCRATCH "/victim", DIR_ "/private"), 0);
	assert_true(state_acquire("foo", &container) < 0);
	container = STATE_NULL;
	assert_int_equal(count_entries(SCRATCH "/victim"), 1);
	assert_file(SCRATCH "/victim/file", "");
	(void)unlink(DIR_ "/private");
	(void)rmdir(DIR_);
}

/* Takes the container and gives it up, as often as it gets it. */
static int compete(atomic_int *holders)
{
	unsigned int got = 0;

	for (int64_t end = clock_ms() + SCRATCH_DEADLINE_MS; got < 100 && clock_ms() < end;) {
		struct state s = STATE_NULL;
		int r = state_acquire("foo", &s);

		if (r == -EBUSY)
			continue;
		if (r < 0)
			return 2;
		if (atomic_fetch_add(holders, 1) != 0)
			return 3;
		/* what another's release took away would be missed here */
		if (faccessat(s.private_fd, "root", F_OK, 0) < 0 || access(DIR_ "/lock", F_OK) < 0)
			return 4;
		got++;
		(void)sched_yield();
		(void)atomic_fetch_sub(holders, 1);
		if (got % 8 == 0)
			crash(&s);
		else
			state_release(&s);
	}
	return got == 100 ? 0 : 5;
}

static void never_two_at_once(void **state)
{
	atomic_int *holders = mmap(
		NULL, sizeof(*holders), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[3];

	assert_true(holders != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

			_exit(dup2(null, STDERR_FILENO) < 0 ? 1 : compete(holders));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		assert_int_equal(wait_child(pids[i]), 0);
	assert_int_equal(munmap(holders, sizeof(*holders)), 0);
	/* the last one may have crashed */
	assert_int_equal(state_acquire("foo", &container), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_laid_out),
		TEST(modes_are_as_written),
		TEST(only_one_holds_it),
		TEST(doors_are_the_guests_within_limits),
		TEST(sessions_are_forgotten),
		TEST(the_live_root_is_tame),
		TEST(others_do_not_get_in),
		TEST(the_next_start_cleans_up),
		TEST(a_mount_in_use_is_no_obstacle),
		TEST(release_removes_everything),
		TEST(links_lead_nowhere),
		TEST(never_two_at_once),
	};

	return cmocka_run_group_tests_name("state", tests, scratch_enter, NULL);
}
