/* SPDX-License-Identifier: MIT */

/*
 * Whole guests from a real builder: a tree with a static busybox, real namespaces, a real cgroup.
 * The test plays the supervisor.
 */

#include "host-tools/launch/builder.h"

#include "scratch.h"

#include "fd.h"
#include "host-tools/launch/mnt.h"
#include "host-tools/launch/notify.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#define BASE SCRATCH "/builder"
#define ROOT BASE "/root"
#define OUTSIDE BASE "/outside"

static struct launch launch;
static size_t fds_before, mounts_before;

/* What became of one guest. */
struct result {
	char tags[16];	 /* of the builder's messages, in order */
	int unshared;	 /* how often the leader said that it has its namespaces */
	int builder;	 /* exit statuses, 128+N */
	int leader;	 /* -1: there was none */
	char words[512]; /* the leader's */
	char out[16384]; /* of its stdout and stderr */
	enum init_kind kind;
};

static void copy_busybox(const char *to)
{
	static const char *const places[] = { "/bin/busybox", "/usr/bin/busybox" };
	_cleanup_close_ int in = -EBADF, out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char buffer[65536];
	ssize_t n;

	for (size_t i = 0; in < 0 && i < ARRAY_SIZE(places); i++)
		in = open(places[i], O_RDONLY | O_CLOEXEC);
	if (in < 0)
		fail_msg("install busybox-static");
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(fd_write_all(out, buffer, (size_t)n), 0);
}

static void make_tree(void)
{
	assert_int_equal(mkdir(ROOT, 0755), 0);
	assert_int_equal(mkdir(ROOT "/bin", 0755), 0);
	assert_int_equal(mkdir(ROOT "/sbin", 0755), 0);
	copy_busybox(ROOT "/bin/busybox");
	assert_int_equal(symlink("busybox", ROOT "/bin/sh"), 0);
	assert_int_equal(mkdir(OUTSIDE, 0755), 0);
	put_file(OUTSIDE "/canary", "sings");
}

static int make_payload(const char *name, uint32_t uid, struct cgroup *ret)
{
	int r = cgroup_find_payload(false, name, ret);

	return r < 0 ? r : cgroup_make_payload(uid, ret);
}

static int setup(void **state)
{
	char name[32];

	assert_int_equal(mkdir(BASE, 0755), 0);
	assert_int_equal(mount("builder", BASE, "tmpfs", 0, NULL), 0);
	make_tree();
	fds_before = count_fds();
	mounts_before = count_mounts("");
	(void)snprintf(name, sizeof(name), "test-%d", getpid());
	launch = (struct launch){ .state = STATE_NULL, .cgroup = CGROUP_NULL, .notify_fd = -EBADF };
	assert_int_equal(config_default(name, &launch.config), 0);
	/* the host's resolvers are brought by the launcher's own work, which isn't done here */
	assert_int_equal(config_set(&launch.config, "test", "Exec", "ResolvConf", "off"), 0);
	launch.config.boot = false;
	launch.boots = 1;
	free(launch.config.root);
	launch.config.root = strdup(ROOT);
	free(TAKE_PTR(launch.config.store));
	assert_int_equal(state_acquire(name, &launch.state), 0);
	assert_int_equal(uid_range_acquire(&launch.config, &launch.range), 0);
	assert_int_equal(state_mount_doors(&launch.state, launch.range.base), 0);
	launch.notify_fd = notify_listen(launch.state.private_fd);
	assert_true(launch.notify_fd >= 0);
	assert_int_equal(make_payload(name, launch.range.base, &launch.cgroup), 0);
	return 0;
}

static int teardown(void **state)
{
	/* what a test that failed left: its own, not the configuration's to free */
	launch.config.parameters = launch.config.environment = NULL;
	launch.config.binds = NULL;
	launch.config.n_binds = 0;
	launch.config.working_directory = NULL;
	cgroup_destroy(&launch.cgroup);
	close_fdp(&launch.notify_fd);
	uid_range_release(&launch.range);
	state_release(&launch.state);
	config_done(&launch.config);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(count_mounts(""), mounts_before);
	/* whatever lay in the way, nothing beside the tree was touched */
	assert_int_equal(count_entries(OUTSIDE), 1);
	assert_file(OUTSIDE "/canary", "sings");
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(rmdir(BASE), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process left */
	return 0;
}

static int wait_pidfd(int pidfd)
{
	siginfo_t info = {};

	assert_true(wait_readable(pidfd));
	assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
	(void)close(pidfd);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Takes one message. False: there are no more. *leader: its pidfd. */
static bool take_message(int socket, struct result *result, int *leader)
{
	int fds[2] = { -EBADF, -EBADF }, n;
	unsigned char kind;
	char tag;

	assert_true(wait_readable(socket));
	n = fd_receive(socket, &tag, fds, ARRAY_SIZE(fds));
	/* a builder that ended without having read everything: what it said comes after the error
	 */
	if (n == -ECONNRESET)
		n = fd_receive(socket, &tag, fds, ARRAY_SIZE(fds));
	if (n == -ECONNRESET)
		return false;
	assert_true(n >= 0);
	if (tag == BUILD_UNSHARED) { /* before BUILD_LEADER or after it: of another process */
		result->unshared++;
		/* the builder may have been killed meanwhile */
		(void)fd_send(socket, BUILD_NETWORK, NULL, 0);
		return true;
	}
	result->tags[strlen(result->tags)] = tag;
	if (tag == BUILD_LEADER)
		*leader = TAKE_FD(fds[0]);
	if (tag == BUILD_DONE) {
		assert_int_equal(read(fds[0], &kind, 1), 1);
		result->kind = kind;
	}
	close_fdp(&fds[0]);
	close_fdp(&fds[1]);
	return true;
}

static void read_to_end(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && wait_readable(fd) &&
		(n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(fd);
}

static void start(struct payload_stdio *stdio, int *out, int *builder, int *socket, int *error)
{
	_cleanup_close_ int doors = -EBADF;
	int fds[2], r;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*stdio = (struct payload_stdio){ .fds = { open("/dev/null", O_RDONLY | O_CLOEXEC), fds[1],
						 fds[1] } };
	assert_int_equal(builder_start(&launch, stdio, builder, socket, error), 0);
	doors = mnt_clone(launch.state.dir_fd, "doors", false);
	assert_true(doors >= 0);
	r = fd_send(*socket, BUILD_DOORS, &doors, 1);
	/* a builder that can't go on may have ended by now: its exit status is what counts */
	assert_true(r == 0 || r == -EPIPE || r == -ECONNRESET);
	(void)close(stdio->fds[0]);
	(void)close(fds[1]);
	*out = fds[0];
}

static struct result run(void)
{
	struct result result = { .leader = -1 };
	int out, builder, socket, error, leader = -EBADF;
	struct payload_stdio stdio;

	start(&stdio, &out, &builder, &socket, &error);
	assert_int_equal(fcntl(socket, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(error, F_GETFD), FD_CLOEXEC);
	while (take_message(socket, &result, &leader))
		;
	(void)close(socket);
	result.builder = wait_pidfd(builder);
	read_to_end(error, result.words, sizeof(result.words));
	read_to_end(out, result.out, sizeof(result.out));
	if (leader >= 0)
		result.leader = wait_pidfd(leader);
	return result;
}

/* Runs a script as PID 1. */
static struct result run_script(const char *script)
{
	static char *argv[4];

	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)"-c";
	argv[2] = (char *)script;
	argv[3] = NULL;
	launch.config.parameters = argv;
	{
		struct result result = run();

		launch.config.parameters = NULL;
		return result;
	}
}

static void assert_script(const char *script, const char *out)
{
	struct result result = run_script(script);

	assert_string_equal(result.words, "");
	assert_string_equal(result.out, out);
	assert_int_equal(result.builder, 0);
	assert_int_equal(result.leader, 0);
}

/* --- what a payload is ---------------------------------------------------------------------------
 */

static void a_command_runs_as_pid_1(void **state)
{
	struct result result = run_script("echo $$ $0; exit 7");

	assert_string_equal(result.tags, "LTD");
	assert_int_equal(result.unshared, 1);
	assert_string_equal(result.out, "1 /bin/sh\n");
	assert_int_equal(result.builder, 0);
	assert_int_equal(result.leader, 7);
	assert_int_equal(result.kind, INIT_COMMAND);
}

static void it_is_root_of_its_own_ids_only(void **state)
{
	char want[128];

	(void)snprintf(
		want, sizeof(want), "         0 %10u %10u\n", launch.range.base, UID_RANGE_SIZE);
	assert_script("/bin/busybox cat /proc/self/uid_map", want);
	assert_script("/bin/busybox cat /proc/self/gid_map", want);
	assert_script("/bin/busybox id", "uid=0 gid=0\n");
	/* the tree is root's inside, as it is on the disk */
	assert_script("/bin/busybox stat -c %u:%g / /bin/busybox /run /dev /tmp",
		"0:0\n0:0\n0:0\n0:0\n0:0\n");
	assert_script("echo x >/made", "");
	{
		struct stat st;

		assert_int_equal(stat(ROOT "/made", &st), 0);
		assert_int_equal(st.st_uid, 0);
	}
}

static void it_has_namespaces_of_its_own(void **state)
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };

	launch.config.private_network = true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char script[128], path[64], ours[64] = "";
		struct result result;

		(void)snprintf(
			script, sizeof(script), "/bin/busybox readlink /proc/self/ns/%s", kinds[i]);
		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		assert_true(readlink(path, ours, sizeof(ours) - 1) > 0);
		result = run_script(script);
		assert_int_equal(result.leader, 0);
		result.out[strcspn(result.out, "\n")] = '\0';
		assert_int_equal(strncmp(result.out, kinds[i], strlen(kinds[i])), 0);
		assert_string_not_equal(result.out, ours);
	}
	assert_script("/bin/busybox cat /proc/self/cgroup | /bin/busybox grep ^0", "0::/\n");
}

/* ls itself has the fourth: the directory that it lists. */
static void it_has_three_descriptors(void **state)
{
	_cleanup_close_ int inheritable = open(OUTSIDE, O_RDONLY | O_DIRECTORY);

	assert_true(inheritable > 2);
	assert_script("exec /bin/busybox ls /proc/self/fd", "0\n1\n2\n3\n");
}

static void it_has_a_known_environment(void **state)
{
	char *extra[] = { (char *)"PATH=/bin", (char *)"MORE=yes", NULL };
	char *argv[] = { (char *)"/bin/busybox", (char *)"env", NULL };
	struct result result;

	(void)setenv("SECRET_OF_THE_HOST", "x", 1);
	result = run_script("exec /bin/busybox env");
	(void)unsetenv("SECRET_OF_THE_HOST");
	assert_null(strstr(result.out, "SECRET"));
	assert_non_null(strstr(result.out, "container=narthex\n"));
	assert_non_null(strstr(result.out, "container_uuid="));
	assert_non_null(strstr(result.out, "HOME=/root\n"));
	assert_non_null(strstr(result.out, "USER=root\n"));
	assert_null(strstr(result.out, "NOTIFY_SOCKET"));
	launch.config.environment = extra;
	/* each name once: which of two counts differs from program to program */
	launch.config.parameters = argv;
	result = run();
	launch.config.environment = launch.config.parameters = NULL;
	assert_int_equal(strncmp(result.out, "PATH=/bin\n", 10), 0);
	assert_null(strstr(result.out + 1, "\nPATH="));
	assert_non_null(strstr(result.out, "\nMORE=yes\n"));
}

static void signals_and_masks_are_fresh(void **state)
{
	sigset_t all;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	assert_script("exec /bin/busybox grep -E '^Sig(Blk|Ign)' /proc/self/status",
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	(void)sigprocmask(SIG_UNBLOCK, &all, NULL);
	assert_script("umask", "0022\n");
}

static void nothing_of_the_host_is_to_be_seen(void **state)
{
	assert_script("exec /bin/busybox ls /dev",
		"console\ncore\nfd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\n"
		"tty\nurandom\nzero\n");
	assert_script("exec /bin/busybox ls /run /run/host /tmp",
		"/run:\nhost\n\n/run/host:\ncontainer-manager\ncontainer-uuid\nnarthex\nnotify\n\n/"
		"tmp:\n");
	/* the kernel's switches: not even root's hand moves them */
	assert_script("echo x 2>/dev/null >/proc/sys/kernel/core_pattern && echo written; "
		      "echo c 2>/dev/null >/proc/sysrq-trigger; "
		      "/bin/busybox umount /proc/sys 2>/dev/null && echo unmounted; "
		      "/bin/busybox wc -c </proc/kallsyms",
		"0\n");
}

/* --- failures
 * ------------------------------------------------------------------------------------- */

static void what_cannot_be_executed(void **state)
{
	static char *none[] = { (char *)"none", NULL }, *dir[] = { (char *)"/bin", NULL },
		    *text[] = { (char *)"/text", NULL };
	struct result result;

	launch.config.parameters = none;
	result = run();
	assert_int_equal(result.leader, 127);
	assert_string_equal(result.words, "cannot execute 'none': No such file or directory");
	assert_int_equal(result.builder, 0);
	launch.config.parameters = dir;
	result = run();
	assert_int_equal(result.leader, 126);
	put_file(ROOT "/text", "no program");
	launch.config.parameters = text;
	result = run();
	assert_int_equal(result.leader, 126);
	assert_string_equal(result.words, "cannot execute '/text': Permission denied");
	launch.config.parameters = NULL;
	result = run();
	assert_int_equal(result.leader, 125);
	assert_non_null(strstr(result.words, "no command"));
	launch.config.working_directory = (char *)"/none";
	result = run_script("exit 0");
	launch.config.working_directory = NULL;
	assert_int_equal(result.leader, 125);
	assert_non_null(strstr(result.words, "'/none'"));
}

static void without_an_init(void **state)
{
	struct result result;

	launch.config.boot = true;
	result = run();
	assert_int_equal(result.builder, 0);
	assert_int_equal(result.kind, INIT_OTHER);
	assert_int_equal(result.leader, 125);
	assert_non_null(strstr(result.words, "no init"));
}

static void an_init_is_started_and_told_apart(void **state)
{
	static char *argv[] = { (char *)"--argument", NULL };
	struct result result;

	launch.config.boot = true;
	launch.config.parameters = argv;
	put_file(ROOT "/sbin/init", "#!/bin/sh\necho $$ $0 $1 $NOTIFY_SOCKET $HOME\nexit 3\n");
	assert_int_equal(chmod(ROOT "/sbin/init", 0755), 0);
	result = run();
	assert_string_equal(result.out, "1 /sbin/init --argument /run/host/notify\n");
	assert_int_equal(result.leader, 3);
	assert_int_equal(result.kind, INIT_OTHER);
	assert_int_equal(mkdir(ROOT "/lib", 0755) | mkdir(ROOT "/lib/systemd", 0755), 0);
	assert_int_equal(rename(ROOT "/sbin/init", ROOT "/lib/systemd/systemd"), 0);
	assert_int_equal(symlink("/lib/systemd/systemd", ROOT "/sbin/init"), 0);
	result = run();
	assert_int_equal(result.kind, INIT_SYSTEMD);
	assert_int_equal(result.leader, 3);
	launch.config.parameters = NULL;
}

/* Path= leads into the host's store, which the tree itself doesn't have. */
static void a_system_of_the_store_is_told_apart(void **state)
{
	static const char store[] = "/mnt/store";
	struct result result;

	/* below neither /run nor /tmp, which are the container's own */
	assert_int_equal(mount("store", "/mnt", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(store, 0755), 0);
	assert_int_equal(mkdir("/mnt/store/system", 0755), 0);
	assert_int_equal(mkdir("/mnt/store/systemd", 0755), 0);
	assert_int_equal(symlink("/mnt/store/systemd", "/mnt/store/system/systemd"), 0);
	put_file("/mnt/store/system/init", "#!/bin/sh\necho from the store\n");
	assert_int_equal(chmod("/mnt/store/system/init", 0755), 0);
	launch.config.boot = true;
	launch.config.store = strdup(store);
	launch.config.path = strdup("/mnt/store/system");
	launch.system = launch.config.path; /* what it leads to */
	result = run();
	launch.system = NULL;
	assert_string_equal(result.words, "");
	assert_string_equal(result.out, "from the store\n");
	assert_int_equal(result.kind, INIT_SYSTEMD);
	assert_int_equal(umount2("/mnt", MNT_DETACH), 0);
}

/* Each place where something is mounted, each thing that could lie there instead. */
static void hostile_trees(void **state)
{
	static const char *const places[] = { "/proc", "/sys", "/dev", "/run", "/tmp" };
	static const char *const things[] = { "absolute link", "relative link", "dangling link",
		"self link", "fifo", "device", "file" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (size_t k = 0; k < ARRAY_SIZE(things); k++) {
			struct result result;
			char path[128];

			(void)snprintf(path, sizeof(path), ROOT "%s", places[i]);
			(void)unlink(path);
			(void)rmdir(path);
			switch (k) {
			case 0:
				assert_int_equal(symlink(OUTSIDE, path), 0);
				break;
			case 1:
				assert_int_equal(symlink("../outside", path), 0);
				break;
			case 2:
				assert_int_equal(symlink("none", path), 0);
				break;
			case 3:
				assert_int_equal(symlink(places[i] + 1, path), 0);
				break;
			case 4:
				assert_int_equal(mkfifo(path, 0666), 0);
				break;
			case 5:
				assert_int_equal(mknod(path, S_IFCHR | 0666, makedev(1, 3)), 0);
				break;
			default:
				put_file(path, "");
				break;
			}
			result = run_script("echo in");
			if (result.builder == 0 || result.leader == 0 || result.out[0])
				fail_msg("a %s at %s was accepted", things[k], places[i]);
			assert_null(strchr(result.tags, BUILD_DONE));
			assert_int_equal(unlink(path), 0);
		}
}

static void hostile_targets_of_binds(void **state)
{
	struct config_bind bind = {
		.source = (char *)OUTSIDE,
		.target = (char *)"/mnt/target",
		.read_only = true,
	};
	struct result result;

	launch.config.binds = &bind;
	launch.config.n_binds = 1;
	result = run_script(
		"/bin/busybox cat /mnt/target/canary; echo x 2>/dev/null >/mnt/target/x");
	assert_string_equal(result.out, "sings");
	assert_int_equal(rmdir(ROOT "/mnt/target") | rmdir(ROOT "/mnt"), 0);
	assert_int_equal(symlink(OUTSIDE, ROOT "/mnt"), 0);
	assert_int_equal(run_script("echo in").builder, 1);
	assert_int_equal(unlink(ROOT "/mnt"), 0);
	assert_int_equal(mkdir(ROOT "/mnt", 0755), 0);
	assert_int_equal(symlink(OUTSIDE, ROOT "/mnt/target"), 0);
	assert_int_equal(run_script("echo in").builder, 1);
	/* a source that isn't there: refused, or skipped when that was said */
	bind = (struct config_bind){ .source = (char *)BASE "/none", .target = (char *)"/srv" };
	assert_int_equal(run_script("echo in").builder, 1);
	bind.optional = true;
	assert_int_equal(run_script("echo in").builder, 0);
	launch.config.binds = NULL;
	launch.config.n_binds = 0;
}

static void a_root_that_is_not_there(void **state)
{
	struct result result;

	assert_int_equal(rename(ROOT, BASE "/moved"), 0);
	result = run_script("echo in");
	assert_int_equal(result.builder, 1);
	assert_int_not_equal(result.leader, 0);
	put_file(ROOT, "");
	assert_int_equal(run_script("echo in").builder, 1);
}

static void an_ephemeral_root_keeps_the_tree(void **state)
{
	struct result result;

	launch.config.ephemeral = true;
	result = run_script("echo x >/made; /bin/busybox rm /bin/sh; /bin/busybox ls /");
	assert_string_equal(result.tags, "LRTD");
	assert_int_equal(result.leader, 0);
	assert_non_null(strstr(result.out, "made\n"));
	assert_false(exists(ROOT "/made"));
	assert_true(exists(ROOT "/bin/sh"));
}

/* Whatever the moment at which the builder is killed, its leader ends, too, and nothing remains. */
static void a_killed_builder_takes_the_leader_along(void **state)
{
	char *argv[] = { (char *)"/bin/busybox", (char *)"true", NULL };

	launch.config.parameters = argv;
	for (unsigned int i = 0; i < 60; i++) {
		struct result result = { .leader = -1 };
		int out, builder, socket, error, leader = -EBADF;
		struct payload_stdio stdio;
		char events[256];
		struct pollfd p = {};

		start(&stdio, &out, &builder, &socket, &error);
		p = (struct pollfd){ .fd = socket, .events = POLLIN };
		/* later and later */
		(void)ppoll(&p, 1, &(struct timespec){ .tv_nsec = i * 100000 }, NULL);
		(void)pidfd_send_signal(builder, SIGKILL, NULL, 0);
		while (take_message(socket, &result, &leader))
			;
		(void)close(socket);
		result.builder = wait_pidfd(builder);
		read_to_end(error, result.words, sizeof(result.words));
		read_to_end(out, result.out, sizeof(result.out));
		if (leader >= 0)
			result.leader = wait_pidfd(leader);
		/* one that was not announced yet is our child all the same */
		while (waitpid(-1, NULL, 0) > 0)
			;
		(void)snprintf(events, sizeof(events), "%s/cgroup.procs", launch.cgroup.path);
		assert_file(events, "");
	}
	launch.config.parameters = NULL;
}

/* A launcher that is killed takes its builder and its leader along, at any moment. */
static void a_killed_launcher_takes_all_along(void **state)
{
	char *argv[] = { (char *)"/bin/busybox", (char *)"sleep", (char *)"1000", NULL };
	char path[256];

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* whom nobody waits for any more, we do */
	launch.config.parameters = argv;
	(void)snprintf(path, sizeof(path), "%s/cgroup.events", launch.cgroup.path);
	for (unsigned int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int64_t end;
		bool empty = false;

		assert_true(pid >= 0);
		if (pid == 0) {
			int builder, socket, error, out, leader = -EBADF;
			struct result result = {};
			struct payload_stdio stdio;

			start(&stdio, &out, &builder, &socket, &error);
			/* the first half before the end of the builder, the rest after it */
			while (i >= 20 && take_message(socket, &result, &leader))
				;
			(void)ppoll(
				NULL, 0, &(struct timespec){ .tv_nsec = i % 20 * 150000 }, NULL);
			(void)kill(getpid(), SIGKILL);
		}
		assert_int_equal(wait_child(pid), 128 + SIGKILL);
		for (end = clock_ms() + SCRATCH_DEADLINE_MS; !empty && clock_ms() < end;) {
			_cleanup_free_ char *events = NULL;

			assert_true(file_read_all(AT_FDCWD, path, 0, 4096, &events) > 0);
			empty = strstr(events, "populated 0") != NULL;
		}
		if (!empty)
			fail_msg("the guest lives on after launcher %u", i);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	launch.config.parameters = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_runs_as_pid_1),
		TEST(it_is_root_of_its_own_ids_only),
		TEST(it_has_namespaces_of_its_own),
		TEST(it_has_three_descriptors),
		TEST(it_has_a_known_environment),
		TEST(signals_and_masks_are_fresh),
		TEST(nothing_of_the_host_is_to_be_seen),
		TEST(what_cannot_be_executed),
		TEST(without_an_init),
		TEST(an_init_is_started_and_told_apart),
		TEST(a_system_of_the_store_is_told_apart),
		TEST(hostile_trees),
		TEST(hostile_targets_of_binds),
		TEST(a_root_that_is_not_there),
		TEST(an_ephemeral_root_keeps_the_tree),
		TEST(a_killed_builder_takes_the_leader_along),
		TEST(a_killed_launcher_takes_all_along),
	};

	return cmocka_run_group_tests_name("builder", tests, scratch_enter, NULL);
}
