/* SPDX-License-Identifier: MIT */

/* System calls that reach the machine, or that are more kernel than a container is worth. */

#include "probe.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define BAD_POINTER 1L

/* --- the machine ------------------------------------------------------------------------------ */

static long load_module(void)
{
	return CALL(SYS_finit_module, -1, "", 0);
}

static long load_module_image(void)
{
	return CALL(SYS_init_module, BAD_POINTER, 16, "");
}

static long unload_module(void)
{
	return CALL(SYS_delete_module, "no_such_module", O_NONBLOCK);
}

/* Flags that no kernel has: EINVAL comes after the question who asks. */
static long load_kernel(void)
{
	return CALL(SYS_kexec_load, 0, 0, NULL, 0xffff);
}

static long load_kernel_file(void)
{
	return CALL(SYS_kexec_file_load, -1, -1, 0, NULL, 0xffff);
}

static long swap_on(void)
{
	return CALL(SYS_swapon, BAD_POINTER, 0);
}

static long swap_off(void)
{
	return CALL(SYS_swapoff, BAD_POINTER);
}

/* A tick of no length is refused after the question who asks. */
static long set_clock(void)
{
	struct timex tx = { .modes = ADJ_TICK, .tick = 1 };

	return CALL(SYS_adjtimex, &tx);
}

static long set_clock_by_id(void)
{
	struct timex tx = { .modes = ADJ_TICK, .tick = 1 };

	return CALL(SYS_clock_adjtime, CLOCK_REALTIME, &tx);
}

static long read_kernel_log(void)
{
	char byte;

	return CALL(SYS_syslog, 3, &byte, 1);
}

static long start_accounting(void)
{
	return CALL(SYS_acct, "/no/such/file");
}

static long set_quotas(void)
{
	return CALL(SYS_quotactl, QCMD(Q_QUOTAOFF, USRQUOTA), "/no/such/device", 0, NULL);
}

static long raw_ports(void)
{
#ifdef __x86_64__
	return CALL(SYS_ioperm, 0x80, 1, 1);
#else
	return -ENOSYS;
#endif
}

static long all_raw_ports(void)
{
#ifdef __x86_64__
	return CALL(SYS_iopl, 3);
#else
	return -ENOSYS;
#endif
}

/* An inode by its number, wherever on the file system. */
static long open_by_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;
	long root = result(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	long r = result(name_to_handle_at(AT_FDCWD, "/", &h.handle, &mount_id, 0));

	if (root < 0 || r < 0)
		return root < 0 ? root : r;
	return result(open_by_handle_at((int)root, &h.handle, O_RDONLY | O_CLOEXEC));
}

static long name_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	return result(name_to_handle_at(AT_FDCWD, "/", &h.handle, &mount_id, 0));
}

/* --- more kernel than needed ------------------------------------------------------------------ */

static long make_bpf_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	return CALL(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* "return 0" as a program of a type. */
static long load_bpf(unsigned int type)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = type,
		.insn_cnt = COUNT(code),
		.insns = (uint64_t)(uintptr_t)code,
		.license = (uint64_t)(uintptr_t) "",
	};

	return CALL(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static long load_bpf_filter(void)
{
	return load_bpf(BPF_PROG_TYPE_SOCKET_FILTER);
}

static long load_bpf_tracer(void)
{
	return load_bpf(BPF_PROG_TYPE_KPROBE);
}

static long open_perf(int pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.exclude_kernel = pid == 0,
		.exclude_hv = 1,
	};

	return CALL(SYS_perf_event_open, &attr, pid, cpu, -1, 0);
}

static long perf_self(void)
{
	return open_perf(0, -1);
}

static long perf_machine(void)
{
	return open_perf(-1, 0);
}

static long make_ring(void)
{
	struct io_uring_params parameters = {};

	return CALL(SYS_io_uring_setup, 1, &parameters);
}

static long handle_kernel_faults(void)
{
	return CALL(SYS_userfaultfd, O_CLOEXEC);
}

static long handle_user_faults(void)
{
	return CALL(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
}

static long find_keyring(void)
{
	return CALL(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

static long user_keyring(void)
{
	return CALL(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1);
}

static long add_key(void)
{
	return CALL(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

/* Asks for a key of a type that nobody makes; ENOKEY: there is none. */
static long request_key(void)
{
	return CALL(SYS_request_key, "user", "narthex-probe-no-such-key", NULL, 0);
}

static long watch_permissions(void)
{
	return CALL(SYS_fanotify_init, FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
}

static long watch_with_descriptors(void)
{
	return CALL(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
}

static long watch_names(void)
{
	return CALL(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, 0);
}

static long change_segments(void)
{
#ifdef __x86_64__
	unsigned char entries[16];

	return CALL(SYS_modify_ldt, 0, entries, sizeof(entries));
#else
	return -ENOSYS;
#endif
}

static long old_file_systems(void)
{
#ifdef SYS_sysfs
	return CALL(SYS_sysfs, 3);
#else
	return -ENOSYS;
#endif
}

static long future_call(void)
{
	return CALL(SYS_landlock_restrict_self + 900);
}

/* --- other numbers of the same calls ---------------------------------------------------------- */

/* getpid(2) of the 32-bit kind. */
static long call_i386(void)
{
#ifdef __x86_64__
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r;
#else
	return -ENOSYS;
#endif
}

static long call_x32(void)
{
#ifdef __x86_64__
	return CALL(0x40000000 | SYS_getpid);
#else
	return -ENOSYS;
#endif
}

/* --- what a guest's programs confine themselves with ------------------------------------------ */

static long make_landlock_rules(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE };

	return CALL(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

static long install_filter(void)
{
	struct sock_filter code[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog program = { .len = 1, .filter = code };

	return CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static long be_32_bit(void)
{
	return result(personality(PER_LINUX32));
}

static long secret_memory(void)
{
	return result(memfd_create("probe", MFD_CLOEXEC));
}

static const struct attempt attempts[] = {
	{ "load a module by descriptor", load_module, EBADF },
	{ "load a module", load_module_image, EFAULT },
	{ "unload a module", unload_module, ENOENT },
	{ "load another kernel", load_kernel, EINVAL },
	{ "load another kernel from a file", load_kernel_file, EINVAL },
	{ "swap on", swap_on, EFAULT },
	{ "swap off", swap_off, EFAULT },
	{ "set the clock", set_clock, EINVAL },
	{ "set a clock by its number", set_clock_by_id, EINVAL },
	{ "read the kernel's log", read_kernel_log, 0 },
	{ "start process accounting", start_accounting, ENOENT },
	{ "set quotas", set_quotas, ENOENT },
	{ "use one I/O port", raw_ports, 0 },
	{ "use all I/O ports", all_raw_ports, 0 },
	{ "name a file by handle", name_handle, 0 },
	{ "open a file by handle", open_by_handle, 0 },
	{ "make a BPF map", make_bpf_map, 0 },
	{ "load a BPF socket filter", load_bpf_filter, 0 },
	{ "load a BPF tracer", load_bpf_tracer, 0 },
	{ "profile itself", perf_self, 0 },
	{ "profile the machine", perf_machine, 0 },
	{ "make an io_uring", make_ring, 0 },
	{ "handle the kernel's page faults", handle_kernel_faults, 0 },
	{ "handle its own page faults", handle_user_faults, 0 },
	{ "find its session keyring", find_keyring, 0 },
	{ "find its user's keyring", user_keyring, 0 },
	{ "add a key", add_key, 0 },
	{ "request a key", request_key, ENOKEY },
	{ "hold up others' file accesses", watch_permissions, 0 },
	{ "watch files and get descriptors", watch_with_descriptors, 0 },
	{ "watch files by handle", watch_names, 0 },
	{ "change its segments", change_segments, 0 },
	{ "ask for file systems the old way", old_file_systems, 0 },
	{ "a system call of the future", future_call, 0 },
	{ "system calls of i386", call_i386, 0 },
	{ "system calls of x32", call_x32, 0 },
	{ "confine itself by landlock", make_landlock_rules, 0 },
	{ "confine itself by seccomp", install_filter, 0 },
	{ "change its personality", be_32_bit, 0 },
	{ "memory without a name", secret_memory, 0 },
};

const struct chapter chapter_calls = { "system calls", attempts, COUNT(attempts), NULL };
