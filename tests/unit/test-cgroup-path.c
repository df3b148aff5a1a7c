/* SPDX-License-Identifier: MIT */
#include "common/cgroup-path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a process is in the cgroup of a directory. */
static bool has(const char *directory, pid_t pid)
{
	char path[PATH_MAX + 16], line[32];
	bool found = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		found = found || strtol(line, NULL, 10) == pid;
	if (f)
		(void)fclose(f);
	return found;
}

static void of_a_process(void **state)
{
	char path[PATH_MAX], of_parent[PATH_MAX];

	assert_int_equal(cgroup_path_of(0, path), 0);
	assert_true(has(path, getpid()));
	assert_int_equal(cgroup_path_of(getpid(), path), 0);
	assert_true(has(path, getpid()));
	assert_int_equal(cgroup_path_of(getppid(), of_parent), 0);
	assert_true(has(of_parent, getppid()));
	assert_int_equal(cgroup_path_of(0x3fffffff, path), -ENOENT);
}

/* That it can't be told isn't that there is none. */
static void cannot_be_told(void **state)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_statfs, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = 4, .filter = code };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		char path[PATH_MAX];

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
			_exit(1);
		_exit(cgroup_path_of(0, path) == -ENOMEM ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_process),
		cmocka_unit_test(cannot_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
