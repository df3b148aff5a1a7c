/* SPDX-License-Identifier: MIT */

/*
 * The launcher's helper for SystemCallFilter=: compiles the policy with the configuration's changes
 * and writes the program, as struct sock_filter, to descriptor 3. A program of its own, so that
 * only containers that have the key load libseccomp. It is told
 *
 *     narthex-seccomp CAPABILITIES [+NAME|~NAME]...
 *
 * the bounding set in hexadecimal, and calls or "@SET"s that are allowed or denied besides.
 */
#include "seccomp-filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define OUTPUT_FD 3

static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(OUTPUT_FD, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			seccomp_die("cannot write", strerror(errno));
		data += n;
		len -= (size_t)n;
	}
}

static unsigned int variant_of(uint64_t capabilities)
{
	unsigned int variant = 0;

	for (unsigned int i = 0; i < SWITCH_MAX_; i++)
		if (capabilities & seccomp_switch_capabilities(i))
			variant |= 1U << i;
	return variant;
}

int main(int argc, char **argv)
{
	struct filter *f = calloc(1, sizeof(*f));
	struct seccomp_change *changes = calloc((size_t)argc + 1, sizeof(*changes));
	unsigned int variant;

	/* as every helper (helper.h) */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!f || !changes)
		seccomp_die("cannot start", strerror(ENOMEM));
	if (argc < 2)
		seccomp_die("usage", "narthex-seccomp CAPABILITIES [+NAME|~NAME]...");
	variant = variant_of(strtoull(argv[1], NULL, 16));
	for (int i = 2; i < argc; i++) {
		if (argv[i][0] != '+' && argv[i][0] != '~')
			seccomp_die("neither +NAME nor ~NAME", argv[i]);
		changes[i - 2] = (struct seccomp_change){ argv[i] + 1, argv[i][0] == '+' };
	}
	/* the one call that the launcher makes under the filter */
	if (seccomp_verdict(variant, changes, "execve") != 0)
		seccomp_die("denied by SystemCallFilter=, but no container starts without it",
			"execve");
	seccomp_compile_changed(f, variant, changes);
	write_all((const char *)f->code, f->len * sizeof(f->code[0]));
	return EXIT_SUCCESS;
}
