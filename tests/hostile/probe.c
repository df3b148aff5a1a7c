/* SPDX-License-Identifier: MIT */

/*
 * probe: run as root in a container, it tries what root might be able to do and prints one stable
 * line an ability, "name: yes" or "name: no (ERROR)". tests/hostile/golden-* have what it is
 * allowed to print. Static, so that it runs in any tree.
 */

#include "probe.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* an attempt that takes longer hangs */
#define ATTEMPT_SECONDS 20

static const struct chapter *const chapters[] = { &chapter_identity, &chapter_capabilities,
	&chapter_processes, &chapter_namespaces, &chapter_calls, &chapter_sockets, &chapter_network,
	&chapter_devices, &chapter_terminals, &chapter_files, &chapter_mounts, &chapter_cgroups };

static long *shared;

long call(long number, long a, long b, long c, long d, long e, long f)
{
	return result(syscall(number, a, b, c, d, e, f));
}

const char *probe_directory(void)
{
	static const char *const places[] = { "/tmp/probe-XXXXXX", "/dev/shm/probe-XXXXXX",
		"/run/probe-XXXXXX" };
	static char path[32];

	for (size_t i = 0; i < COUNT(places); i++) {
		(void)snprintf(path, sizeof(path), "%s", places[i]);
		if (mkdtemp(path))
			return path;
	}
	return NULL;
}

void leave_mounts(void)
{
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void print_result(const char *name, int status, int passed)
{
	if (WIFSIGNALED(status))
		printf("%s: no (SIG%s)\n", name, sigabbrev_np(WTERMSIG(status)));
	else if (*shared >= 0 || (passed != 0 && *shared == -passed))
		printf("%s: yes\n", name);
	else
		printf("%s: no (%s)\n", name, strerrorname_np((int)-*shared));
}

static _Noreturn void try(long (*run)(const void *), const void *arg)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)alarm(ATTEMPT_SECONDS);
	*shared = run(arg);
	_exit(0);
}

void probe(const char *name, long (*run)(const void *), const void *arg, int passed)
{
	int status;
	pid_t pid;

	*shared = -ECANCELED; /* an attempt that exits on its way hasn't succeeded */
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		try(run, arg);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("probe: cannot fork");
		exit(1);
	}
	print_result(name, status, passed);
}

static long run_attempt(const void *arg)
{
	const struct attempt *attempt = arg;

	return attempt->run();
}

/* Of which kernel this is the list. */
static void report_kernel(void)
{
	struct utsname name;

	printf("# Linux %s\n", uname(&name) == 0 ? name.release : "?");
}

int main(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("probe");
		return 1;
	}
	(void)umask(022);
	report_kernel();
	for (size_t i = 0; i < COUNT(chapters); i++) {
		printf("# %s\n", chapters[i]->title);
		for (size_t k = 0; k < chapters[i]->n; k++)
			probe(chapters[i]->attempts[k].name, run_attempt, &chapters[i]->attempts[k],
				chapters[i]->attempts[k].passed);
		if (chapters[i]->report)
			chapters[i]->report();
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
