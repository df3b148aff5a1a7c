/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL (KERNEL_OPENAT2 | KERNEL_CLONE3 | KERNEL_PIDFD | KERNEL_MOUNTS | KERNEL_CLOSE_RANGE)

static const struct {
	long number;
	unsigned int need;
	const char *name, *since;
} samples[] = {
	{ SYS_openat2, KERNEL_OPENAT2, "openat2", "5.6" },
	{ SYS_clone3, KERNEL_CLONE3, "clone3", "5.3" },
	{ SYS_pidfd_open, KERNEL_PIDFD, "pidfd_open", "5.3" },
	{ SYS_pidfd_send_signal, KERNEL_PIDFD, "pidfd_send_signal", "5.1" },
	{ SYS_fsopen, KERNEL_MOUNTS, "fsopen", "5.2" },
	{ SYS_open_tree, KERNEL_MOUNTS, "open_tree", "5.2" },
	{ SYS_move_mount, KERNEL_MOUNTS, "move_mount", "5.2" },
	{ SYS_mount_setattr, KERNEL_MOUNTS, "mount_setattr", "5.12" },
	{ SYS_close_range, KERNEL_CLOSE_RANGE, "close_range", "5.9" },
};

static void deny(long number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(10);
}

/* In a child, as a filter can't be taken off again. */
static int ask_without(size_t i)
{
	const char *call = "", *since = "";

	deny(samples[i].number);
	if (!kernel_has(ALL & ~samples[i].need, &call, &since))
		return 11; /* what isn't needed may be missing */
	if (kernel_has(ALL, &call, &since))
		return 12;
	return strcmp(call, samples[i].name) == 0 && strcmp(since, samples[i].since) == 0 ? 0 : 13;
}

static void test_missing(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(ask_without(i));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void test_there(void **state)
{
	const char *call, *since;

	assert_true(kernel_has(ALL, &call, &since));
	assert_true(kernel_has(0, &call, &since));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
