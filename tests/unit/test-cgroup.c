/* SPDX-License-Identifier: MIT */

/* The payload's cgroup, in the kernel's own hierarchy. Needs root and cgroup v2. */

#include "host-tools/launch/cgroup.h"

#include "scratch.h"

#include "fd.h"
#include "host-tools/launch/state.h"
#include "syscalls.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>

#define GUEST_UID 700000
#define NOTIFY SCRATCH "/notify"

static char mount_point[64], name[32];
static struct cgroup cgroup;
static size_t fds_before;

static int enter(void **state)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	(void)snprintf(name, sizeof(name), "test-%d", getpid());
	if (scratch_enter(state) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
			(void)snprintf(mount_point, sizeof(mount_point), "%s", places[i]);
			return 0;
		}
	(void)fputs("this test needs cgroup v2\n", stderr);
	return -1;
}

static int setup(void **state)
{
	fds_before = count_fds();
	cgroup = CGROUP_NULL;
	return 0;
}

static int teardown(void **state)
{
	cgroup_destroy(&cgroup);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

static int make_payload(bool service, uint32_t uid, struct cgroup *ret)
{
	int r = cgroup_find_payload(service, name, ret);

	return r < 0 ? r : cgroup_make_payload(uid, ret);
}

static void make(void)
{
	assert_int_equal(make_payload(false, GUEST_UID, &cgroup), 0);
	assert_true(cgroup.fd >= 0);
	assert_non_null(cgroup.path);
}

static const char *below(const char *file)
{
	static char path[4200];

	(void)snprintf(path, sizeof(path), "%s/%s", cgroup.path, file);
	return path;
}

/* A process in the cgroup of dirfd that waits to be killed, deaf to every other signal. */
static pid_t spawn_in(int dirfd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)dirfd,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	assert_true(pid >= 0);
	if (pid == 0) {
		sigset_t all;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
		for (;;)
			(void)pause();
	}
	return pid;
}

static uid_t owner(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		fail_msg("no %s", path);
	return st.st_uid;
}

static void a_payload_has_its_own(void **state)
{
	char last[64];

	make();
	(void)snprintf(last, sizeof(last), "/narthex-%s", name);
	assert_int_equal(strncmp(cgroup.path, mount_point, strlen(mount_point)), 0);
	assert_string_equal(strrchr(cgroup.path, '/'), last);
	assert_int_equal(fcntl(cgroup.fd, F_GETFD), FD_CLOEXEC);
	assert_true(exists(below("cgroup.procs")));
	assert_file(below("cgroup.max.depth"), "64\n");
	assert_file(below("cgroup.procs"), "");
}

/* cgroups(7), "Delegation": these files and no others. */
static void it_is_the_guests(void **state)
{
	static const char *const limits[] = { "cgroup.max.depth", "cgroup.max.descendants",
		"cgroup.kill", "cgroup.freeze", "cgroup.type" };

	make();
	assert_int_equal(owner(cgroup.path), GUEST_UID);
	assert_int_equal(owner(below("cgroup.procs")), GUEST_UID);
	assert_int_equal(owner(below("cgroup.threads")), GUEST_UID);
	assert_int_equal(owner(below("cgroup.subtree_control")), GUEST_UID);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (exists(below(limits[i])))
			assert_int_equal(owner(below(limits[i])), 0);
	cgroup_destroy(&cgroup);
	/* without a user namespace everything is root's anyway */
	assert_int_equal(make_payload(false, 0, &cgroup), 0);
	assert_int_equal(owner(below("cgroup.procs")), 0);
}

static void destroying_takes_all_along(void **state)
{
	pid_t pids[10];
	char path[4096];
	int at;

	make();
	/* a nest as deep as a guest can make it, with processes on the way */
	at = fcntl(cgroup.fd, F_DUPFD_CLOEXEC, 3);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int next;

		pids[i] = spawn_in(at);
		(void)snprintf(path, sizeof(path), "side %zu", i);
		assert_int_equal(mkdirat(at, path, 0755), 0);
		assert_int_equal(mkdirat(at, "nested", 0755), 0);
		next = openat(at, "nested", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(at);
		at = next;
	}
	for (size_t depth = 10; mkdirat(at, "n", 0755) == 0; depth++) {
		int next = openat(at, "n", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(depth < 70); /* cgroup.max.depth */
		(void)close(at);
		at = next;
	}
	(void)close(at);
	(void)snprintf(path, sizeof(path), "%s", cgroup.path);
	cgroup_destroy(&cgroup);
	assert_int_equal(cgroup.fd, -EBADF);
	assert_null(cgroup.path);
	assert_false(exists(path));
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		assert_int_equal(wait_child(pids[i]), 128 + SIGKILL);
}

static void killing_leaves_the_directory(void **state)
{
	pid_t pid;

	make();
	pid = spawn_in(cgroup.fd);
	assert_int_equal(cgroup_kill(&cgroup), 0);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	assert_true(exists(cgroup.path));
	assert_int_equal(cgroup_kill(&CGROUP_NULL), 0);
}

/* Is replaced by its child, again and again. */
static _Noreturn void run_from_killers(void)
{
	int64_t end = clock_ms() + 5000;

	while (clock_ms() < end && fork() <= 0)
		;
	_exit(0);
}

/* A fork bomb is no match. */
static void killing_is_faster_than_forking(void **state)
{
	char path[4096];
	pid_t pid;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* the bomb's children are ours to wait for */
	make();
	(void)snprintf(path, sizeof(path), "%s", cgroup.path);
	pid = spawn_in(cgroup.fd);
	(void)kill(pid, SIGKILL);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	for (int i = 0; i < 8; i++) {
		struct clone_args args = {
			.flags = CLONE_INTO_CGROUP,
			.exit_signal = SIGCHLD,
			.cgroup = (uint64_t)cgroup.fd,
		};

		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		assert_true(pid >= 0);
		if (pid == 0)
			run_from_killers();
	}
	cgroup_destroy(&cgroup);
	assert_false(exists(path));
	while (waitpid(-1, NULL, 0) > 0)
		;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void what_a_predecessor_left_is_killed(void **state)
{
	struct cgroup crashed;
	pid_t pid, nested_pid;
	int nested;

	make();
	assert_int_equal(mkdirat(cgroup.fd, "nested", 0755), 0);
	nested = openat(cgroup.fd, "nested", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid = spawn_in(cgroup.fd);
	nested_pid = spawn_in(nested);
	(void)close(nested);
	crashed = cgroup;
	make();
	assert_string_equal(cgroup.path, crashed.path);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	assert_int_equal(wait_child(nested_pid), 128 + SIGKILL);
	assert_false(exists(below("nested")));
	assert_file(below("cgroup.procs"), "");
	(void)close(crashed.fd);
	free(crashed.path);
}

/* Through the note in the container's state, as after a crash of the launcher. */
static void a_crashed_containers_processes_end(void **state)
{
	struct state container;
	char path[4096];
	pid_t pid;

	make();
	(void)snprintf(path, sizeof(path), "%s", cgroup.path);
	pid = spawn_in(cgroup.fd); /* first: it must not inherit the lock */
	assert_int_equal(state_acquire(name, &container), 0);
	assert_int_equal(state_note_cgroup(&container, path), 0);
	close_fdp(&container.lock_fd);
	close_fdp(&container.dir_fd);
	close_fdp(&container.private_fd);
	free(container.name);
	assert_int_equal(state_acquire(name, &container), 0);
	assert_int_equal(wait_child(pid), 128 + SIGKILL);
	assert_false(exists(path));
	state_release(&container);
}

static void destroying_nothing_is_fine(void **state)
{
	char path[128];

	cgroup_destroy(&CGROUP_NULL);
	(void)snprintf(path, sizeof(path), "%s/narthex-none", mount_point);
	cgroup_destroy_path(path);
	/* never through a link, never what is no cgroup */
	assert_int_equal(mkdir(SCRATCH "/victim", 0755), 0);
	put_file(SCRATCH "/victim/file", "");
	assert_int_equal(symlink(SCRATCH "/victim", SCRATCH "/link"), 0);
	cgroup_destroy_path(SCRATCH "/link");
	assert_true(exists(SCRATCH "/link") && exists(SCRATCH "/victim/file"));
}

/* Whether a word is among others. */
static bool is_listed(const char *word, const char *list)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ' ') && strchr(" \n", p[len]))
			return true;
	return false;
}

/* Writes "+name" or "-name" for each of the controllers but for some. */
static void switch_controllers(int dirfd, char sign, const char *controllers, const char *others)
{
	_cleanup_free_ char *copy = strdup(controllers);
	char *state = NULL, word[64];

	assert_non_null(copy);
	for (char *c = strtok_r(copy, " \n", &state); c; c = strtok_r(NULL, " \n", &state)) {
		if (is_listed(c, others))
			continue;
		(void)snprintf(word, sizeof(word), "%c%s", sign, c);
		(void)file_write_string(dirfd, "cgroup.subtree_control", word);
	}
}

static void controllers_reach_the_payload(void **state)
{
	_cleanup_free_ char *before = NULL, *all = NULL, *enabled = NULL, *offered = NULL;
	_cleanup_close_ int above = -EBADF;
	struct cgroup payload = CGROUP_NULL;
	ssize_t n;

	make(); /* plays the unit's */
	above = openat(cgroup.fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(above, LOCK_EX), 0); /* another run of this test */
	assert_true(file_read_all(above, "cgroup.subtree_control", 0, 4096, &before) >= 0);
	assert_true(file_read_all(above, "cgroup.controllers", 0, 4096, &offered) >= 0);
	switch_controllers(above, '+', offered, before); /* as far as the host lets us */
	assert_int_equal(mkdirat(cgroup.fd, "payload", 0755), 0);
	payload.fd = openat(cgroup.fd, "payload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cgroup_enable_controllers(&payload);
	n = file_read_all(cgroup.fd, "cgroup.controllers", 0, 4096, &all);
	assert_true(n >= 0);
	assert_int_equal(file_read_all(cgroup.fd, "cgroup.subtree_control", 0, 4096, &enabled), n);
	assert_string_equal(enabled, all);
	cgroup_enable_controllers(&CGROUP_NULL);
	cgroup_destroy(&payload);
	cgroup_destroy(&cgroup);
	/* only what was switched on here */
	switch_controllers(above, '-', offered, before);
}

/* As a service: the launcher goes on in supervisor/, and says which process it is. */
static void the_supervisor_moves_by_being_born(void **state)
{
	_cleanup_close_ int listening = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = NOTIFY };
	char text[512] = "", path[4200];
	int report[2];
	pid_t pid;
	long main_pid = 0;

	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	make(); /* plays the unit's */
	(void)snprintf(path, sizeof(path), "%s", cgroup.path);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)setenv("NOTIFY_SOCKET", NOTIFY, 1);
	pid = (pid_t)syscall(SYS_clone3,
		&(struct clone_args){ .flags = CLONE_INTO_CGROUP,
			.exit_signal = SIGCHLD,
			.cgroup = (uint64_t)cgroup.fd },
		sizeof(struct clone_args));
	assert_true(pid >= 0);
	if (pid == 0) {
		struct cgroup payload;
		_cleanup_free_ char *own = NULL;

		if (cgroup_enter_supervisor(true) < 0 ||
			make_payload(true, GUEST_UID, &payload) < 0 ||
			file_read_all(AT_FDCWD, "/proc/self/cgroup", 0, 4096, &own) < 0)
			_exit(1);
		(void)dprintf(report[1], "%d\n%s\n%s", getpid(), payload.path, own);
		cgroup_destroy(&payload);
		_exit(0);
	}
	(void)close(report[1]);
	assert_int_equal(wait_child(pid), 0);
	assert_true(wait_readable(listening));
	assert_true(recv(listening, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_int_equal(sscanf(text, "MAINPID=%ld", &main_pid), 1);
	assert_int_not_equal(main_pid, pid);
	assert_int_equal(wait_child((pid_t)main_pid), 0); /* no child of the first: our own */
	memset(text, 0, sizeof(text));
	{
		_cleanup_fclose_ FILE *f = fdopen(report[0], "r");
		_cleanup_free_ char *line = NULL;
		char want[4300];
		size_t size = 0;

		assert_true(getline(&line, &size, f) > 0);
		assert_int_equal(strtol(line, NULL, 10), main_pid);
		assert_true(getline(&line, &size, f) > 0);
		(void)snprintf(want, sizeof(want), "%s/payload\n", path);
		assert_string_equal(line, want);
		(void)snprintf(
			want, sizeof(want), "0::%s/supervisor\n", path + strlen(mount_point));
		while (getline(&line, &size, f) > 0 && strncmp(line, "0::", 3) != 0)
			;
		assert_string_equal(line, want);
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	/* not a service: nothing happens */
	assert_int_equal(cgroup_enter_supervisor(false), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_payload_has_its_own),
		TEST(it_is_the_guests),
		TEST(destroying_takes_all_along),
		TEST(killing_leaves_the_directory),
		TEST(killing_is_faster_than_forking),
		TEST(what_a_predecessor_left_is_killed),
		TEST(a_crashed_containers_processes_end),
		TEST(destroying_nothing_is_fine),
		TEST(controllers_reach_the_payload),
		TEST(the_supervisor_moves_by_being_born),
	};

	return cmocka_run_group_tests_name("cgroup", tests, enter, NULL);
}
