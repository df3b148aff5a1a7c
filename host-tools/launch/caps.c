/* SPDX-License-Identifier: MIT */

#include "caps.h"

#include "cleanup.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int caps_bound(uint64_t keep)
{
	/* The kernel says which capability is its last, so one that is newer than our headers is
	 * dropped too. */
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL && cap > 0)
				break;
			return -errno;
		}
	}
	return 0;
}

int caps_apply(uint64_t keep, uint64_t ambient)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		/* what isn't inheritable can't be ambient: an empty one empties the other */
		data[i].inheritable = data[i].permitted & (uint32_t)(ambient >> (32 * i));
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (unsigned int cap = 0; cap < 64; cap++)
		if (ambient >> cap & 1 &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}
