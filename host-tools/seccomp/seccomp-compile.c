/* SPDX-License-Identifier: MIT */

/*
 * Build-time program: writes C headers on stdout. One has the policy of seccomp-table.c as BPF, one
 * array for each combination of switches; with --names the other has the names of system calls and
 * of sets of them.
 */
#include "seccomp-filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- output ----------------------------------------------------------------------------------- */

static void print_filter(unsigned int variant)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		seccomp_die("cannot start", strerror(errno));
	seccomp_compile(f, variant);
	printf("static const struct sock_filter seccomp_filter_%u[] = {\n", variant);
	for (unsigned int i = 0; i < f->len; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", f->code[i].code, f->code[i].jt,
			f->code[i].jf, f->code[i].k);
	printf("};\n\n");
	free(f);
}

static void print_switches(void)
{
	printf("/* bit N of a variant's index is set when one of these capabilities is kept */\n");
	printf("static const uint64_t seccomp_switches[] = {\n");
	for (unsigned int i = 0; i < SWITCH_MAX_; i++)
		printf("\t0x%016llx,\n", (unsigned long long)seccomp_switch_capabilities(i));
	printf("};\n\n");
}

static void print_filters(void)
{
	printf("/* made by seccomp-compile from seccomp-table.c */\n\n");
	for (unsigned int i = 0; i < N_VARIANTS; i++)
		print_filter(i);
	print_switches();
	printf("static const struct {\n\tconst struct sock_filter *code;\n\tunsigned short len;\n"
	       "} seccomp_filters[] = {\n");
	for (unsigned int i = 0; i < N_VARIANTS; i++)
		printf("\t{ seccomp_filter_%u, sizeof(seccomp_filter_%u) / sizeof(struct "
		       "sock_filter) },\n",
			i, i);
	printf("};\n");
}

/* One string, not an array of them: a program that starts often shouldn't relocate pointers that it
 * rarely needs. */
static void print_names(void)
{
	printf("/* made by seccomp-compile from seccomp-table.c and seccomp-sets.c */\n\n"
	       "static const char seccomp_names[] =\n");
	for (const struct seccomp_set *s = seccomp_sets; s->name; s++)
		printf("\t\"%s\\0\"\n", s->name);
	for (const struct seccomp_group *g = seccomp_groups; g->name; g++)
		for (const char *const *call = g->syscalls; *call; call++)
			printf("\t\"%s\\0\"\n", *call);
	printf("\t;\n");
}

int main(int argc, char **argv)
{
	seccomp_check_table();
	if (argc == 2 && strcmp(argv[1], "--names") == 0)
		print_names();
	else
		print_filters();
	if (fflush(stdout) != 0 || ferror(stdout))
		seccomp_die("cannot write", strerror(errno));
	return EXIT_SUCCESS;
}
