/* SPDX-License-Identifier: MIT */

/* Terminals of one devpts, and nobody else's. */

#include "host-tools/launch/terminal.h"

#include "scratch.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#define OURS SCRATCH "/ours"
#define THEIRS SCRATCH "/theirs"

static size_t fds_before;

static void mount_devpts(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mount("devpts", path, "devpts", 0, "ptmxmode=0666,mode=0620"), 0);
}

static int setup(void **state)
{
	fds_before = count_fds();
	mount_devpts(OURS);
	mount_devpts(THEIRS);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(umount2(OURS, MNT_DETACH) | umount2(THEIRS, MNT_DETACH), 0);
	assert_int_equal(rmdir(OURS) | rmdir(THEIRS), 0);
	return 0;
}

static int open_in(const char *path)
{
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return terminal_open(dir);
}

static void opens_a_pty(void **state)
{
	_cleanup_close_ int master = open_in(OURS), slave = -EBADF;
	struct winsize size;
	struct stat st;
	char text[8];
	size_t n = 0;

	assert_true(master >= 0);
	assert_int_equal(fcntl(master, F_GETFD), FD_CLOEXEC);
	assert_true(exists(OURS "/0"));
	assert_false(exists(THEIRS "/0"));
	slave = terminal_slave(master);
	assert_true(slave >= 0);
	assert_int_equal(fcntl(slave, F_GETFD), FD_CLOEXEC);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_row, 24);
	assert_int_equal(size.ws_col, 80);
	assert_int_equal(write(slave, "out\n", 4), 4);
	/* the kernel passes the line and its end on one after the other, in a worker */
	while (n < 5 && wait_readable(master)) {
		ssize_t r = read(master, text + n, sizeof(text) - n);

		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_int_equal(n, 5);
	assert_memory_equal(text, "out\r\n", 5);
	/* it is nobody's controlling terminal by that */
	assert_int_equal(fstat(slave, &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

/* Two terminals have the same number: the slave is our master's. */
static void a_slave_is_its_masters(void **state)
{
	_cleanup_close_ int ours = open_in(OURS), theirs = open_in(THEIRS), slave = -EBADF;
	struct pollfd p = { .fd = theirs, .events = POLLIN };
	unsigned int a = 1, b = 2;

	assert_int_equal(ioctl(ours, TIOCGPTN, &a), 0);
	assert_int_equal(ioctl(theirs, TIOCGPTN, &b), 0);
	assert_int_equal(a, b);
	/* even where our names lead to the others */
	assert_int_equal(mount(THEIRS, OURS, NULL, MS_BIND, NULL), 0);
	slave = terminal_slave(ours);
	assert_true(slave >= 0);
	assert_int_equal(write(slave, "secret", 6), 6);
	assert_true(wait_readable(ours));
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(umount2(OURS, MNT_DETACH), 0);
}

static void what_is_no_devpts_is_refused(void **state)
{
	static const char dir[] = SCRATCH "/fake";

	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(open_in(dir), -ENOENT);
	put_file(SCRATCH "/fake/ptmx", "");
	assert_int_equal(open_in(dir), -ENOTTY);
	(void)unlink(SCRATCH "/fake/ptmx");
	assert_int_equal(symlink(OURS "/ptmx", SCRATCH "/fake/ptmx"), 0);
	assert_int_equal(open_in(dir), -ELOOP);
	(void)unlink(SCRATCH "/fake/ptmx");
	assert_int_equal(mkfifo(SCRATCH "/fake/ptmx", 0666), 0);
	assert_int_equal(open_in(dir), -ENOTTY); /* and it doesn't wait for a writer */
	(void)unlink(SCRATCH "/fake/ptmx");
	assert_int_equal(mknod(SCRATCH "/fake/ptmx", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_true(open_in(dir) < 0);
	(void)unlink(SCRATCH "/fake/ptmx");
	assert_int_equal(mkdir(SCRATCH "/fake/ptmx", 0755), 0);
	assert_true(open_in(dir) < 0);
	assert_int_equal(rmdir(SCRATCH "/fake/ptmx") | rmdir(dir), 0);
	assert_int_equal(terminal_open(-EBADF), -EBADF);
	assert_true(terminal_slave(STDIN_FILENO) < 0);
	assert_int_equal(terminal_slave(-EBADF), -EBADF);
}

static void many_and_none_left(void **state)
{
	int masters[100];

	for (size_t i = 0; i < ARRAY_SIZE(masters); i++) {
		masters[i] = open_in(OURS);
		assert_true(masters[i] >= 0);
	}
	assert_int_equal(count_entries(OURS), ARRAY_SIZE(masters) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(masters); i++)
		(void)close(masters[i]);
	assert_int_equal(count_entries(OURS), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_a_pty),
		TEST(a_slave_is_its_masters),
		TEST(what_is_no_devpts_is_refused),
		TEST(many_and_none_left),
	};

	return cmocka_run_group_tests_name("terminal", tests, scratch_enter, NULL);
}
