/* SPDX-License-Identifier: MIT */

/*
 * The transaction. What can fail without the guest is done first: the mounts of the new binds are
 * made, detached, and those of the binds that go are made once more, for the way back. Then the
 * host name is set, and the network is changed, which narthex-network does as a whole or not at
 * all; then a child unmounts and mounts in the guest's mount namespace. When that fails it has
 * undone its own, and network and host name are changed back. What the guest's networkd is told of
 * its links comes last: it fails nothing.
 */

#include "reload-apply.h"

#include "builder.h"
#include "cleanup.h"
#include "fd.h"
#include "guest-network.h"
#include "log.h"
#include "network-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* A file system of the guest's own could let somebody who looks for a target wait for ever. */
#define GUEST_DEADLINE_MS 15000

struct job {
	const struct reload_job *job;
	struct live_binds new;	    /* of the configuration that is to be: what is mounted */
	struct live_binds old;	    /* of the one that runs: what is unmounted */
	struct live_binds way_back; /* and what would take its place again */
};

/* A namespace of the leader's; whose number it is, is asked once more after it was opened. */
static int open_namespace(const struct reload_job *job, const char *name)
{
	_cleanup_close_ int fd = -EBADF;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", job->leader, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pidfd_send_signal(job->leader_fd, 0, NULL, 0) < 0)
		return log_errno(-errno, "cannot open the container's %s namespace", name);
	return TAKE_FD(fd);
}

/* --- binds: preparations ---------------------------------------------------------------------- */

static bool stays(const struct job *j, size_t old)
{
	const struct reload_job *job = j->job;

	for (size_t i = 0; i < job->plan->merged.n_binds; i++)
		if (job->match[i] == (int)old)
			return true;
	return false;
}

/* The mounts of the binds that are new. */
static int make_new(struct job *j, const struct build *build)
{
	const struct container_config *config = &j->job->plan->merged;
	int r = live_binds_init(&j->new, config->n_binds);

	for (size_t i = 0; i < config->n_binds && r >= 0; i++) {
		const struct config_bind *bind = &config->binds[i];

		if (j->job->match[i] >= 0)
			continue;
		j->new.mounts[i] = r = bind_clone(build, bind);
		if (r == -ENOENT && bind->optional)
			r = 0;
	}
	return r;
}

/* What goes, and the same once more; one whose source is gone can't come back. */
static int make_old(struct job *j, const struct build *build)
{
	const struct container_config *config = &j->job->launch->config;
	int r = live_binds_init(&j->old, config->n_binds);

	if (r >= 0)
		r = live_binds_init(&j->way_back, config->n_binds);
	for (size_t i = 0; i < config->n_binds && r >= 0; i++) {
		if (j->job->live_binds->mounts[i] < 0 || stays(j, i))
			continue;
		j->old.mounts[i] = fcntl(j->job->live_binds->mounts[i], F_DUPFD_CLOEXEC, 3);
		if (j->old.mounts[i] < 0)
			r = log_errno(-errno, "cannot keep '%s'", config->binds[i].target);
		else if (access(config->binds[i].source, F_OK) == 0)
			j->way_back.mounts[i] = bind_clone(build, &config->binds[i]);
	}
	return r;
}

static int lock_all(struct job *j)
{
	const char *name = j->job->launch->config.name;
	int r = live_binds_lock(name, j->new.mounts, j->new.n);

	return r < 0 ? r : live_binds_lock(name, j->way_back.mounts, j->way_back.n);
}

static int prepare_binds(struct job *j)
{
	struct build build = {
		.launch = j->job->launch,
		.wanted = &j->job->plan->merged,
		.root = -EBADF,
		.userns_fd = -EBADF,
	};
	_cleanup_close_ int userns = -EBADF;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return log_errno(-errno, "cannot make a mount namespace");
	if (build.launch->range.base != 0) {
		userns = open_namespace(j->job, "user");
		if (userns < 0)
			return userns;
		build.userns_fd = userns;
	}
	r = make_new(j, &build);
	if (r >= 0)
		r = make_old(j, &build);
	return r < 0 || userns < 0 ? r : lock_all(j);
}

/* --- binds: in the guest's mount namespace ---------------------------------------------------- */

static int change_binds(const struct job *j, int fds_dir)
{
	const struct container_config *running = &j->job->launch->config;
	const struct container_config *wanted = &j->job->plan->merged;
	int r = live_binds_detach(running->binds, j->old.mounts, j->old.n, fds_dir);

	if (r >= 0) {
		r = live_binds_attach(wanted->binds, j->new.mounts, j->new.n);
		if (r < 0)
			(void)live_binds_detach(wanted->binds, j->new.mounts, j->new.n, fds_dir);
	}
	if (r < 0)
		(void)live_binds_attach(running->binds, j->way_back.mounts, j->way_back.n);
	return r;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Links that have come or gone. It is only for a networkd that starts again: a guest that doesn't
 * let it be said is worth a warning. */
static bool is_networkd_told(const struct job *j)
{
	const struct reload_job *job = j->job;

	return job->init == INIT_SYSTEMD &&
	       guest_network_differs(&job->launch->config, &job->plan->merged);
}

static void tell_networkd(const struct job *j)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = root < 0 ? -errno : guest_network_describe(&j->job->plan->merged, root);

	if (r < 0)
		log_warning(
			"cannot write to the container's /run/systemd/network: %s", strerror(-r));
}

/* Leaves stdio, what the job needs, and two more. */
static int close_the_rest(const struct job *j, int one, int other)
{
	const struct live_binds *all[] = { &j->new, &j->old, &j->way_back };
	_cleanup_free_ int *kept = calloc(2 + j->new.n + 2 * j->old.n, sizeof(*kept));
	size_t n = 0;
	int next = STDERR_FILENO + 1;

	if (!kept)
		return log_errno(-ENOMEM, "cannot close descriptors");
	kept[n++] = one;
	kept[n++] = other;
	for (size_t k = 0; k < ARRAY_SIZE(all); k++)
		for (size_t i = 0; i < all[k]->n; i++)
			if (all[k]->mounts[i] >= 0)
				kept[n++] = all[k]->mounts[i];
	qsort(kept, n, sizeof(*kept), by_number);
	for (size_t i = 0; i < n; i++) {
		if (kept[i] > next)
			(void)close_range((unsigned)next, (unsigned)kept[i] - 1, 0);
		next = kept[i] + 1;
	}
	(void)close_range((unsigned)next, ~0U, 0);
	return 0;
}

/* The child that goes in. */
static _Noreturn void go_in(const struct job *j)
{
	_cleanup_close_ int fds_dir = -EBADF;

	/* nobody may look into it, whatever user namespace the container has */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || act_as_guest_root(j->job->launch) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	fds_dir = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds_dir < 0 || close_the_rest(j, fds_dir, j->job->leader_fd) < 0 ||
		live_binds_enter(j->job->leader_fd) < 0)
		_exit(1);
	if (change_binds(j, fds_dir) < 0)
		_exit(1);
	if (is_networkd_told(j))
		tell_networkd(j);
	_exit(0);
}

/* Tells the launcher what is mounted now. -EBADF: there is none. */
static int tell(const struct job *j, int mount)
{
	int r = fd_send(j->job->socket, BUILD_BIND, &mount, mount >= 0);

	return r < 0 ? log_errno(r, "cannot tell the launcher of a bind") : 0;
}

static int tell_result(const struct job *j, bool changed)
{
	int r = 0;

	for (size_t i = 0; changed && i < j->new.n &&r >= 0; i++)
		if (j->job->match[i] < 0)
			r = tell(j, j->new.mounts[i]);
	for (size_t i = 0; !changed && i < j->old.n && r >= 0; i++)
		if (j->old.mounts[i] >= 0)
			r = tell(j, j->way_back.mounts[i]);
	return r;
}

static int send_in(const struct job *j)
{
	struct pollfd end = { .events = POLLIN };
	_cleanup_close_ int pidfd = -EBADF;
	siginfo_t info = {};
	pid_t pid = fork();
	int r;

	if (pid == 0)
		go_in(j);
	pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (pidfd < 0)
		return log_errno(-errno, "cannot fork");
	end.fd = pidfd;
	do
		r = poll(&end, 1, GUEST_DEADLINE_MS);
	while (r < 0 && errno == EINTR);
	if (r <= 0) {
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		log_error("a file system of the container's doesn't answer: what it has mounted "
			  "may be half changed; restart the container");
		return -ETIME;
	}
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		return log_errno(-errno, "cannot wait for a child");
	r = info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : -EIO;
	(void)tell_result(j, r >= 0);
	return r;
}

/* --- everything ------------------------------------------------------------------------------- */

/* The host name, in the guest's own namespace. ret_before: the one that it had. */
static int change_hostname(const struct reload_job *job, char ret_before[HOST_NAME_MAX + 1])
{
	const struct container_config *config = &job->plan->merged;
	const char *name = config->hostname ? config->hostname : config->name;
	_cleanup_close_ int uts = open_namespace(job, "uts");

	if (uts < 0)
		return uts;
	if (setns(uts, CLONE_NEWUTS) < 0 || gethostname(ret_before, HOST_NAME_MAX + 1) < 0 ||
		sethostname(name, strlen(name)) < 0)
		return log_errno(-errno, "cannot set the container's host name to '%s'", name);
	return 0;
}

/* The network, then the binds: both or none. */
static int change_the_rest(struct job *j)
{
	const struct reload_job *job = j->job;
	const struct reload_plan *plan = job->plan;
	bool network = reload_plan_has(plan, RELOAD_NETWORK);
	bool binds = reload_plan_has(plan, RELOAD_BINDS);
	_cleanup_close_ int netns = -EBADF;
	int r = 0;

	if (network) {
		netns = open_namespace(job, "net");
		r = netns < 0 ? netns
			      : network_helper_change(&job->launch->config, &plan->merged, netns);
	}
	if (r < 0 || !(binds || is_networkd_told(j)))
		return r;
	r = send_in(j);
	if (r < 0 && network &&
		network_helper_change(&plan->merged, &job->launch->config, netns) < 0)
		log_error("the network is not what it was: restart the container");
	return r;
}

static int run(struct job *j)
{
	const struct reload_plan *plan = j->job->plan;
	bool hostname = reload_plan_has(plan, RELOAD_HOSTNAME);
	char before[HOST_NAME_MAX + 1];
	int r = reload_plan_has(plan, RELOAD_BINDS) ? prepare_binds(j) : 0;

	if (r >= 0 && hostname)
		r = change_hostname(j->job, before);
	if (r < 0)
		return r;
	r = change_the_rest(j);
	if (r < 0 && hostname && sethostname(before, strlen(before)) < 0)
		log_errno(-errno, "cannot set the container's host name back to '%s'", before);
	return r;
}

int reload_apply(const struct reload_job *job)
{
	struct job j = { .job = job };
	int r = run(&j);

	live_binds_close(&j.new);
	live_binds_close(&j.old);
	live_binds_close(&j.way_back);
	return r;
}
