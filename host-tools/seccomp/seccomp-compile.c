/* SPDX-License-Identifier: MIT */

/*
 * Build-time program: writes the C header with the policy of seccomp-table.c as BPF, one array for
 * each combination of switches, on stdout.
 *
 * A filter has two parts. The rules by argument come first, as instructions made here: libseccomp
 * can't say "allowed unless the argument is one of these", and compares 64 bits where the kernel
 * looks at 32. They return an errno or fall through. The rules by number follow, as libseccomp
 * exports them, in a binary tree. Jumps in BPF are relative, so the parts are simply joined.
 *
 * Since 5.11 the kernel runs the filter at load time for each number and keeps a bitmap of the
 * calls that are allowed whatever their arguments; for those no BPF runs at all. That only works
 * when a filter looks at nothing but the number on their way, so each argument rule tests the
 * number first.
 */
#include "seccomp-table.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
#error "this architecture's AUDIT_ARCH_ constant has to be added here"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_WORD 0
#else
#define LOW_WORD 4
#endif

#define PROLOGUE_MAX 256
#define N_VARIANTS (1U << SWITCH_MAX_)

struct program {
	struct sock_filter code[PROLOGUE_MAX];
	unsigned int len;
};

static _Noreturn void die(const char *what, const char *which)
{
	fprintf(stderr, "seccomp-compile: %s: %s\n", what, which);
	exit(EXIT_FAILURE);
}

static void emit(struct program *p, unsigned int code, unsigned int jt, unsigned int jf, uint32_t k)
{
	if (p->len == PROLOGUE_MAX || jt > UINT8_MAX || jf > UINT8_MAX)
		die("too many argument rules", "raise PROLOGUE_MAX, use long jumps");
	p->code[p->len++] = (struct sock_filter){
		.code = (uint16_t)code,
		.jt = (uint8_t)jt,
		.jf = (uint8_t)jf,
		.k = k,
	};
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void emit_jump_equal(struct program *p, uint32_t value, unsigned int jt, unsigned int jf)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, jt, jf, value);
}

static void emit_load_argument(struct program *p, unsigned int argument)
{
	emit_load(p, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t) + LOW_WORD);
}

/*
 * A call's number here. -1: this architecture doesn't have it (or, for the newest, this libseccomp
 * doesn't know it and seccomp_numbers doesn't either: *ret_known is then false).
 */
static int resolve(const char *name, bool *ret_known)
{
	int number = seccomp_syscall_resolve_name(name);

	*ret_known = true;
	if (number >= 0)
		return number;
	for (const struct seccomp_number *n = seccomp_numbers; n->name; n++)
		if (strcmp(n->name, name) == 0)
			return n->number;
	*ret_known = number != __NR_SCMP_ERROR;
	return -1;
}

static void emit_argument_rule(struct program *p, const struct seccomp_argument_rule *rule)
{
	unsigned int n = rule->n_values;
	/* what follows the test of the number, and of the condition */
	unsigned int body = 1 + (rule->mask ? 1 : 0) + n + (rule->deny_others ? 1 : 2);
	bool known;
	int number = resolve(rule->syscall, &known);

	if (number < 0)
		die("argument rule for an unknown call", rule->syscall);
	emit_load(p, offsetof(struct seccomp_data, nr));
	emit_jump_equal(p, (uint32_t)number, 0, body + (rule->conditional ? 2 : 0));
	if (rule->conditional) {
		emit_load_argument(p, rule->condition_argument);
		emit_jump_equal(p, rule->condition_value, 0, body);
	}
	emit_load_argument(p, rule->argument);
	if (rule->mask)
		emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, rule->mask);
	/* a match jumps over the remaining tests and the one instruction after them */
	for (unsigned int i = 0; i < n; i++)
		emit_jump_equal(p, rule->values[i], n - i, 0);
	if (!rule->deny_others)
		emit(p, BPF_JMP | BPF_JA, 0, 0, 1);
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (uint32_t)rule->error);
}

static void emit_prologue(struct program *p)
{
	/* the numbers are those of the native architecture; others are libseccomp's part to refuse
	 */
	emit_load(p, offsetof(struct seccomp_data, arch));
	emit_jump_equal(p, NATIVE_ARCH, 1, 0);
	unsigned int jump = p->len;

	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	for (const struct seccomp_argument_rule *r = seccomp_argument_rules; r->syscall; r++)
		emit_argument_rule(p, r);
	p->code[jump].k = p->len - jump - 1;
}

static void add_group(scmp_filter_ctx ctx, const struct seccomp_group *group, unsigned int variant)
{
	bool open = group->error == 0;

	if (!open && group->opened_by >= 0)
		open = variant >> group->opened_by & 1;
	if (!open && group->error == ENOSYS)
		return; /* the default */
	for (const char *const *call = group->syscalls; *call; call++) {
		bool known;
		int number = resolve(*call, &known);
		int r;

		if (number < 0)
			continue;
		r = seccomp_rule_add(ctx,
			open ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((unsigned)group->error), number, 0);
		if (r < 0)
			die(*call, strerror(-r));
	}
}

/* Rules by number, as a file of struct sock_filter. */
static FILE *compile(unsigned int variant)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	FILE *file = tmpfile();
	int r;

	if (!ctx || !file)
		die("cannot start", strerror(errno));
	/* int 0x80, x32: ENOSYS as well. libseccomp would kill, and a killed PID 1 is the whole
	 * guest */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		die("cannot set an attribute", strerror(-r));
	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		add_group(ctx, g, variant);
	r = seccomp_export_bpf(ctx, fileno(file));
	if (r < 0)
		die("cannot export", strerror(-r));
	seccomp_release(ctx);
	rewind(file);
	return file;
}

static void print_instruction(const struct sock_filter *i)
{
	printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", i->code, i->jt, i->jf, i->k);
}

static void print_variant(const struct program *prologue, unsigned int variant)
{
	FILE *file = compile(variant);
	struct sock_filter instruction;
	unsigned int len = prologue->len;

	printf("static const struct sock_filter seccomp_filter_%u[] = {\n", variant);
	for (unsigned int i = 0; i < prologue->len; i++)
		print_instruction(&prologue->code[i]);
	for (; fread(&instruction, sizeof(instruction), 1, file) == 1; len++)
		print_instruction(&instruction);
	printf("};\n\n");
	fclose(file);
	if (len == prologue->len || len > BPF_MAXINSNS)
		die("libseccomp's filter", "empty, or too long for the kernel");
}

/* Every name is known and in one group only; every call up to the reviewed number is in one. */
static void check_table(void)
{
	static unsigned char seen[SECCOMP_REVIEWED_UP_TO + 1];

	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		for (const char *const *call = g->syscalls; *call; call++) {
			bool known;
			int number = resolve(*call, &known);

			if (!known && strcmp(*call, "uprobe") != 0 &&
				strcmp(*call, "uretprobe") != 0)
				die("no such system call", *call);
			if (number < 0)
				continue;
			if (number > SECCOMP_REVIEWED_UP_TO || seen[number]++)
				die("in two groups, or past the reviewed number", *call);
		}
	for (int number = 0; number <= SECCOMP_REVIEWED_UP_TO; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (name && !seen[number])
			die("in no group", name);
		free(name);
	}
}

int main(void)
{
	struct program prologue = {};
	uint64_t capabilities[SWITCH_MAX_] = {};

	check_table();
	emit_prologue(&prologue);
	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		if (g->error != 0 && g->opened_by >= 0)
			capabilities[g->opened_by] |= g->capabilities;

	printf("/* made by seccomp-compile from seccomp-table.c */\n\n");
	for (unsigned int i = 0; i < N_VARIANTS; i++)
		print_variant(&prologue, i);
	printf("/* a variant's bit N is set when one of these capabilities is kept */\n");
	printf("static const uint64_t seccomp_switches[] = {\n");
	for (unsigned int i = 0; i < SWITCH_MAX_; i++)
		printf("\t0x%016llx,\n", (unsigned long long)capabilities[i]);
	printf("};\n\nstatic const struct {\n\tconst struct sock_filter *code;\n"
	       "\tunsigned short len;\n} seccomp_filters[] = {\n");
	for (unsigned int i = 0; i < N_VARIANTS; i++)
		printf("\t{ seccomp_filter_%u, sizeof(seccomp_filter_%u) / sizeof(struct "
		       "sock_filter) },\n",
			i, i);
	printf("};\n");
	if (fflush(stdout) != 0 || ferror(stdout))
		die("cannot write", strerror(errno));
	return EXIT_SUCCESS;
}
