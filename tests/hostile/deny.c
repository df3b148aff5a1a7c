/* SPDX-License-Identifier: MIT */

/*
 * An older kernel: deny NAME… -- CMD executes CMD where each NAME fails as on a kernel that doesn't
 * know it: a system call with ENOSYS, an option of SOL_SOCKET (SO_…) with ENOPROTOOPT. What CMD
 * starts inherits that; setuid programs work, as no_new_privs stays off (it must run as root).
 */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "syscalls.h"

#define PROGRAM_MAX 128

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

static const struct {
	const char *name;
	long number;
	unsigned int option; /* of SOL_SOCKET; 0: the call itself */
} known[] = {
	{ "openat2", SYS_openat2, 0 },
	{ "clone3", SYS_clone3, 0 },
	{ "fsopen", SYS_fsopen, 0 },
	{ "open_tree", SYS_open_tree, 0 },
	{ "move_mount", SYS_move_mount, 0 },
	{ "mount_setattr", SYS_mount_setattr, 0 },
	{ "close_range", SYS_close_range, 0 },
	{ "pidfd_open", SYS_pidfd_open, 0 },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, 0 },
	{ "SO_PEERPIDFD", SYS_getsockopt, SO_PEERPIDFD },
	{ "SO_PASSRIGHTS", SYS_setsockopt, SO_PASSRIGHTS },
};

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short n;
};

static void emit(struct program *p, struct sock_filter instruction)
{
	if (p->n < PROGRAM_MAX)
		p->code[p->n++] = instruction;
}

static void load(struct program *p, size_t offset)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset));
}

/* Goes on when the accumulator is value, else skips the next n instructions. */
static void expect(struct program *p, unsigned int value, unsigned char n)
{
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n));
}

static void give(struct program *p, unsigned int what)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static int add(struct program *p, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		load(p, offsetof(struct seccomp_data, nr));
		if (known[i].option == 0) {
			expect(p, (unsigned int)known[i].number, 1);
			give(p, SECCOMP_RET_ERRNO | ENOSYS);
			return 0;
		}
		expect(p, (unsigned int)known[i].number, 5);
		load(p, offsetof(struct seccomp_data, args[1])); /* low half: little-endian */
		expect(p, SOL_SOCKET, 3);
		load(p, offsetof(struct seccomp_data, args[2]));
		expect(p, known[i].option, 1);
		give(p, SECCOMP_RET_ERRNO | ENOPROTOOPT);
		return 0;
	}
	fprintf(stderr, "deny: unknown: %s\n", name);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct program p = {};
	struct sock_fprog filter = { .filter = p.code };
	int i;

	load(&p, offsetof(struct seccomp_data, arch));
	expect(&p, ARCH, 1);
	emit(&p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
	give(&p, SECCOMP_RET_ALLOW); /* another architecture: not ours to judge */
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (add(&p, argv[i]) < 0)
			return 2;
	if (i + 1 >= argc) {
		fprintf(stderr, "usage: deny NAME... -- CMD [ARG...]\n");
		return 2;
	}
	give(&p, SECCOMP_RET_ALLOW);
	filter.len = p.n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) {
		perror("deny: cannot install the filter");
		return 125;
	}
	(void)execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
