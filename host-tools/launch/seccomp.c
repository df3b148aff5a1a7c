/* SPDX-License-Identifier: MIT */
#include "seccomp.h"

#include "../seccomp/seccomp-data.h"
#include "cleanup.h"
#include "fd.h"
#include "helper.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp-filters.h" /* made by seccomp-compile; needs the above */

#define PROGRAM "narthex-seccomp"

static int install(const struct sock_filter *code, size_t len)
{
	struct sock_fprog program = {
		.len = (unsigned short)len,
		/* the kernel copies it and writes nothing */
		.filter = (struct sock_filter *)code,
	};

	/* no TSYNC: the caller is single-threaded, and every process of the guest comes from it */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

int seccomp_apply(uint64_t caps)
{
	size_t variant = 0;

	for (size_t i = 0; i < sizeof(seccomp_switches) / sizeof(seccomp_switches[0]); i++)
		if (caps & seccomp_switches[i])
			variant |= (size_t)1 << i;
	return install(seccomp_filters[variant].code, seccomp_filters[variant].len);
}

int seccomp_apply_program(const struct seccomp_program *program)
{
	return install(program->code, program->len);
}

/* --- SuppressSync= -------------------------------------------------------------------------- */

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define SKIP_UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (n))

/* A call that succeeds at once. */
#define FAKE(call) SKIP_UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_ERRNO | 0)

/* The accumulator has the number afterwards, too. O_SYNC has the bit of O_DSYNC in it. */
#define NO_SYNC_FLAG(call, argument)                                                               \
	SKIP_UNLESS(SYS_##call, 4), LOAD(LOW_WORD(argument)),                                      \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_SYNC, 0, 1),                                \
		RETURN(SECCOMP_RET_ERRNO | EINVAL), LOAD(offsetof(struct seccomp_data, nr))

int seccomp_suppress_sync(void)
{
	static const struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		SKIP_UNLESS(NATIVE_ARCH, 1),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		RETURN(SECCOMP_RET_ALLOW), /* the other filter refuses these */
		LOAD(offsetof(struct seccomp_data, nr)),
		FAKE(sync),
		FAKE(syncfs),
		FAKE(fsync),
		FAKE(fdatasync),
		FAKE(msync),
		FAKE(sync_file_range),
#ifdef SYS_open
		NO_SYNC_FLAG(open, 1),
#endif
		NO_SYNC_FLAG(openat, 2),
		/* its flags are behind a pointer; libraries fall back */
		SKIP_UNLESS(SYS_openat2, 1),
		RETURN(SECCOMP_RET_ERRNO | ENOSYS),
		RETURN(SECCOMP_RET_ALLOW),
	};

	return install(code, sizeof(code) / sizeof(code[0]));
}

/* --- RestrictAddressFamilies= ------------------------------------------------------------------
 */

int seccomp_restrict_families(uint64_t allowed)
{
	/* the filter's head, a test and a verdict for each family, the last verdict */
	struct sock_filter code[8 + 2 * 64 + 1] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		SKIP_UNLESS(NATIVE_ARCH, 1),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		RETURN(SECCOMP_RET_ALLOW), /* the other filter refuses these */
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(LOW_WORD(0)),
	};
	size_t n = 8;

	for (unsigned int family = 0; family < 64; family++)
		if (allowed >> family & 1) {
			code[n++] = (struct sock_filter)SKIP_UNLESS(family, 1);
			code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
		}
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT);
	return install(code, n);
}

/* --- SystemCallFilter= ----------------------------------------------------------------------- */

static int start_helper(const struct container_config *config, int output)
{
	_cleanup_free_ char **argv = NULL;
	char caps[24];
	size_t n = 0;

	while (config->system_calls[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	(void)snprintf(caps, sizeof(caps), "%" PRIx64, config_capabilities(config));
	argv[0] = (char *)PROGRAM;
	argv[1] = caps;
	for (size_t i = 0; i < n; i++)
		argv[2 + i] = config->system_calls[i];
	return helper_start(PROGRAM, argv, output);
}

static void warn_of_calls(const struct container_config *config)
{
	for (char **change = config->system_calls; *change; change++)
		if (**change == '+' && config->private_users == PRIVATE_USERS_NO) {
			log_warning("container '%s' has no user namespace, so what "
				    "SystemCallFilter= allows it to call reaches the host",
				config->name);
			return;
		}
}

int seccomp_change(const struct container_config *config, struct seccomp_program *ret)
{
	_cleanup_close_ int ours = -EBADF, theirs = -EBADF;
	_cleanup_free_ char *text = NULL;
	int fds[2], helper, status;
	ssize_t n;

	*ret = (struct seccomp_program){};
	if (!config->system_calls)
		return 0;
	warn_of_calls(config);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return log_errno(-errno, "cannot make a pipe");
	ours = fds[0];
	theirs = fds[1];
	helper = start_helper(config, theirs);
	if (helper < 0)
		return log_errno(helper, "cannot start " PROGRAM);
	close_fdp(&theirs);
	n = fd_read_all(ours, BPF_MAXINSNS * sizeof(struct sock_filter), &text);
	status = helper_reap(helper);
	if (n <= 0 || status != 0 || (size_t)n % sizeof(struct sock_filter) != 0) {
		log_error("cannot compile SystemCallFilter= of container '%s'", config->name);
		return -EINVAL;
	}
	ret->len = (unsigned short)((size_t)n / sizeof(struct sock_filter));
	ret->code = (struct sock_filter *)(void *)TAKE_PTR(text);
	return 0;
}
