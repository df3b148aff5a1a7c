/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a guest may ask of the kernel: the policy, as data. seccomp-compile makes BPF of it at build
 * time, narthex-seccomp when a configuration changes it (SystemCallFilter=); nothing of this is
 * linked into the launcher.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * A switch opens groups for guests that were given a capability which is useless without them. One
 * filter is compiled for each combination of switches, so there are few of them, and a switch
 * stands for several capabilities: the kernel still checks the single one at each call.
 */
enum seccomp_switch {
	SWITCH_NONE = -1,
	SWITCH_MACHINE, /* power over the machine: modules, ports, clock, kernel log, accounting */
	SWITCH_TRACING, /* bpf and perf */
	SWITCH_MAX_,
};

/* System calls with one verdict and one reason. */
struct seccomp_group {
	const char *name;
	int error; /* 0: allowed; else the errno a caller gets */
	enum seccomp_switch opened_by;
	uint64_t capabilities;	     /* any of these in the bounding set turns opened_by on */
	const char *const *syscalls; /* NULL-terminated */
};

/*
 * A verdict by an argument, of which the low 32 bits are looked at: the kernel sees only those of
 * an int, and a filter that compares 64 is walked around with a high bit. First rule that matches.
 */
struct seccomp_argument_rule {
	const char *syscall;
	unsigned int argument;
	uint32_t mask;	  /* 0: all bits */
	bool deny_others; /* the values are the allowed ones; else the denied ones */
	int error;
	const uint32_t *values;
	unsigned int n_values;
	/* the rule holds only where another argument has this value */
	bool conditional;
	unsigned int condition_argument;
	uint32_t condition_value;
};

/* Calls that the build machine's libseccomp may be too old to know, by their number. */
struct seccomp_number {
	const char *name;
	int number;
};

/* "@NAME" for many calls. */
struct seccomp_set {
	const char *name;
	const char *const *members; /* calls and other sets; NULL: every call */
};

extern const struct seccomp_set seccomp_sets[];			    /* ends with a NULL name */
extern const struct seccomp_group seccomp_groups[];		    /* ends with a NULL name */
extern const struct seccomp_argument_rule seccomp_argument_rules[]; /* ends with a NULL syscall */
extern const struct seccomp_number seccomp_numbers[];		    /* ends with a NULL name */

/* Calls up to this number were looked at: each of them is in a group. Later ones get ENOSYS. */
#define SECCOMP_REVIEWED_UP_TO 469 /* file_setattr, Linux 6.17 */
