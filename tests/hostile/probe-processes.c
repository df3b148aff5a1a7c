/* SPDX-License-Identifier: MIT */

/* Processes, their limits and their namespaces. */

#include "probe.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that waits to be done something to; it dies with its parent. */
static pid_t victim(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	return pid;
}

static long become_user(void)
{
	return result(setresuid(1000, 1000, 1000));
}

static long set_groups(void)
{
	gid_t group = 5;

	return result(setgroups(1, &group));
}

static long raise_priority(void)
{
	return result(setpriority(PRIO_PROCESS, 0, -10));
}

static long be_realtime(void)
{
	struct sched_param parameters = { .sched_priority = 1 };

	return result(sched_setscheduler(0, SCHED_FIFO, &parameters));
}

static long realtime_io(void)
{
	return CALL(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 4));
}

static long raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
		limit.rlim_max = 1000;
	else
		limit.rlim_max++;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NPROC, &limit) < 0)
		return -errno;
	limit.rlim_max++;
	return result(setrlimit(RLIMIT_NPROC, &limit));
}

static long spare_from_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : result(write(fd, "-1000", 5));
}

static long trace_child(void)
{
	return result(ptrace(PTRACE_SEIZE, victim(), NULL, NULL));
}

static long trace_init(void)
{
	return result(ptrace(PTRACE_SEIZE, 1, NULL, NULL));
}

static long write_memory(void)
{
	char byte = 0;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return result(process_vm_writev(victim(), &here, 1, &there, 1, 0));
}

static long take_descriptor(void)
{
	long pidfd = CALL(SYS_pidfd_open, victim(), 0);

	return pidfd < 0 ? pidfd : CALL(SYS_pidfd_getfd, pidfd, 0, 0);
}

static long compare_kernel_pointers(void)
{
	return CALL(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0);
}

/* A command that means nothing in a pid namespace: EINVAL is that namespace's answer. */
static long reboot_own(void)
{
	return CALL(
		SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0);
}

static long wake_alarm(void)
{
	return result(timerfd_create(CLOCK_REALTIME_ALARM, TFD_CLOEXEC));
}

static long lock_memory(void)
{
	struct rlimit none = {};

	(void)setrlimit(RLIMIT_MEMLOCK, &none);
	return result(mlockall(MCL_CURRENT));
}

static long set_hostname(void)
{
	char name[65];

	if (gethostname(name, sizeof(name)) < 0)
		return -errno;
	return result(sethostname(name, strlen(name)));
}

static long set_domainname(void)
{
	char name[65];

	if (getdomainname(name, sizeof(name)) < 0)
		return -errno;
	return result(setdomainname(name, strlen(name)));
}

static long change_root(void)
{
	return result(chroot("/proc"));
}

/* The file that PID 1 was started from: the guest's own, or one that the launcher brought. */
static long change_init_program(void)
{
	struct stat st;
	int fd = open("/proc/1/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return result(fchmod(fd, st.st_mode & 07777));
}

static long write_init_memory(void)
{
	return result(open("/proc/1/mem", O_RDWR | O_CLOEXEC));
}

static const struct attempt process_attempts[] = {
	{ "become another user", become_user, 0 },
	{ "set groups", set_groups, 0 },
	{ "raise the priority", raise_priority, 0 },
	{ "real-time scheduling", be_realtime, 0 },
	{ "real-time I/O", realtime_io, 0 },
	{ "raise a hard limit", raise_limit, 0 },
	{ "be spared when memory is short", spare_from_oom, 0 },
	{ "lock memory past the limit", lock_memory, 0 },
	{ "trace a process", trace_child, 0 },
	{ "trace PID 1", trace_init, 0 },
	{ "write a process's memory", write_memory, EFAULT },
	{ "write PID 1's memory", write_init_memory, 0 },
	{ "take a process's descriptor", take_descriptor, 0 },
	{ "compare kernel pointers", compare_kernel_pointers, 0 },
	{ "chmod the program of PID 1", change_init_program, 0 },
	{ "reboot its own PID namespace", reboot_own, EINVAL },
	{ "wake the machine by a timer", wake_alarm, 0 },
	{ "set the host name", set_hostname, 0 },
	{ "set the domain name", set_domainname, 0 },
	{ "chroot", change_root, 0 },
};

/* --- namespaces ------------------------------------------------------------------------------- */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* linux/sched.h */
#endif

static const struct kind {
	const char *name, *file;
	int flag;
} kinds[] = {
	{ "user", "user", CLONE_NEWUSER },
	{ "mount", "mnt", CLONE_NEWNS },
	{ "pid", "pid", CLONE_NEWPID },
	{ "network", "net", CLONE_NEWNET },
	{ "ipc", "ipc", CLONE_NEWIPC },
	{ "uts", "uts", CLONE_NEWUTS },
	{ "cgroup", "cgroup", CLONE_NEWCGROUP },
	{ "time", "time", CLONE_NEWTIME },
};

static long make_namespace(const void *arg)
{
	const struct kind *kind = arg;

	return result(unshare(kind->flag));
}

/* One's own can be entered by who has the power over it, but the user namespace (EINVAL). */
static long enter_namespace(const void *arg)
{
	const struct kind *kind = arg;
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/1/ns/%s", kind->file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : result(setns(fd, kind->flag));
}

static long nested_namespace(const void *arg)
{
	const struct kind *kind = arg;

	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	return result(unshare(kind->flag));
}

static void report_namespaces(void)
{
	char name[64];

	for (size_t i = 0; i < COUNT(kinds); i++) {
		(void)snprintf(name, sizeof(name), "new %s namespace", kinds[i].name);
		probe(name, make_namespace, &kinds[i], 0);
	}
	for (size_t i = 1; i < COUNT(kinds); i++) {
		(void)snprintf(name, sizeof(name), "enter PID 1's %s namespace", kinds[i].name);
		probe(name, enter_namespace, &kinds[i], 0);
	}
	for (size_t i = 1; i < COUNT(kinds); i++) {
		(void)snprintf(name, sizeof(name), "new %s namespace below a user namespace",
			kinds[i].name);
		probe(name, nested_namespace, &kinds[i], 0);
	}
}

const struct chapter chapter_processes = { "processes", process_attempts, COUNT(process_attempts),
	NULL };
const struct chapter chapter_namespaces = { "namespaces", NULL, 0, report_namespaces };
