/* SPDX-License-Identifier: MIT */

/*
 * The policy of seccomp-table.c as BPF. libseccomp knows the numbers of the calls; the code is
 * made here:
 * - The kernel checks, translates and compiles a filter at every start of a container. System calls
 *   of one verdict are mostly neighbours, so a binary tree over ranges of numbers has a fifth of
 * the instructions of libseccomp's tree over single calls, and loads in a quarter of its time.
 * - libseccomp compares 64 bits of an argument where the kernel looks at 32, and can't say "allowed
 *   unless the argument is one of these".
 *
 * Layout of a filter: the architecture; the tree, whose leaves are jumps to an exit; the exits. An
 * exit returns a verdict, or looks at arguments first. All calls without argument rules are decided
 * by their number alone, and for the allowed among them the kernel (since 5.11) keeps a bitmap and
 * runs no BPF at all.
 */
#include "seccomp-filter.h"

#include "seccomp-data.h"
#include "seccomp-table.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void seccomp_die(const char *what, const char *which)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, which);
	exit(EXIT_FAILURE);
}

/* --- the table -------------------------------------------------------------------------------- */

/* A call's number; -1: this architecture doesn't have it; -2: nobody knows it. */
static int resolve(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number >= 0)
		return number;
	for (const struct seccomp_number *n = seccomp_numbers; n->name; n++)
		if (strcmp(n->name, name) == 0)
			return n->number;
	return number == __NR_SCMP_ERROR ? -2 : -1;
}

static bool is_allowed(const char *name)
{
	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		for (const char *const *call = g->syscalls; *call; call++)
			if (strcmp(*call, name) == 0)
				return g->error == 0;
	return false;
}

/* Every name is known and in one group only; every call up to the reviewed number is in one. */
void seccomp_check_table(void)
{
	static unsigned char seen[N_NUMBERS];

	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		for (const char *const *call = g->syscalls; *call; call++) {
			int number = resolve(*call);

			if (number == -2)
				seccomp_die("no such system call", *call);
			if (number == -1)
				continue;
			if (number >= N_NUMBERS || seen[number]++)
				seccomp_die("in two groups, or past the reviewed number", *call);
		}
	for (const struct seccomp_argument_rule *r = seccomp_argument_rules; r->syscall; r++)
		if (!is_allowed(r->syscall))
			seccomp_die("argument rule for a call that isn't allowed", r->syscall);
	for (int number = 0; number < N_NUMBERS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (name && !seen[number])
			seccomp_die("in no group", name);
		free(name);
	}
}

static bool group_is_open(const struct seccomp_group *group, unsigned int variant)
{
	if (group->error == 0)
		return true;
	return group->opened_by >= 0 && (variant >> group->opened_by & 1);
}

static unsigned int find_exit(struct filter *f, int error, const char *syscall)
{
	for (unsigned int i = 0; i < f->n_exits; i++)
		if (f->exits[i].error == error && f->exits[i].syscall == syscall)
			return i;
	if (f->n_exits == EXITS_MAX)
		seccomp_die("too many verdicts", "raise EXITS_MAX");
	f->exits[f->n_exits] = (struct exit_point){ .error = error, .syscall = syscall };
	return f->n_exits++;
}

/* One call, or all members of a set, to another exit. */
static void change(struct filter *f, unsigned int *exits, const char *name, unsigned int exit_point)
{
	const struct seccomp_set *set = seccomp_sets;
	int number;

	if (name[0] != '@') {
		number = resolve(name);
		if (number == -2)
			seccomp_die("no such system call", name);
		if (number >= 0 && number < N_NUMBERS)
			exits[number] = exit_point;
		return;
	}
	while (set->name && strcmp(set->name, name) != 0)
		set++;
	if (!set->name)
		seccomp_die("no such set of system calls", name);
	for (const char *const *m = set->members; m && *m; m++)
		change(f, exits, *m, exit_point);
	for (unsigned int i = 0; !set->members && i < N_NUMBERS; i++)
		exits[i] = exit_point;
}

/* The table, as ranges of numbers. */
static void lay_ranges(struct filter *f, unsigned int variant, const struct seccomp_change *changes)
{
	unsigned int exits[N_NUMBERS + 1];

	for (unsigned int i = 0; i <= N_NUMBERS; i++)
		exits[i] = find_exit(f, ENOSYS, NULL);
	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		for (const char *const *call = g->syscalls; *call; call++) {
			int number = resolve(*call);

			if (number >= 0)
				exits[number] = find_exit(
					f, group_is_open(g, variant) ? 0 : g->error, NULL);
		}
	/* what is denied stays denied, whatever else allows it */
	for (const struct seccomp_change *c = changes; c && c->name; c++)
		if (c->allow)
			change(f, exits, c->name, find_exit(f, 0, NULL));
	for (const struct seccomp_change *c = changes; c && c->name; c++)
		if (!c->allow)
			change(f, exits, c->name, find_exit(f, EPERM, NULL));
	for (const struct seccomp_argument_rule *r = seccomp_argument_rules; r->syscall; r++) {
		int number = resolve(r->syscall);

		/* "ioctl" twice in the table need not be one string */
		if (number >= 0 && f->exits[exits[number]].error == 0 &&
			!f->exits[exits[number]].syscall)
			exits[number] = find_exit(f, 0, r->syscall);
	}
	for (unsigned int i = 0; i <= N_NUMBERS; i++)
		if (i == 0 || exits[i] != exits[i - 1])
			f->ranges[f->n_ranges++] = (struct range){ .start = i, .exit = exits[i] };
}

/* --- instructions ----------------------------------------------------------------------------- */

static unsigned int emit(struct filter *f, unsigned int code, uint32_t k)
{
	if (f->len == PROGRAM_MAX)
		seccomp_die("filter too long", "raise PROGRAM_MAX");
	f->code[f->len] = (struct sock_filter){ .code = (uint16_t)code, .k = k };
	return f->len++;
}

static void emit_load(struct filter *f, size_t offset)
{
	(void)emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static void emit_load_argument(struct filter *f, unsigned int argument)
{
	emit_load(f, LOW_WORD(argument));
}

static void emit_return(struct filter *f, int error)
{
	(void)emit(f, BPF_RET | BPF_K,
		error == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)error);
}

/* Jumps over so many instructions if equal, or if not. */
static void emit_jump_equal(struct filter *f, uint32_t value, unsigned int yes, unsigned int no)
{
	unsigned int i = emit(f, BPF_JMP | BPF_JEQ | BPF_K, value);

	if (yes > UINT8_MAX || no > UINT8_MAX)
		seccomp_die("jump too long", "an argument rule");
	f->code[i].jt = (uint8_t)yes;
	f->code[i].jf = (uint8_t)no;
}

/* Returns an errno, or falls through. */
static void emit_argument_rule(struct filter *f, const struct seccomp_argument_rule *rule)
{
	unsigned int n = rule->n_values;

	if (rule->conditional) {
		unsigned int body = 1 + (rule->mask ? 1 : 0) + n + (rule->deny_others ? 1 : 2);

		emit_load_argument(f, rule->condition_argument);
		emit_jump_equal(f, rule->condition_value, 0, body);
	}
	emit_load_argument(f, rule->argument);
	if (rule->mask)
		(void)emit(f, BPF_ALU | BPF_AND | BPF_K, rule->mask);
	/* a match jumps over the remaining tests and the one instruction after them */
	for (unsigned int i = 0; i < n; i++)
		emit_jump_equal(f, rule->values[i], n - i, 0);
	if (!rule->deny_others)
		(void)emit(f, BPF_JMP | BPF_JA, 1);
	emit_return(f, rule->error);
}

static void emit_exits(struct filter *f)
{
	for (unsigned int i = 0; i < f->n_exits; i++) {
		struct exit_point *e = &f->exits[i];

		e->position = f->len;
		if (e->syscall)
			for (const struct seccomp_argument_rule *r = seccomp_argument_rules;
				r->syscall; r++)
				if (strcmp(r->syscall, e->syscall) == 0)
					emit_argument_rule(f, r);
		emit_return(f, e->error);
	}
}

/* The tree over ranges [first, last]: its root's instruction, or ~exit where it is a leaf. */
static int emit_tree(struct filter *f, unsigned int first, unsigned int last)
{
	unsigned int middle = (first + last + 1) / 2, i;

	if (first == last)
		return (int)~f->ranges[first].exit;
	i = emit(f, BPF_JMP | BPF_JGE | BPF_K, f->ranges[middle].start);
	f->branches[i].below = emit_tree(f, first, middle - 1);
	f->branches[i].above = emit_tree(f, middle, last);
	return (int)i;
}

static uint8_t jump_to(const struct filter *f, unsigned int from, int target)
{
	unsigned int to = target < 0 ? f->exits[~target].position : (unsigned int)target;
	unsigned int distance = to - from - 1;

	if (distance > UINT8_MAX)
		seccomp_die("jump too long", "the tree needs its exits repeated");
	return (uint8_t)distance;
}

/*
 * The same where the tree may be of any size: a leaf is a verdict itself, or a jump without limit,
 * and an inner node has such a jump beside it.
 */
static void emit_wide_tree(struct filter *f, unsigned int first, unsigned int last)
{
	unsigned int middle = (first + last + 1) / 2, i;

	if (first == last) {
		const struct exit_point *e = &f->exits[f->ranges[first].exit];

		if (e->syscall)
			f->leaves[emit(f, BPF_JMP | BPF_JA, 0)] = f->ranges[first].exit + 1;
		else
			emit_return(f, e->error);
		return;
	}
	i = emit(f, BPF_JMP | BPF_JGE | BPF_K, f->ranges[middle].start);
	f->code[i].jf = 1;
	(void)emit(f, BPF_JMP | BPF_JA, 0);
	emit_wide_tree(f, first, middle - 1);
	f->code[i + 1].k = f->len - i - 2;
	emit_wide_tree(f, middle, last);
}

static void emit_head(struct filter *f)
{
	/*
	 * Another architecture (int 0x80) has other numbers; x32 has a high bit and is past the
	 * last range. ENOSYS for both, not death: a killed PID 1 is the whole guest.
	 */
	emit_load(f, offsetof(struct seccomp_data, arch));
	emit_jump_equal(f, NATIVE_ARCH, 1, 0);
	emit_return(f, ENOSYS);
	emit_load(f, offsetof(struct seccomp_data, nr));
}

void seccomp_compile(struct filter *f, unsigned int variant)
{
	unsigned int tree, end;

	lay_ranges(f, variant, NULL);
	emit_head(f);
	tree = f->len;
	(void)emit_tree(f, 0, f->n_ranges - 1);
	end = f->len;
	emit_exits(f);
	for (unsigned int i = tree; i < end; i++) {
		f->code[i].jt = jump_to(f, i, f->branches[i].above);
		f->code[i].jf = jump_to(f, i, f->branches[i].below);
	}
}

void seccomp_compile_changed(
	struct filter *f, unsigned int variant, const struct seccomp_change *changes)
{
	unsigned int end;

	lay_ranges(f, variant, changes);
	emit_head(f);
	emit_wide_tree(f, 0, f->n_ranges - 1);
	end = f->len;
	emit_exits(f);
	for (unsigned int i = 0; i < end; i++)
		if (f->leaves[i] > 0)
			f->code[i].k = f->exits[f->leaves[i] - 1].position - i - 1;
}

int seccomp_verdict(unsigned int variant, const struct seccomp_change *changes, const char *call)
{
	struct filter *f = calloc(1, sizeof(*f));
	int number = resolve(call), error = 0;

	if (!f)
		seccomp_die("cannot start", strerror(errno));
	lay_ranges(f, variant, changes);
	for (unsigned int i = 0; number >= 0 && i < f->n_ranges; i++)
		if (f->ranges[i].start <= (unsigned int)number)
			error = f->exits[f->ranges[i].exit].error;
	free(f);
	return error;
}

uint64_t seccomp_switch_capabilities(unsigned int which)
{
	uint64_t capabilities = 0;

	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		if (g->error != 0 && g->opened_by >= 0 && (unsigned int)g->opened_by == which)
			capabilities |= g->capabilities;
	return capabilities;
}
