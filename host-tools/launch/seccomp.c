/* SPDX-License-Identifier: MIT */
#include "seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp-filters.h" /* made by seccomp-compile; needs the above */

int seccomp_apply(uint64_t caps)
{
	struct sock_fprog program;
	size_t variant = 0;

	for (size_t i = 0; i < sizeof(seccomp_switches) / sizeof(seccomp_switches[0]); i++)
		if (caps & seccomp_switches[i])
			variant |= (size_t)1 << i;
	program = (struct sock_fprog){
		.len = seccomp_filters[variant].len,
		/* the kernel copies it and writes nothing */
		.filter = (struct sock_filter *)seccomp_filters[variant].code,
	};
	/* no TSYNC: the caller is single-threaded, and every process of the guest comes from it */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}
