/* SPDX-License-Identifier: MIT */

#include "attributes.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char *const limit_names[CONFIG_LIMITS] = {
	[RLIMIT_CPU] = "CPU",
	[RLIMIT_FSIZE] = "FSIZE",
	[RLIMIT_DATA] = "DATA",
	[RLIMIT_STACK] = "STACK",
	[RLIMIT_CORE] = "CORE",
	[RLIMIT_RSS] = "RSS",
	[RLIMIT_NPROC] = "NPROC",
	[RLIMIT_NOFILE] = "NOFILE",
	[RLIMIT_MEMLOCK] = "MEMLOCK",
	[RLIMIT_AS] = "AS",
	[RLIMIT_LOCKS] = "LOCKS",
	[RLIMIT_SIGPENDING] = "SIGPENDING",
	[RLIMIT_MSGQUEUE] = "MSGQUEUE",
	[RLIMIT_NICE] = "NICE",
	[RLIMIT_RTPRIO] = "RTPRIO",
	[RLIMIT_RTTIME] = "RTTIME",
};

/* On a host that is a container itself its root may lack what it takes. */
static const char *hint(int error)
{
	return error == EPERM || error == EACCES
		       ? " (it takes CAP_SYS_RESOURCE on the host to go beyond the launcher's own)"
		       : "";
}

static int apply_limit(pid_t leader, const struct config_limit *limit, int resource)
{
	struct rlimit l = { .rlim_cur = limit->soft, .rlim_max = limit->hard };

	if (limit->written && prlimit(leader, resource, &l, NULL) < 0)
		return log_errno(
			-errno, "cannot set Limit%s=%s", limit_names[resource], hint(errno));
	return 0;
}

static int apply_oom_score(pid_t leader, int adjust)
{
	char path[48], text[16];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", leader);
	(void)snprintf(text, sizeof(text), "%d\n", adjust);
	r = file_write_string(AT_FDCWD, path, text);
	return r < 0 ? log_errno(r, "cannot set OOMScoreAdjust=%d%s", adjust, hint(-r)) : 0;
}

static int apply_affinity(pid_t leader, const struct config_cpus *cpus)
{
	cpu_set_t set;

	static_assert(sizeof(set) * 8 == CONFIG_CPUS_MAX, "one bit a processor");
	CPU_ZERO(&set);
	for (size_t i = 0; i < CONFIG_CPUS_MAX; i++)
		if (cpus->bits[i / 64] >> i % 64 & 1)
			CPU_SET(i, &set);
	if (sched_setaffinity(leader, sizeof(set), &set) < 0)
		return log_errno(-errno, "cannot set CPUAffinity=%s",
			errno == EINVAL ? ": the host has none of these processors" : "");
	return 0;
}

int attributes_apply(const struct container_config *config, pid_t leader)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < CONFIG_LIMITS; i++)
		r = apply_limit(leader, &config->limits[i], i);
	if (r >= 0 && config->oom_score_adjust_written)
		r = apply_oom_score(leader, config->oom_score_adjust);
	if (r >= 0 && config->cpu_affinity.written)
		r = apply_affinity(leader, &config->cpu_affinity);
	return r;
}
