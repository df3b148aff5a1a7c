/* SPDX-License-Identifier: MIT */

/*
 * A container of somebody else: a process with a mount namespace and a root of its own, which
 * listens at a door. What its /dev/pts may be.
 */

#include "host-tools/client/foreign-pty.h"

#include "scratch.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>

#define ROOT SCRATCH "/root"

static pid_t guest;
static int sock = -EBADF, root = -EBADF, fds[2];
static const char *why;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(1);
}

static void mount_dev(void)
{
	must(mount("none", ROOT "/dev", "tmpfs", 0, "mode=0755") == 0, "tmpfs");
	must(mkdir(ROOT "/dev/pts", 0755) == 0, "pts");
}

static void mount_pts(const char *options)
{
	must(mount("none", ROOT "/dev/pts", "devpts", 0, options) == 0, "devpts");
}

static void mount_silent(const char *path)
{
	int fuse = open("/dev/fuse", O_RDWR);
	char options[64];

	(void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	must(fuse >= 0 && mount("silent", path, "fuse", 0, options) == 0, "fuse");
}

static void good(void)
{
	mount_dev();
	mount_pts("newinstance,ptmxmode=0666,mode=0620");
}

static void secretive(void)
{
	mount_dev();
	mount_pts("newinstance,ptmxmode=0000,mode=0600");
}

static void on_the_root(void)
{
	must(mkdir(ROOT "/dev/pts", 0755) == 0, "pts");
	mount_pts("newinstance,ptmxmode=0666");
}

static void nothing(void)
{
}

static void no_devpts(void)
{
	mount_dev();
	must(mknod(ROOT "/dev/pts/ptmx", S_IFCHR | 0666, makedev(5, 2)) == 0, "ptmx");
}

static void linked_dev(void)
{
	must(rmdir(ROOT "/dev") == 0 && symlink("/dev", ROOT "/dev") == 0, "link");
}

static void linked_pts(void)
{
	must(mount("none", ROOT "/dev", "tmpfs", 0, NULL) == 0, "tmpfs");
	must(symlink("/dev/pts", ROOT "/dev/pts") == 0, "link");
}

static void bound_ptmx(void)
{
	good();
	must(mount("/dev/null", ROOT "/dev/pts/ptmx", NULL, MS_BIND, NULL) == 0, "bind");
}

static void silent_dev(void)
{
	mount_silent(ROOT "/dev");
}

static void silent_pts(void)
{
	mount_dev();
	mount_silent(ROOT "/dev/pts");
}

/* Becomes the guest: says on fd that it listens, and waits for its end. */
static void be_guest(void (*prepare)(void), int ready)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/door" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl"); /* a failed test leaves it */
	must(unshare(CLONE_NEWNS) == 0, "unshare");
	prepare();
	must(chroot(ROOT) == 0 && chdir("/") == 0, "chroot");
	must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	must(listen(listener, 8) == 0 && write(ready, "", 1) == 1, "listen");
	for (;;)
		(void)pause();
}

static void start(void (*prepare)(void))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = ROOT "/door" };
	int ready[2];
	char c;

	assert_return_code(mkdir(ROOT, 0755), errno);
	assert_return_code(mkdir(ROOT "/dev", 0755), errno);
	assert_return_code(pipe2(ready, O_CLOEXEC), errno);
	guest = fork();
	assert_true(guest >= 0);
	if (guest == 0)
		be_guest(prepare, ready[1]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(connect(sock, (struct sockaddr *)&address, sizeof(address)), errno);
	root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
}

static int stop(void **state)
{
	if (guest > 0) {
		(void)kill(guest, SIGKILL);
		(void)wait_child(guest);
		guest = 0;
	}
	close_fdp(&sock);
	close_fdp(&root);
	(void)unlink(ROOT "/door");
	(void)rmdir(ROOT "/dev/pts");
	if (rmdir(ROOT "/dev") < 0)
		(void)unlink(ROOT "/dev");
	return rmdir(ROOT) < 0 && errno != ENOENT ? -1 : 0;
}

static void assert_terminal(void (*prepare)(void))
{
	struct statfs ours, theirs;
	struct winsize size;
	struct stat st;
	char c;

	start(prepare);
	assert_int_equal(foreign_pty_open(sock, root, fds, &why), 0);
	assert_int_equal(fcntl(fds[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);
	assert_int_equal(fcntl(fds[0], F_GETFD) & fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	assert_true(isatty(fds[1]));
	assert_int_equal(ioctl(fds[1], TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_row, 24);
	assert_int_equal(size.ws_col, 80);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_true(wait_readable(fds[0]));
	assert_int_equal(read(fds[0], &c, 1), 1);
	/* of the guest's devpts, not of ours */
	assert_return_code(fstatfs(fds[1], &theirs), errno);
	assert_return_code(statfs("/dev/pts", &ours), errno);
	assert_int_equal(theirs.f_type, ours.f_type);
	assert_return_code(fstat(fds[1], &st), errno);
	assert_int_equal(st.st_uid, 0);
	struct stat host;

	assert_return_code(stat("/dev/pts", &host), errno);
	assert_true(st.st_dev != host.st_dev);
	(void)close(fds[0]);
	(void)close(fds[1]);
	(void)stop(NULL);
}

static void test_terminals(void **state)
{
	size_t before = count_fds();

	assert_terminal(good);
	assert_terminal(secretive);
	assert_terminal(on_the_root);
	assert_int_equal(count_fds(), before);
}

static void assert_refused(void (*prepare)(void), const char *wanted)
{
	start(prepare);
	assert_true(foreign_pty_open(sock, root, fds, &why) < 0);
	assert_string_equal(why, wanted);
	(void)stop(NULL);
}

static void test_traps(void **state)
{
	size_t before = count_fds();

	(void)alarm(250); /* whatever waits for the guest ends here */
	assert_refused(nothing, "cannot open its /dev/pts");
	assert_refused(no_devpts, "its /dev/pts is no devpts");
	assert_refused(linked_dev, "cannot open its /dev");
	assert_refused(linked_pts, "cannot open its /dev/pts");
	assert_refused(bound_ptmx, "cannot open its /dev/pts/ptmx");
	assert_refused(silent_dev, "its /dev is on a strange file system");
	assert_refused(silent_pts, "its /dev/pts is no devpts");
	(void)alarm(0);
	assert_int_equal(count_fds(), before);
}

static void test_another_root(void **state)
{
	start(good);
	close_fdp(&root);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(foreign_pty_open(sock, root, fds, &why), -EPERM);
	assert_string_equal(why, "who answers has another root directory");
}

static void test_a_dead_peer(void **state)
{
	start(good);
	(void)kill(guest, SIGKILL);
	(void)wait_child(guest);
	guest = 0;
	assert_int_equal(foreign_pty_open(sock, root, fds, &why), -EPERM);
}

static int setup(void **state)
{
	return scratch_enter(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_terminals, stop),
		cmocka_unit_test_teardown(test_traps, stop),
		cmocka_unit_test_teardown(test_another_root, stop),
		cmocka_unit_test_teardown(test_a_dead_peer, stop),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
