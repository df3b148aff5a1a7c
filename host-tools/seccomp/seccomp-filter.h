/* SPDX-License-Identifier: MIT */
#pragma once

/* The compiler of the policy, for programs that may end on an error. */

#include "seccomp-table.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#define N_NUMBERS (SECCOMP_REVIEWED_UP_TO + 1)
#define N_VARIANTS (1U << SWITCH_MAX_)
#define PROGRAM_MAX BPF_MAXINSNS
#define EXITS_MAX 16

/* Where a call's number leads: a verdict, or the argument rules of one call. */
struct exit_point {
	int error;	     /* 0: allowed */
	const char *syscall; /* whose argument rules come first, or NULL */
	unsigned int position;
};

/* Calls from start up to the next range's lead to the same exit. */
struct range {
	unsigned int start;
	unsigned int exit;
};

/* A jump whose target is known only when all is laid out: an instruction, or ~exit. */
struct branch {
	int below, above;
};

struct filter {
	struct exit_point exits[EXITS_MAX];
	unsigned int n_exits;
	struct range ranges[N_NUMBERS + 1];
	unsigned int n_ranges;
	struct sock_filter code[PROGRAM_MAX];
	struct branch branches[PROGRAM_MAX];
	unsigned int leaves[PROGRAM_MAX]; /* a jump to this exit, counted from 1 */
	unsigned int len;
};

/* SystemCallFilter=: a call or a "@SET", allowed or denied; denied counts more. */
struct seccomp_change {
	const char *name;
	bool allow;
};

/* Says what is wrong, and exits. */
_Noreturn void seccomp_die(const char *what, const char *which);

/* Every name is known and in one group only; every call up to the reviewed number is in one. */
void seccomp_check_table(void);

/* Compiles one variant, a bit mask of enum seccomp_switch, into f, which is zero. */
void seccomp_compile(struct filter *f, unsigned int variant);

/* The same with changes (ended by a NULL name), which may make it larger. */
void seccomp_compile_changed(
	struct filter *f, unsigned int variant, const struct seccomp_change *changes);

/* What becomes of one call: 0 or an errno. */
int seccomp_verdict(unsigned int variant, const struct seccomp_change *changes, const char *call);

/* The capabilities any of which turns a switch on. */
uint64_t seccomp_switch_capabilities(unsigned int which);
