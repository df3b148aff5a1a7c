/* SPDX-License-Identifier: MIT */

/*
 * The policy. A guest is a whole Debian with systemd as its PID 1, so nearly everything that a
 * process does to itself, its files and its own namespaces is allowed, mounting included; what
 * reaches the machine, or is more kernel than a guest is worth, is not.
 *
 * An allow-list: what is in no group gets ENOSYS, as from an older kernel, so that libraries fall
 * back. What is known and denied gets EPERM, unless its users cope better with another error.
 */
#include "seccomp-table.h"

#include "seccomp-families.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CAP(c) (UINT64_C(1) << (c))
#define CALLS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define VALUES(...)                                                                                \
	.values = (const uint32_t[]){ __VA_ARGS__ },                                               \
	.n_values = sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t)

/* clang-format off */
const struct seccomp_group seccomp_groups[] = {
	/* --- allowed: what a process does to itself ------------------------------------------ */
	{ .name = "memory", .syscalls = CALLS(
		"brk", "cachestat", "madvise", "map_shadow_stack", "membarrier", "memfd_create",
		"memfd_secret", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect",
		"mremap", "mseal", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free",
		"pkey_mprotect", "process_madvise", "process_mrelease", "remap_file_pages") },
	{ .name = "numa placement", .syscalls = CALLS(
		"get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy",
		"set_mempolicy_home_node") },
	/* all namespace flags: systemd's sandboxing and containers in the container need them;
	 * what is behind them is bounded by the user namespace */
	{ .name = "processes", .syscalls = CALLS(
		"arch_prctl", "capget", "capset", "clone", "clone3", "execve", "execveat", "exit",
		"exit_group", "fork", "getcpu", "getpgid", "getpgrp", "getpid", "getpriority", "getrlimit",
		"getrusage", "getsid", "gettid", "getppid", "ioprio_get", "ioprio_set", "pidfd_getfd",
		"pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "setpgid", "setpriority",
		"setrlimit", "setsid", "set_robust_list", "get_robust_list", "set_thread_area",
		"get_thread_area", "set_tid_address", "setns", "times", "ugetrlimit", "unshare",
		"vfork", "wait4", "waitid", "waitpid") },
	/* journald and logind fail without it; the 32-bit calls it promises are closed anyway */
	{ .name = "personality", .syscalls = CALLS("personality") },
	{ .name = "identity", .syscalls = CALLS(
		"getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid",
		"setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid",
		"setreuid", "setuid") },
	{ .name = "scheduling", .syscalls = CALLS(
		"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
		"sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
		"sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
		"sched_yield") },
	{ .name = "signals", .syscalls = CALLS(
		"alarm", "kill", "pause", "restart_syscall", "rt_sigaction", "rt_sigpending",
		"rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
		"rt_tgsigqueueinfo", "sigaltstack", "signal", "signalfd", "signalfd4", "sigreturn", "tgkill",
		"tkill") },
	{ .name = "time", .syscalls = CALLS(
		"clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
		"nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
		"timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime",
		"timerfd_settime") },
	{ .name = "threads", .syscalls = CALLS(
		"futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "rseq") },
	{ .name = "information", .syscalls = CALLS("getrandom", "sysinfo", "uname") },
	/* the kernel's own trampoline calls these when the HOST traces a guest's binary; without
	 * them the guest's process dies of it */
	{ .name = "host's user probes", .syscalls = CALLS("uprobe", "uretprobe") },
	/* a guest's tools must be able to give up more */
	{ .name = "self-confinement", .syscalls = CALLS(
		"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
		"lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "seccomp") },
	/* gdb and strace; the PID namespace says who can be seen. Since 4.8 a tracer can't get a
	 * call past the filter */
	{ .name = "debugging", .syscalls = CALLS(
		"process_vm_readv", "process_vm_writev", "ptrace") },

	/* --- allowed: files, polling, messages ------------------------------------------------- */
	{ .name = "files", .syscalls = CALLS(
		"access", "chdir", "chmod", "chown", "chroot", "close", "close_range",
		"copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2",
		"fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown",
		"fchownat", "fcntl", "fdatasync", "fgetxattr", "file_getattr", "file_setattr",
		"flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync",
		"ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
		"getxattrat", "ioctl", "lchown", "lgetxattr", "link", "linkat", "listxattr", "listxattrat",
		"llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat",
		"mknod", "mknodat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv",
		"preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
		"readlinkat", "readv", "removexattr", "removexattrat", "rename", "renameat",
		"renameat2", "rmdir", "sendfile", "setxattr", "setxattrat", "splice", "stat",
		"statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee",
		"truncate", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vmsplice",
		"write", "writev") },
	/* systemd knows a mount point by its handle; opening by one is another matter, below */
	{ .name = "handles, names only", .syscalls = CALLS("name_to_handle_at") },
	{ .name = "watches", .syscalls = CALLS(
		"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
		"fanotify_init", "fanotify_mark") },
	{ .name = "polling", .syscalls = CALLS(
		"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
		"epoll_wait", "eventfd", "eventfd2", "poll", "ppoll", "pselect6", "select") },
	{ .name = "pipes and sockets", .syscalls = CALLS(
		"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
		"listen", "pipe", "pipe2", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg",
		"sendto", "setsockopt", "shutdown", "socket", "socketpair") },
	{ .name = "IPC", .syscalls = CALLS(
		"mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend",
		"mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop",
		"semtimedop", "shmat", "shmctl", "shmdt", "shmget") },
	/* databases; the old interface, not io_uring */
	{ .name = "asynchronous I/O", .syscalls = CALLS(
		"io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit") },

	/* --- allowed: the guest's own system -------------------------------------------------- */
	/* systemd mounts all day long: its own API file systems, and a namespace for each
	 * sandboxed service */
	{ .name = "mounts", .syscalls = CALLS(
		"fsconfig", "fsmount", "fsopen", "fspick", "listmount", "mount", "mount_setattr",
		"move_mount", "open_tree", "open_tree_attr", "pivot_root", "statmount", "umount",
		"umount2") },
	/* of the UTS namespace */
	{ .name = "names", .syscalls = CALLS("setdomainname", "sethostname") },
	/* in a PID namespace it only tells the launcher how PID 1 ended: this is how a guest reboots */
	{ .name = "reboot", .syscalls = CALLS("reboot") },
	/* the caller's own terminal */
	{ .name = "hangup", .syscalls = CALLS("vhangup") },

	/* --- denied: power over the machine --------------------------------------------------- */
	{ .name = "modules", .error = EPERM, .opened_by = SWITCH_MACHINE,
	  .capabilities = CAP(CAP_SYS_MODULE),
	  .syscalls = CALLS("delete_module", "finit_module", "init_module") },
	{ .name = "raw I/O", .error = EPERM, .opened_by = SWITCH_MACHINE,
	  .capabilities = CAP(CAP_SYS_RAWIO),
	  .syscalls = CALLS("ioperm", "iopl", "pciconfig_iobase", "pciconfig_read", "pciconfig_write",
		"s390_pci_mmio_read", "s390_pci_mmio_write") },
	/* there is one clock for all; timesyncd and chrony see the container and stay away */
	{ .name = "clock", .error = EPERM, .opened_by = SWITCH_MACHINE,
	  .capabilities = CAP(CAP_SYS_TIME),
	  .syscalls = CALLS("adjtimex", "clock_adjtime", "clock_settime", "settimeofday", "stime") },
	/* the host's messages */
	{ .name = "kernel log", .error = EPERM, .opened_by = SWITCH_MACHINE,
	  .capabilities = CAP(CAP_SYSLOG), .syscalls = CALLS("syslog") },
	{ .name = "accounting", .error = EPERM, .opened_by = SWITCH_MACHINE,
	  .capabilities = CAP(CAP_SYS_PACCT), .syscalls = CALLS("acct") },
	{ .name = "another kernel", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("kexec_file_load", "kexec_load") },
	{ .name = "swap", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("swapoff", "swapon") },
	/* quotas of the host's file system */
	{ .name = "quotas", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("quotactl", "quotactl_fd") },
	/* an inode by its number, wherever on the host's file system: out of any root */
	{ .name = "open by handle", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("open_by_handle_at") },

	/* --- denied: more kernel than a guest is worth ---------------------------------------- */
	{ .name = "tracing", .error = EPERM, .opened_by = SWITCH_TRACING,
	  .capabilities = CAP(CAP_BPF) | CAP(CAP_PERFMON),
	  .syscalls = CALLS("bpf", "perf_event_open") },
	/* EPERM is what it gives where the administrator disabled it: everybody falls back */
	{ .name = "io_uring", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("io_uring_enter", "io_uring_register", "io_uring_setup") },
	/* stops the kernel in the middle of a copy: half of every race exploit */
	{ .name = "userfaultfd", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("userfaultfd") },
	/* tells kernel pointers apart */
	{ .name = "kcmp", .error = EPERM, .opened_by = SWITCH_NONE, .syscalls = CALLS("kcmp") },
	{ .name = "profiling", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("lookup_dcookie") },
	{ .name = "cpu emulation", .error = EPERM, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("modify_ldt", "subpage_prot", "switch_endian", "vm86", "vm86old") },
	/* keyrings belong to users, not to namespaces. ENOSYS: PID 1 and pam_keyinit take a kernel
	 * without keyrings in their stride, and pam_keyinit refuses the login on anything else */
	{ .name = "keyrings", .error = ENOSYS, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("add_key", "keyctl", "request_key") },
	{ .name = "obsolete", .error = ENOSYS, .opened_by = SWITCH_NONE,
	  .syscalls = CALLS("_sysctl", "afs_syscall", "bdflush", "break", "create_module",
		"epoll_ctl_old", "epoll_wait_old", "ftime", "get_kernel_syms", "getpmsg", "gtty",
		"idle", "lock", "mpx", "nfsservctl", "prof", "profil", "putpmsg", "query_module",
		"security", "sgetmask", "ssetmask", "stty", "sysfs", "tuxcall", "ulimit", "uselib",
		"ustat", "vserver") },
	{ .name = NULL },
};
/* clang-format on */

#define FAMILIES VALUES(SECCOMP_FAMILIES)

#define NETLINK_AUDIT_ 9 /* linux/netlink.h */

/* From fanotify(7): classes that can hold up others' file accesses, and events without a
 * descriptor. */
#define FANOTIFY_CLASSES (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT)

const struct seccomp_argument_rule seccomp_argument_rules[] = {
	{
		.syscall = "socket",
		.argument = 0,
		.deny_others = true,
		FAMILIES,
		.error = EAFNOSUPPORT,
	},
	{
		.syscall = "socketpair",
		.argument = 0,
		.deny_others = true,
		FAMILIES,
		.error = EAFNOSUPPORT,
	},
	/* The audit subsystem isn't namespaced: without a user namespace, messages forged here
	 * land in the host's log; with one, PAM fails. This errno is "the kernel has none". */
	{
		.syscall = "socket",
		.conditional = true,
		.condition_argument = 0,
		.condition_value = AF_NETLINK,
		.argument = 2,
		VALUES(NETLINK_AUDIT_),
		.error = EAFNOSUPPORT,
	},
	/* TIOCSTI types into a terminal, TIOCLINUX pastes into a console: both into that of
	 * whoever else has it open. TIOCCONS takes what goes to the machine's console. TIOCSETD
	 * loads line disciplines (N_HDLC, N_GSM …), each with a history of holes; the number is
	 * behind a pointer, so all go. */
	{
		.syscall = "ioctl",
		.argument = 1,
		VALUES(TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD),
		.error = EPERM,
	},
	/* Only what the kernel gives the unprivileged: no permission events, and no descriptors of
	 * files elsewhere on the host's file system (which a mark on all of it would hand out). */
	{
		.syscall = "fanotify_init",
		.argument = 0,
		.mask = FANOTIFY_CLASSES | FAN_REPORT_FID,
		.deny_others = true,
		VALUES(FAN_REPORT_FID),
		.error = EPERM,
	},
	{ .syscall = NULL },
};

/* From 424 on a call has the same number on every architecture. */
const struct seccomp_number seccomp_numbers[] = {
#ifdef __x86_64__
	{ "uretprobe", 335 },
	{ "uprobe", 336 },
#endif
	{ "quotactl_fd", 443 },
	{ "memfd_secret", 447 },
	{ "process_mrelease", 448 },
	{ "futex_waitv", 449 },
	{ "set_mempolicy_home_node", 450 },
	{ "cachestat", 451 },
	{ "fchmodat2", 452 },
	{ "map_shadow_stack", 453 },
	{ "futex_wake", 454 },
	{ "futex_wait", 455 },
	{ "futex_requeue", 456 },
	{ "statmount", 457 },
	{ "listmount", 458 },
	{ "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },
	{ "mseal", 462 },
	{ "setxattrat", 463 },
	{ "getxattrat", 464 },
	{ "listxattrat", 465 },
	{ "removexattrat", 466 },
	{ "open_tree_attr", 467 },
	{ "file_getattr", 468 },
	{ "file_setattr", 469 },
	{ NULL, 0 },
};
