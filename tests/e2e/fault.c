/* SPDX-License-Identifier: MIT */

/*
 * fault PROCESS N kill|ERRNO -- CMD…: runs a launcher, and lets the Nth system call of one of its
 * processes fail, or kills that process there. PROCESS is one of
 *
 *   P   the launcher     H   the builder and its helpers
 *   C   the leader       N   narthex-network
 *
 * The last line on stderr says what was hit, "fault: P 17 openat", or "fault: none" when there were
 * fewer. The exit status is CMD's, 128 + its signal, or 1.
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
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENER 3 /* the first descriptor that is free in the child */

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static char arg_process;
static long arg_n;
static int arg_errno; /* 0: kill */

static pid_t launcher;
static long count;
static bool is_hit;
static int hit_number;

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

	if (close_range(LISTENER, ~0U, 0) < 0)
		die("close_range");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		    &program) != LISTENER)
		_exit(1);
	(void)execv(argv[0], argv);
	_exit(127);
}

/* The listener, which the child can't send: it would be asked about that. */
static int take_listener(pid_t child)
{
	int pidfd = pidfd_open(child, 0), fd = -1;

	for (int i = 0; pidfd >= 0 && fd < 0 && i < 20000; i++) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		if (poll(&p, 1, 1) != 0)
			break;
		fd = pidfd_getfd(pidfd, LISTENER, 0);
	}
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
	if (strncmp(name, "narthex-launch", 14) != 0)
		return '\0';
	status_line(pid, "NSpid:", ids, sizeof(ids));
	return words(ids) > 1 ? 'C' : 'H';
}

/* Nobody looks at what these return, and close(2) closes whatever it says: a descriptor that stays
 * open is no fault of life. */
static bool never_fails(int number)
{
	return number == SYS_close || number == SYS_getpid || number == SYS_gettid ||
	       number == SYS_getppid || number == SYS_getuid || number == SYS_geteuid ||
	       number == SYS_getgid || number == SYS_getegid || number == SYS_umask;
}

/* True: it fails or is dead, false: it goes on. */
static bool hit(const struct seccomp_notif *request)
{
	if (is_hit || (arg_errno != 0 && never_fails(request->data.nr)) ||
		process_of((pid_t)request->pid) != arg_process || ++count != arg_n)
		return false;
	is_hit = true;
	hit_number = request->data.nr;
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
		response.error = -arg_errno;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	return true;
}

static int errno_of(const char *name)
{
	for (int i = 1; i < 134; i++)
		if (strerrorname_np(i) && strcmp(strerrorname_np(i), name) == 0)
			return i;
	return -1;
}

int main(int argc, char **argv)
{
	int listener, status;
	char *name;

	if (argc < 6 || strcmp(argv[4], "--") != 0) {
		(void)fputs("fault PROCESS N kill|ERRNO -- CMD…\n", stderr);
		return 2;
	}
	arg_process = argv[1][0];
	arg_n = strtol(argv[2], NULL, 10);
	arg_errno = strcmp(argv[3], "kill") == 0 ? 0 : errno_of(argv[3]);
	launcher = fork();
	if (launcher < 0)
		die("fork");
	if (launcher == 0)
		run_command(argv + 5);
	listener = take_listener(launcher);
	while (serve(listener))
		;
	if (waitpid(launcher, &status, 0) < 0)
		die("waitpid");
	name = is_hit ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, hit_number) : NULL;
	if (is_hit)
		(void)fprintf(stderr, "fault: %c %ld %s\n", arg_process, arg_n, name ? name : "?");
	else
		(void)fprintf(stderr, "fault: none\n");
	free(name);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
