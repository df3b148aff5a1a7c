/* SPDX-License-Identifier: MIT */

/* The policy of devices, asked through the kernel: each question is a process in the cgroup. Needs
 * root and cgroup v2. */

#include "host-tools/launch/devices.h"

#include "scratch.h"

#include "fd.h"
#include "host-tools/launch/state.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#define NODES SCRATCH "/nodes"
/* devices.txt of Linux: what a machine has that runs this, and no container gets */
#define FOREIGN makedev(10, 237)	  /* loop-control */
#define OTHER_MINOR makedev(1, 11)	  /* kmsg, of null's major */
#define OTHER_TYPE_OF_PTS makedev(136, 0) /* as a block device */

static struct cgroup cgroup;
static struct container_config config;
static char name[32];

static int enter(void **state)
{
	(void)snprintf(name, sizeof(name), "test-%d", getpid());
	return scratch_enter(state) < 0 ||
			       mount("nodes", SCRATCH, "tmpfs", MS_NOSUID, "mode=0755") < 0 ||
			       mkdir(NODES, 0755) < 0
		       ? -1
		       : 0;
}

static int make_payload(bool service, uint32_t uid, struct cgroup *ret)
{
	int r = cgroup_find_payload(service, name, ret);

	return r < 0 ? r : cgroup_make_payload(uid, ret);
}

static int setup(void **state)
{
	config = (struct container_config){ .name = name, .private_users = PRIVATE_USERS_NO };
	return make_payload(false, 0, &cgroup) < 0 || cgroup.fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	cgroup_destroy(&cgroup);
	return 0;
}

struct question {
	const char *path;
	int flags;
	mode_t type; /* make the node first, inside */
	dev_t number;
};

static int answer(const struct question *q)
{
	int fd;

	if (q->type != 0) {
		(void)unlink(q->path);
		if (mknod(q->path, q->type | 0600, q->number) < 0)
			return errno;
	}
	fd = q->flags < 0 ? 0 : open(q->path, q->flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? errno : 0;
}

/* What a process in the cgroup dirfd gets: 0 or an errno. */
static int ask_in(int dirfd, const struct question *q)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)dirfd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(answer(q));
	return wait_child((pid_t)pid);
}

static int ask(const struct question *q)
{
	return ask_in(cgroup.fd, q);
}

static const char *make_node(const char *path, mode_t type, dev_t number)
{
	(void)unlink(path);
	assert_int_equal(mknod(path, type | 0600, number), 0);
	return path;
}

static void confine(void)
{
	assert_int_equal(devices_confine(&cgroup, false, &config), 0);
}

static void the_usual_devices_work(void **state)
{
	static const char *const paths[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
		"/dev/urandom", "/dev/ptmx" };

	confine();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_int_equal(ask(&(struct question){ paths[i], O_RDWR, 0, 0 }), 0);
	/* and can be made, which a guest without a user namespace may */
	assert_int_equal(
		ask(&(struct question){ NODES "/null", O_RDWR, S_IFCHR, makedev(1, 3) }), 0);
	/* any pty; this one may not exist */
	make_node(NODES "/pts", S_IFCHR, makedev(136, 1000));
	assert_int_not_equal(ask(&(struct question){ NODES "/pts", O_RDWR, 0, 0 }), EPERM);
}

static void others_do_not(void **state)
{
	struct question open_it = { NODES "/foreign", O_RDONLY, 0, 0 };
	struct question make_it = { NODES "/made", -1, S_IFCHR, FOREIGN };

	make_node(NODES "/foreign", S_IFCHR, FOREIGN);
	/* it is the policy that refuses, not the machine */
	assert_int_not_equal(ask(&open_it), EPERM);
	assert_int_equal(ask(&make_it), 0);
	confine();
	assert_int_equal(ask(&open_it), EPERM);
	assert_int_equal(ask(&make_it), EPERM);
	/* nor what is like a usual one but for its minor, its kind, or what is asked */
	make_node(NODES "/kmsg", S_IFCHR, OTHER_MINOR);
	assert_int_equal(ask(&(struct question){ NODES "/kmsg", O_RDONLY, 0, 0 }), EPERM);
	make_node(NODES "/block", S_IFBLK, makedev(1, 3));
	assert_int_equal(ask(&(struct question){ NODES "/block", O_RDONLY, 0, 0 }), EPERM);
	make_node(NODES "/block-pts", S_IFBLK, OTHER_TYPE_OF_PTS);
	assert_int_equal(ask(&(struct question){ NODES "/block-pts", O_RDONLY, 0, 0 }), EPERM);
	assert_int_equal(
		ask(&(struct question){ NODES "/pts2", -1, S_IFCHR, makedev(136, 1) }), EPERM);
}

static void cgroups_below_are_confined_too(void **state)
{
	_cleanup_close_ int below = -EBADF;

	confine();
	assert_int_equal(mkdirat(cgroup.fd, "below", 0755), 0);
	below = openat(cgroup.fd, "below", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(below >= 0);
	make_node(NODES "/foreign", S_IFCHR, FOREIGN);
	assert_int_equal(
		ask_in(below, &(struct question){ NODES "/foreign", O_RDONLY, 0, 0 }), EPERM);
}

static void what_is_bound_may_be_used(void **state)
{
	static struct config_bind bind = { .source = (char *)NODES "/foreign" };
	struct question question = { NODES "/foreign", O_RDONLY, 0, 0 };

	make_node(NODES "/foreign", S_IFCHR, FOREIGN);
	config.binds = &bind;
	config.n_binds = 1;
	confine();
	assert_int_not_equal(ask(&question), EPERM);
	question.flags = O_RDWR;
	assert_int_not_equal(ask(&question), EPERM);
	/* but not made */
	assert_int_equal(ask(&(struct question){ NODES "/made", -1, S_IFCHR, FOREIGN }), EPERM);
}

static void what_is_bound_read_only_may_be_read(void **state)
{
	static struct config_bind binds[] = {
		{ .source = (char *)"/no/such/device", .optional = true },
		{ .source = (char *)"/etc" },
		{ .source = (char *)NODES "/foreign", .read_only = true },
	};
	struct question question = { NODES "/foreign", O_RDONLY, 0, 0 };

	make_node(NODES "/foreign", S_IFCHR, FOREIGN);
	config.binds = binds;
	config.n_binds = ARRAY_SIZE(binds);
	confine();
	assert_int_not_equal(ask(&question), EPERM);
	question.flags = O_RDWR;
	assert_int_equal(ask(&question), EPERM);
}

static void too_many_are_an_error(void **state)
{
	static struct config_bind binds[65];

	for (size_t i = 0; i < ARRAY_SIZE(binds); i++)
		binds[i] = (struct config_bind){ .source = (char *)"/dev/null" };
	config.binds = binds;
	config.n_binds = 64;
	confine();
	config.n_binds = 65;
	assert_int_equal(devices_confine(&cgroup, false, &config), -E2BIG);
}

/* The payload of a unit is below the unit's own cgroup, where systemd puts its policy. */
static void a_units_own_policy_counts(void **state)
{
	struct cgroup payload = CGROUP_NULL;
	static struct config_bind bind = { .source = (char *)NODES "/foreign" };
	struct question question = { NODES "/foreign", O_RDONLY, 0, 0 };

	make_node(NODES "/foreign", S_IFCHR, FOREIGN);
	assert_int_equal(mkdirat(cgroup.fd, "payload", 0755), 0);
	payload.fd = openat(cgroup.fd, "payload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(payload.fd >= 0);
	/* the unit has none: ours */
	assert_int_equal(devices_confine(&payload, true, &config), 0);
	assert_int_equal(ask_in(payload.fd, &question), EPERM);
	close_fdp(&payload.fd);
	/* from Linux 6.19 on who can be waited for may be in it for a moment yet */
	for (int64_t end = clock_ms() + SCRATCH_DEADLINE_MS;
		unlinkat(cgroup.fd, "payload", AT_REMOVEDIR) < 0;)
		assert_true(errno == EBUSY && clock_ms() < end);

	/* the unit allows it: nothing of ours */
	config.binds = &bind;
	config.n_binds = 1;
	confine();
	config.n_binds = 0;
	assert_int_equal(mkdirat(cgroup.fd, "payload", 0755), 0);
	payload.fd = openat(cgroup.fd, "payload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(devices_confine(&payload, true, &config), 0);
	assert_int_not_equal(ask_in(payload.fd, &question), EPERM);
	/* without a unit ours is added, and both must agree */
	assert_int_equal(devices_confine(&payload, false, &config), 0);
	assert_int_equal(ask_in(payload.fd, &question), EPERM);
	close_fdp(&payload.fd);
}

static void on_alarm(int number)
{
}

/* The kernel gives a load up when a signal is pending, be it a stop. */
static void signals_keep_no_policy_away(void **state)
{
	const struct itimerval often = { { .tv_usec = 1000 }, { .tv_usec = 1 } }, never = {};
	const struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct question question = { NODES "/foreign", O_RDONLY, 0, 0 };

	make_node(NODES "/foreign", S_IFCHR, FOREIGN);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	for (int i = 0; i < 200; i++) {
		(void)setitimer(ITIMER_REAL, &often, NULL);
		confine();
		(void)setitimer(ITIMER_REAL, &never, NULL);
		assert_int_equal(ask(&question), EPERM);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void without_a_cgroup_there_is_no_policy(void **state)
{
	assert_int_equal(devices_confine(&CGROUP_NULL, false, &config), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_usual_devices_work),
		TEST(others_do_not),
		TEST(cgroups_below_are_confined_too),
		TEST(what_is_bound_may_be_used),
		TEST(what_is_bound_read_only_may_be_read),
		TEST(too_many_are_an_error),
		TEST(a_units_own_policy_counts),
		TEST(signals_keep_no_policy_away),
		TEST(without_a_cgroup_there_is_no_policy),
	};

	return cmocka_run_group_tests_name("devices", tests, enter, NULL);
}
