/* SPDX-License-Identifier: MIT */

/*
 * fault [-d FILE CGROUP] PROCESS N kill|fit|ERRNO|list -- CMD…: runs a launcher or an agent, and
 * lets the Nth system call of one of its processes fail, or kills that process there. N may be a
 * call's name, for each of these calls, or NAME:K for the Kth of them; NAME@FD and NAME:K@FD count
 * only those whose first argument is that descriptor. PROCESS is one of
 *
 *   P   the launcher, or the agent     H   the builder and its helpers
 *   C   the leader                     N   narthex-network
 *   S   what the agent has started, before its exec
 *
 * fit: with an error that this call is known for. The last line on stderr says what was hit,
 * "fault: P 17 openat EMFILE", or "fault: none" when there were fewer. list: nothing is hit; the
 * last lines are "fault: openat 34", how often each call that can fail was made. The exit status is
 * CMD's, 128 + its signal, or 1.
 *
 * With -d CMD has this process' own pid, for a service's ExecStart=; who asks is in CGROUP, and has
 * written the line into FILE when nobody is left to ask.
 *
 * A filter that every process inherits asks here before each system call (seccomp_unotify(2)).
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static char arg_process;
static long arg_n;
static int arg_number = -1; /* calls of this one; the arg_nth, or with 0 all */
static int arg_fd = -1;	    /* on this descriptor */
static int arg_errno;	    /* 0: kill, FIT, LIST */

#define FIT (-1)
#define LIST (-2)
#define CALLS_MAX 512

static pid_t launcher;
static long count;
static bool is_hit;
static int hit_number, hit_errno;
static long made[CALLS_MAX]; /* by number, for LIST */
static volatile int *told;   /* by the child: its listener's number */

static _Noreturn void die(const char *what)
{
	perror(what);
	_exit(1);
}

static _Noreturn void run_command(char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = { .len = 1, .filter = code };

	/* nothing may be said about it by a system call any more */
	*told = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		&program);
	if (*told < 0)
		_exit(1);
	(void)execv(argv[0], argv);
	_exit(127);
}

/* The listener, which the child can't send: it would be asked about that. */
static int take_listener(pid_t child)
{
	int pidfd = pidfd_open(child, 0), fd;

	for (int i = 0; *told == 0 && i < 20000; i++) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		if (poll(&p, 1, 1) != 0)
			break;
	}
	fd = *told > 0 ? pidfd_getfd(pidfd, *told, 0) : -1;
	if (fd < 0)
		die("no listener");
	(void)close(pidfd);
	return fd;
}

/* A line of /proc/PID/status. */
static void status_line(pid_t pid, const char *name, char *value, size_t size)
{
	char path[64], line[256];
	FILE *f;

	value[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			(void)snprintf(value, size, "%s", line + strlen(name));
	if (f)
		(void)fclose(f);
}

static int words(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += !isspace((unsigned char)*text) &&
		     (text[1] == '\0' || isspace((unsigned char)text[1]));
	return n;
}

/* '\0': somebody else, as the payload. */
static char process_of(pid_t pid)
{
	char name[64], ids[256];

	if (pid == launcher)
		return 'P';
	status_line(pid, "Name:\t", name, sizeof(name));
	if (strncmp(name, "narthex-network", 15) == 0)
		return 'N';
	if (strncmp(name, "narthex-agent", 13) == 0)
		return 'S';
	if (strncmp(name, "narthex-launch", 14) != 0)
		return '\0';
	status_line(pid, "NSpid:", ids, sizeof(ids));
	return words(ids) > 1 ? 'C' : 'H';
}

/* These can't fail, or nobody looks at what they return, and close(2) closes whatever it says: a
 * descriptor that stays open is no fault of life. */
static bool never_fails(int number)
{
	return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn ||
	       number == SYS_rt_sigprocmask || number == SYS_rt_sigaction ||
	       number == SYS_epoll_wait || number == SYS_epoll_pwait || number == SYS_dup2 ||
	       number == SYS_dup3 || number == SYS_close || number == SYS_getpid ||
	       number == SYS_gettid || number == SYS_getppid || number == SYS_getuid ||
	       number == SYS_geteuid || number == SYS_getgid || number == SYS_getegid ||
	       number == SYS_umask;
}

/* What life has for this call. */
static int fitting(int number)
{
	switch (number) {
	case SYS_openat:
	case SYS_openat2:
	case SYS_open:
	case SYS_socket:
	case SYS_socketpair:
	case SYS_accept4:
	case SYS_pipe2:
	case SYS_dup:
	case SYS_dup2:
	case SYS_dup3:
	case SYS_fcntl:
	case SYS_eventfd2:
	case SYS_timerfd_create:
	case SYS_epoll_create1:
	case SYS_inotify_init1:
	case SYS_memfd_create:
	case SYS_pidfd_open:
		return EMFILE;
	case SYS_clone:
	case SYS_clone3:
	case SYS_fork:
	case SYS_vfork:
		return EAGAIN;
	case SYS_read:
	case SYS_pread64:
	case SYS_execve:
		return EIO;
	case SYS_write:
	case SYS_pwrite64:
	case SYS_mkdirat:
	case SYS_mkdir:
	case SYS_mknodat:
	case SYS_symlinkat:
	case SYS_ftruncate:
		return ENOSPC;
	case SYS_mount:
	case SYS_umount2:
	case SYS_move_mount:
	case SYS_mount_setattr:
	case SYS_pivot_root:
	case SYS_unshare:
	case SYS_setns:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_setgroups:
	case SYS_capset:
	case SYS_prctl:
	case SYS_ioctl:
	case SYS_kill:
	case SYS_fchown:
	case SYS_fchownat:
	case SYS_fchmod:
	case SYS_setsid:
	case SYS_prlimit64:
	case SYS_bpf:
	case SYS_seccomp:
		return EPERM;
	default:
		return ENOMEM;
	}
}

/* True: it fails or is dead, false: it goes on. */
static bool hit(const struct seccomp_notif *request)
{
	if (arg_number >= 0 ? request->data.nr != arg_number
			    : is_hit || (arg_errno != 0 && never_fails(request->data.nr)))
		return false;
	if (arg_fd >= 0 && (int)request->data.args[0] != arg_fd)
		return false;
	if (process_of((pid_t)request->pid) != arg_process)
		return false;
	if (arg_errno == LIST) {
		made[request->data.nr % CALLS_MAX]++;
		return false;
	}
	count++;
	if ((arg_number < 0 || arg_n > 0) && count != arg_n)
		return false;
	is_hit = true;
	hit_number = request->data.nr;
	hit_errno = arg_errno == FIT ? fitting(hit_number) : arg_errno;
	if (arg_errno == 0)
		(void)kill((pid_t)request->pid, SIGKILL);
	return true;
}

/* One question. False: nobody is left to ask. */
static bool serve(int listener)
{
	struct seccomp_notif request = {};
	struct seccomp_notif_resp response = {};
	struct pollfd p = { .fd = listener, .events = POLLIN };

	(void)poll(&p, 1, -1);
	if (p.revents & POLLHUP)
		return false;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return true; /* who has asked is dead */
	response.id = request.id;
	if (!hit(&request))
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (arg_errno != 0)
		response.error = -hit_errno;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	return true;
}

/* None: neither an error nor one of the modes. */
static int errno_of(const char *name)
{
	for (int i = 1; i < 134; i++)
		if (strerrorname_np(i) && strcmp(strerrorname_np(i), name) == 0)
			return i;
	return -3;
}

static void say_what_was_made(FILE *f)
{
	for (int i = 0; i < CALLS_MAX; i++) {
		char *name = made[i] ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i) : NULL;

		if (name)
			(void)fprintf(f, "fault: %s %ld\n", name, made[i]);
		free(name);
	}
}

static void say_what_was_hit(FILE *f)
{
	char *name = is_hit ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, hit_number) : NULL;

	if (arg_errno == LIST)
		say_what_was_made(f);
	else if (is_hit)
		(void)fprintf(f, "fault: %c %ld %s %s\n", arg_process, arg_n > 0 ? arg_n : count,
			name ? name : "?", hit_errno ? strerrorname_np(hit_errno) : "kill");
	else
		(void)fprintf(f, "fault: none\n");
	free(name);
}

static void serve_all(void)
{
	int listener = take_listener(launcher);

	while (serve(listener))
		;
}

/* Beside the service, whose end it outlives. */
static _Noreturn void serve_detached(const char *file, const char *cgroup)
{
	char path[256];
	FILE *f;

	if (setsid() < 0 || close_range(3, ~0U, 0) < 0)
		die("cannot detach");
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "we");
	if (!f || fprintf(f, "0") < 0 || fclose(f) != 0)
		die(path);
	serve_all();
	(void)snprintf(path, sizeof(path), "%s.new", file);
	f = fopen(path, "we");
	if (!f)
		die(path);
	say_what_was_hit(f);
	(void)fclose(f);
	_exit(rename(path, file) < 0);
}

static _Noreturn void run_detached(const char *file, const char *cgroup, char **argv)
{
	pid_t between;

	launcher = getpid();
	between = fork();
	if (between == 0) {
		if (fork() == 0)
			serve_detached(file, cgroup);
		_exit(0);
	}
	if (between < 0 || waitpid(between, NULL, 0) < 0)
		die("fork");
	run_command(argv);
}

/* PROCESS N MODE */
static bool parse_fault(char **argv)
{
	char *fd = strchr(argv[2], '@'), *nth = strchr(argv[2], ':');

	arg_process = argv[1][0];
	if (isdigit((unsigned char)argv[2][0])) {
		arg_n = strtol(argv[2], NULL, 10);
	} else {
		if (fd) {
			*fd = '\0';
			arg_fd = (int)strtol(fd + 1, NULL, 10);
		}
		if (nth) {
			*nth = '\0';
			arg_n = strtol(nth + 1, NULL, 10);
		}
		arg_number = seccomp_syscall_resolve_name(argv[2]);
		if (arg_number < 0) {
			(void)fprintf(stderr, "fault: no system call: %s\n", argv[2]);
			return false;
		}
	}
	arg_errno = strcmp(argv[3], "kill") == 0   ? 0
		    : strcmp(argv[3], "fit") == 0  ? FIT
		    : strcmp(argv[3], "list") == 0 ? LIST
						   : errno_of(argv[3]);
	if (arg_errno == FIT || arg_errno == LIST || arg_errno >= 0)
		return true;
	(void)fprintf(stderr, "fault: no error: %s\n", argv[3]);
	return false;
}

int main(int argc, char **argv)
{
	const char *file = NULL, *cgroup = NULL;
	int status;

	if (argc > 3 && strcmp(argv[1], "-d") == 0) {
		file = argv[2];
		cgroup = argv[3];
		argv += 3;
		argc -= 3;
	}
	if (argc < 6 || strcmp(argv[4], "--") != 0) {
		(void)fputs(
			"fault [-d FILE CGROUP] PROCESS N kill|fit|ERRNO|list -- CMD…\n", stderr);
		return 2;
	}
	if (!parse_fault(argv))
		return 2;
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		die("mmap");
	if (file)
		run_detached(file, cgroup, argv + 5);
	launcher = fork();
	if (launcher < 0)
		die("fork");
	if (launcher == 0) {
		(void)close_range(3, ~0U, 0);
		run_command(argv + 5);
	}
	serve_all();
	if (waitpid(launcher, &status, 0) < 0)
		die("waitpid");
	say_what_was_hit(stderr);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
