/* SPDX-License-Identifier: MIT */

/*
 * The keeper parses what a hostile guest writes. So before it reads a byte of that it has no
 * capability, no way to a file but the sockets of this container's other sessions, and no system
 * call that opens, connects, executes or signals anything.
 */

#include "place.h"

#include "cgroup-path.h"
#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MEMORY_MAX (256UL << 20) /* a screen of the largest size takes a fifth of that */

int place_join(pid_t launcher)
{
	char path[PATH_MAX + 16];
	int r = cgroup_path_of(launcher, path);

	if (r < 0)
		return r;
	memcpy(path + strlen(path), "/cgroup.procs", sizeof("/cgroup.procs"));
	return file_write_string(AT_FDCWD, path, "0");
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* What the C library and libvterm need, and what the keeper does. */
static int allow(scmp_filter_ctx filter)
{
	static const int calls[] = { SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(poll),
		SCMP_SYS(ppoll), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
		SCMP_SYS(sendmsg), SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(close),
		SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
		SCMP_SYS(clock_gettime), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(madvise), SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(restart_syscall),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group) };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(calls); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_EQ, TIOCSWINSZ, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

/* Sanitizers call what nobody expects. */
static int filter_calls(void)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)allow;
	return 0;
#else
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? allow(filter) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
#endif
}

static int limit(void)
{
#if !defined(__SANITIZE_ADDRESS__)
	const struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };

	if (setrlimit(RLIMIT_DATA, &memory) < 0)
		return -errno;
#endif
	return setrlimit(RLIMIT_CORE, &(struct rlimit){}) < 0 ? -errno : 0;
}

int place_confine(int dir)
{
	int r;

	if (fchdir(dir) < 0 || chroot(".") < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = limit();
	if (r >= 0)
		r = drop_capabilities();
	return r < 0 ? r : filter_calls();
}
