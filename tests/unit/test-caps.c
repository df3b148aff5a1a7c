/* SPDX-License-Identifier: MIT */

/* Needs root. */

#include "host-tools/config/config.h"
#include "host-tools/launch/caps.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CAP(c) (UINT64_C(1) << (c))

struct sets {
	int r; /* of caps_bound() and caps_apply() */
	uint64_t inheritable, permitted, effective, bounding, ambient;
};

/* What a child found, for its parent. */
static struct sets *found;

static void read_sets(struct sets *s)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "CapInh: %" SCNx64, &s->inheritable);
		sscanf(line, "CapPrm: %" SCNx64, &s->permitted);
		sscanf(line, "CapEff: %" SCNx64, &s->effective);
		sscanf(line, "CapBnd: %" SCNx64, &s->bounding);
		sscanf(line, "CapAmb: %" SCNx64, &s->ambient);
	}
	if (f)
		fclose(f);
}

static struct sets after_ambient(uint64_t keep, uint64_t ambient, void (*prepare)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		*found = (struct sets){};
		if (prepare)
			prepare();
		found->r = caps_bound(keep);
		if (found->r == 0)
			found->r = caps_apply(keep, ambient);
		read_sets(found);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return *found;
}

static struct sets after(uint64_t keep, void (*prepare)(void))
{
	return after_ambient(keep, 0, prepare);
}

static void default_set(void **state)
{
	uint64_t shared = config_default_capabilities(false),
		 private = config_default_capabilities(true);

	/* systemd needs it; the guest's reboot; packages */
	assert_true(shared & CAP(CAP_SYS_ADMIN));
	assert_true(shared & CAP(CAP_SYS_BOOT));
	assert_true(shared & CAP(CAP_SETFCAP));
	assert_int_equal(
		private & ~shared, CAP(CAP_NET_ADMIN) | CAP(CAP_NET_RAW) | CAP(CAP_NET_BROADCAST));
	assert_int_equal(shared & ~private, 0);
	/* what reaches the machine */
	assert_int_equal(
		private & (CAP(CAP_SYS_MODULE) | CAP(CAP_SYS_RAWIO) | CAP(CAP_SYS_TIME) |
				  CAP(CAP_SYSLOG) | CAP(CAP_MKNOD) | CAP(CAP_BPF) |
				  CAP(CAP_PERFMON) | CAP(CAP_AUDIT_CONTROL) | CAP(CAP_MAC_ADMIN) |
				  CAP(CAP_SYS_RESOURCE) | CAP(CAP_LINUX_IMMUTABLE)),
		0);
	assert_true(__builtin_popcountll(shared) <= 15);
}

static void every_set_is_cut(void **state)
{
	uint64_t keep = CAP(CAP_KILL) | CAP(CAP_SYS_ADMIN) | CAP(CAP_SETFCAP);
	struct sets s = after(keep, NULL);

	assert_int_equal(s.r, 0);
	assert_int_equal(s.bounding, keep);
	assert_int_equal(s.permitted, keep);
	assert_int_equal(s.effective, keep);
}

static void nothing_can_be_kept(void **state)
{
	struct sets s = after(0, NULL);

	assert_int_equal(s.r, 0);
	assert_int_equal(s.bounding | s.permitted | s.effective | s.inheritable | s.ambient, 0);
}

static void all_adds_none(void **state)
{
	struct sets before = {}, s = after(UINT64_MAX, NULL);

	read_sets(&before);
	assert_int_equal(s.r, 0);
	assert_int_equal(s.bounding, before.bounding);
	assert_int_equal(s.permitted, before.permitted);
}

static void raise_ambient(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		abort();
	data[0].inheritable = data[0].permitted;
	if (syscall(SYS_capset, &header, data) < 0 ||
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) < 0)
		abort();
}

static void inherited_ones_go(void **state)
{
	struct sets s = after(CAP(CAP_KILL), raise_ambient);

	assert_int_equal(s.r, 0);
	assert_int_equal(s.permitted, CAP(CAP_KILL));
	assert_int_equal(s.inheritable, 0);
	assert_int_equal(s.ambient, 0);
}

static void ambient_ones_are_those(void **state)
{
	uint64_t keep = CAP(CAP_KILL) | CAP(CAP_CHOWN) | CAP(CAP_SETPCAP);
	struct sets s = after_ambient(keep, CAP(CAP_CHOWN), raise_ambient);

	assert_int_equal(s.r, 0);
	assert_int_equal(s.permitted, keep);
	assert_int_equal(s.inheritable, CAP(CAP_CHOWN));
	assert_int_equal(s.ambient, CAP(CAP_CHOWN));
	/* one that isn't kept can't be */
	assert_int_equal(after_ambient(keep, CAP(CAP_SYS_ADMIN), NULL).r, -EPERM);
}

static void drop_setpcap(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		abort();
	data[0].effective &= ~(uint32_t)CAP(CAP_SETPCAP);
	if (syscall(SYS_capset, &header, data) < 0)
		abort();
}

static void failure_is_reported(void **state)
{
	assert_int_equal(after(0, drop_setpcap).r, -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_set),
		cmocka_unit_test(every_set_is_cut),
		cmocka_unit_test(nothing_can_be_kept),
		cmocka_unit_test(all_adds_none),
		cmocka_unit_test(inherited_ones_go),
		cmocka_unit_test(ambient_ones_are_those),
		cmocka_unit_test(failure_is_reported),
	};

	found = mmap(
		NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
