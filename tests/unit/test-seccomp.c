/* SPDX-License-Identifier: MIT */

/*
 * The compiled filter, asked through the kernel: each probe is a child that installs it. Arguments
 * are such that a call which isn't stopped fails harmlessly. Needs root.
 */

#include "host-tools/launch/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CAP(c) (UINT64_C(1) << (c))
#define NO_FILTER UINT64_MAX
#define BAD_POINTER 1L

struct call {
	const char *name;
	long number;
	long args[5];
};

/* What a child told its parent. */
static long *result;

static void shared_setup(void)
{
	result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(result, MAP_FAILED);
}

static long do_call(const struct call *call)
{
	long r = syscall(call->number, call->args[0], call->args[1], call->args[2], call->args[3],
		call->args[4]);

	return r < 0 ? -errno : r;
}

/* Runs probe in a child behind the filter for caps; its wait status. */
static int confined_status(uint64_t caps, long (*probe)(const void *), const void *data)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(
			SIGSEGV, SIG_DFL); /* cmocka catches it, and would go on with its tests */
		if (caps != NO_FILTER && seccomp_apply(caps) < 0)
			_exit(99);
		*result = probe(data);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static long confined(uint64_t caps, long (*probe)(const void *), const void *data)
{
	int status = confined_status(caps, probe, data);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return *result;
}

static long probe_call(const void *data)
{
	return do_call(data);
}

static long call_with(uint64_t caps, const struct call *call)
{
	return confined(caps, probe_call, call);
}

static void expect(uint64_t caps, const struct call *call, long want)
{
	long got = call_with(caps, call);

	if (got != want)
		fail_msg("%s: %ld (%s), not %ld", call->name, got, strerror((int)-got), want);
}

/* clang-format off */
static const struct call denied[] = {
	{ "init_module", SYS_init_module, { BAD_POINTER, 0, BAD_POINTER } },
	{ "finit_module", SYS_finit_module, { -1, BAD_POINTER, 0 } },
	{ "delete_module", SYS_delete_module, { BAD_POINTER, 0 } },
	{ "settimeofday", SYS_settimeofday, { BAD_POINTER, 0 } },
	{ "clock_settime", SYS_clock_settime, { 0, BAD_POINTER } },
	{ "adjtimex", SYS_adjtimex, { BAD_POINTER } },
	{ "clock_adjtime", SYS_clock_adjtime, { 0, BAD_POINTER } },
	{ "syslog", SYS_syslog, { 10, 0, 0 } },
	{ "acct", SYS_acct, { BAD_POINTER } },
	{ "kexec_load", SYS_kexec_load, { 0, 17, 0, 0 } },
	{ "swapon", SYS_swapon, { BAD_POINTER, 0 } },
	{ "swapoff", SYS_swapoff, { BAD_POINTER } },
	{ "quotactl", SYS_quotactl, { -1, 0, 0, 0 } },
	{ "open_by_handle_at", SYS_open_by_handle_at, { -1, BAD_POINTER, 0 } },
	{ "bpf", SYS_bpf, { -1, 0, 0 } },
	{ "perf_event_open", SYS_perf_event_open, { BAD_POINTER, 0, -1, -1, 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 0, BAD_POINTER } },
	{ "io_uring_enter", SYS_io_uring_enter, { -1, 0, 0, 0 } },
	{ "userfaultfd", SYS_userfaultfd, { -1 } },
	{ "kcmp", SYS_kcmp, { 0, 0, 0, 0, 0 } },
	{ "fanotify_init, permission class", SYS_fanotify_init, { FAN_CLASS_CONTENT, 0 } },
	{ "fanotify_init, fid and permission class", SYS_fanotify_init,
	  { FAN_CLASS_CONTENT | FAN_REPORT_FID, 0 } },
	{ "fanotify_init, events with descriptors", SYS_fanotify_init, { 0, 0 } },
	{ "TIOCSTI", SYS_ioctl, { -1, TIOCSTI, 0 } },
	{ "TIOCSTI with a high bit", SYS_ioctl, { -1, TIOCSTI | 1L << 32, 0 } },
	{ "TIOCSTI, sign-extended", SYS_ioctl, { -1, TIOCSTI | (long)0xffffffff00000000, 0 } },
	{ "TIOCLINUX", SYS_ioctl, { -1, TIOCLINUX, 0 } },
	{ "TIOCCONS", SYS_ioctl, { -1, TIOCCONS, 0 } },
	{ "TIOCSETD", SYS_ioctl, { -1, TIOCSETD, 0 } },
#ifdef __x86_64__
	{ "iopl", SYS_iopl, { 17 } },
	{ "ioperm", SYS_ioperm, { -1, -1, -1 } },
	{ "modify_ldt", SYS_modify_ldt, { 0, 0, 0 } },
#endif
};

static const struct call not_there[] = {
	{ "keyctl", SYS_keyctl, { 0, -1, 0 } },
	{ "add_key", SYS_add_key, { BAD_POINTER, BAD_POINTER, 0, 0, 0 } },
	{ "request_key", SYS_request_key, { BAD_POINTER, BAD_POINTER, 0, 0 } },
	{ "a call of the future", 1000, {} },
	{ "the last number", 0x7fffffff, {} },
#ifdef __x86_64__
	{ "sysfs", SYS_sysfs, { 3 } },
	{ "x32 getpid", 0x40000000 | SYS_getpid, {} },
#endif
};

/* These do behind the filter what they do without it. */
static const struct call allowed[] = {
	{ "mount", SYS_mount, { BAD_POINTER, BAD_POINTER, BAD_POINTER, 0, 0 } },
	{ "umount2", SYS_umount2, { BAD_POINTER, 0 } },
	{ "pivot_root", SYS_pivot_root, { BAD_POINTER, BAD_POINTER } },
	{ "open_tree", SYS_open_tree, { -1, BAD_POINTER, 0 } },
	{ "fsopen", SYS_fsopen, { BAD_POINTER, 0 } },
	{ "mount_setattr", SYS_mount_setattr, { -1, BAD_POINTER, 0, 0, 0 } },
	{ "statmount", 457, { BAD_POINTER, 0, 0, 0 } },
	{ "listmount", 458, { BAD_POINTER, 0, 0, 0 } },
	{ "fchmodat2", 452, { -1, BAD_POINTER, 0, 0 } },
	{ "mseal", 462, { 0, 0, 0 } },
	{ "name_to_handle_at", SYS_name_to_handle_at, { -1, BAD_POINTER, BAD_POINTER, 0, 0 } },
	{ "setns", SYS_setns, { -1, 0 } },
	{ "unshare", SYS_unshare, { CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET } },
	{ "clone3", SYS_clone3, { 0, 0 } },
	{ "personality", SYS_personality, { 0xffffffff } },
	{ "reboot", SYS_reboot, { 0, 0, 0, 0 } },
	{ "landlock", SYS_landlock_create_ruleset, { 0, 0, 1 } },
	{ "seccomp", SYS_seccomp, { SECCOMP_GET_ACTION_AVAIL, 0, BAD_POINTER } },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0, 0 } },
	{ "io_setup", SYS_io_setup, { 0, BAD_POINTER } },
	{ "fanotify_init", SYS_fanotify_init, { FAN_REPORT_FID | FAN_CLOEXEC, 0 } },
	{ "TCGETS", SYS_ioctl, { -1, TCGETS, 0 } },
	{ "TIOCSCTTY", SYS_ioctl, { -1, TIOCSCTTY, 0 } },
	{ "sethostname", SYS_sethostname, { BAD_POINTER, 5 } },
	{ "memfd_create", SYS_memfd_create, { BAD_POINTER, 0 } },
};
/* clang-format on */

static void denied_is_eperm(void **state)
{
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		expect(0, &denied[i], -EPERM);
}

static void unknown_is_enosys(void **state)
{
	for (size_t i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++)
		expect(0, &not_there[i], -ENOSYS);
}

static void allowed_is_untouched(void **state)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		expect(0, &allowed[i], call_with(NO_FILTER, &allowed[i]));
}

static void only_some_socket_families(void **state)
{
	for (int family = 0; family < 64; family++) {
		struct call single = { "socket", SYS_socket, { family, SOCK_RAW, 0 } };
		struct call pair = { "socketpair", SYS_socketpair, { family, SOCK_RAW, 0, 1 } };

		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			family == AF_NETLINK || family == AF_PACKET) {
			expect(0, &single, call_with(NO_FILTER, &single));
			expect(0, &pair, call_with(NO_FILTER, &pair));
		} else {
			expect(0, &single, -EAFNOSUPPORT);
			expect(0, &pair, -EAFNOSUPPORT);
		}
	}
}

/* The kernel takes an int: garbage above it changes nothing, for better or worse. */
static void high_bits_of_a_family_are_ignored(void **state)
{
	struct call unix_socket = { "AF_UNIX", SYS_socket, { AF_UNIX | 1L << 32, SOCK_STREAM, 0 } };
	struct call alg = { "AF_ALG", SYS_socket, { AF_ALG | 1L << 32, SOCK_SEQPACKET, 0 } };

	assert_true(call_with(0, &unix_socket) >= 0);
	expect(0, &alg, -EAFNOSUPPORT);
}

static void no_audit_socket(void **state)
{
	struct call audit = { "audit", SYS_socket, { AF_NETLINK, SOCK_RAW, 9 } };
	struct call route = { "rtnetlink", SYS_socket, { AF_NETLINK, SOCK_RAW, 0 } };
	struct call inet = { "protocol 9", SYS_socket, { AF_INET, SOCK_RAW, 9 } };

	expect(0, &audit, -EAFNOSUPPORT);
	assert_true(call_with(0, &route) >= 0);
	expect(0, &inet, call_with(NO_FILTER, &inet));
}

static void capabilities_open_groups(void **state)
{
	struct call clock = { "settimeofday", SYS_settimeofday, { BAD_POINTER, 0 } };
	struct call bpf = { "bpf", SYS_bpf, { -1, 0, 0 } };
	struct call swap = { "swapon", SYS_swapon, { BAD_POINTER, 0 } };
	uint64_t all = ~UINT64_C(0) ^ CAP(63);

	assert_int_not_equal(call_with(NO_FILTER, &clock), -EPERM);
	expect(CAP(CAP_SYS_TIME), &clock, call_with(NO_FILTER, &clock));
	expect(CAP(CAP_SYS_TIME), &bpf, -EPERM);
	expect(CAP(CAP_BPF), &bpf, call_with(NO_FILTER, &bpf));
	expect(CAP(CAP_BPF), &clock, -EPERM);
	expect(CAP(CAP_PERFMON) | CAP(CAP_SYSLOG), &bpf, call_with(NO_FILTER, &bpf));
	expect(CAP(CAP_PERFMON) | CAP(CAP_SYSLOG), &clock, call_with(NO_FILTER, &clock));
	expect(CAP(CAP_SYS_ADMIN) | CAP(CAP_SYS_BOOT), &clock, -EPERM);
	expect(all, &swap, -EPERM);
}

#ifdef __x86_64__
static long probe_int80(const void *data)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(20 /* getpid */)
			 : "r8", "r9", "r10", "r11", "memory");
	return r;
}

static void no_32_bit_calls(void **state)
{
	int status = confined_status(0, probe_int80, NULL);

	/* a kernel that has none itself kills */
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGSEGV);
	else
		assert_int_equal(*result, -ENOSYS);
}
#endif

static long probe_no_new_privs(const void *data)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static long probe_twice(const void *data)
{
	return seccomp_apply(0);
}

static void sudo_still_works_and_filters_nest(void **state)
{
	assert_int_equal(confined(0, probe_no_new_privs, NULL), 0);
	assert_int_equal(confined(0, probe_twice, NULL), 0);
}

static long probe_user_namespace(const void *data)
{
	const struct call getpid_call = { "getpid", SYS_getpid, {} };

	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	int r = seccomp_apply(0);

	return r < 0 ? r : do_call(&getpid_call) == getpid();
}

static long probe_unprivileged(const void *data)
{
	return setresuid(65534, 65534, 65534) < 0 ? 0 : seccomp_apply(0);
}

static void privilege_of_the_user_namespace_is_enough(void **state)
{
	assert_int_equal(confined(NO_FILTER, probe_user_namespace, NULL), 1);
	assert_int_equal(confined(NO_FILTER, probe_unprivileged, NULL), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_is_eperm),
		cmocka_unit_test(unknown_is_enosys),
		cmocka_unit_test(allowed_is_untouched),
		cmocka_unit_test(only_some_socket_families),
		cmocka_unit_test(high_bits_of_a_family_are_ignored),
		cmocka_unit_test(no_audit_socket),
		cmocka_unit_test(capabilities_open_groups),
#ifdef __x86_64__
		cmocka_unit_test(no_32_bit_calls),
#endif
		cmocka_unit_test(sudo_still_works_and_filters_nest),
		cmocka_unit_test(privilege_of_the_user_namespace_is_enough),
	};

	shared_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
