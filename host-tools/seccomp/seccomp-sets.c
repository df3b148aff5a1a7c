/* SPDX-License-Identifier: MIT */

/*
 * The names for several system calls at once that SystemCallFilter= takes, with the members that
 * systemd 252 gives them (systemd.exec(5); "systemd-analyze syscall-filter" prints them), but for
 * calls of architectures that narthex doesn't run on. A test compares the two.
 */

#include "seccomp-table.h"

#include <stddef.h>

#define CALLS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* clang-format off */
const struct seccomp_set seccomp_sets[] = {
	{ .name = "@aio", .members = CALLS(
		"io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
		"io_uring_enter", "io_uring_register", "io_uring_setup") },
	{ .name = "@basic-io", .members = CALLS(
		"close", "close_range", "dup", "dup2", "dup3", "lseek", "pread64", "preadv",
		"preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readv", "write", "writev") },
	{ .name = "@chown", .members = CALLS(
		"chown", "fchown", "fchownat", "lchown") },
	{ .name = "@clock", .members = CALLS(
		"adjtimex", "clock_adjtime", "clock_settime", "settimeofday") },
	{ .name = "@cpu-emulation", .members = CALLS(
		"modify_ldt", "subpage_prot", "switch_endian", "vm86", "vm86old") },
	{ .name = "@debug", .members = CALLS(
		"lookup_dcookie", "perf_event_open", "pidfd_getfd", "ptrace") },
	{ .name = "@default", .members = CALLS(
		"arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "execve",
		"exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "get_thread_area",
		"getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
		"getppid", "getrandom", "getresgid", "getresuid", "getrlimit", "getsid", "gettid",
		"gettimeofday", "getuid", "membarrier", "mmap", "mmap2", "mprotect", "munmap",
		"nanosleep", "pause", "prlimit64", "restart_syscall", "rseq", "rt_sigreturn",
		"sched_getaffinity", "sched_yield", "set_robust_list", "set_thread_area",
		"set_tid_address", "sigreturn", "time", "ugetrlimit", "uretprobe") },
	{ .name = "@file-system", .members = CALLS(
		"access", "chdir", "chmod", "close", "creat", "faccessat", "faccessat2", "fallocate",
		"fchdir", "fchmod", "fchmodat", "fchmodat2", "fcntl", "fgetxattr", "flistxattr",
		"fremovexattr", "fsetxattr", "fstat", "fstatfs", "ftruncate", "futimesat", "getcwd",
		"getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init",
		"inotify_init1", "inotify_rm_watch", "lgetxattr", "link", "linkat", "listxattr",
		"llistxattr", "lremovexattr", "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod",
		"mknodat", "newfstatat", "open", "openat", "openat2", "readlink", "readlinkat",
		"removexattr", "rename", "renameat", "renameat2", "rmdir", "setxattr", "stat",
		"statfs", "statx", "symlink", "symlinkat", "truncate", "unlink", "unlinkat", "utime",
		"utimensat", "utimes") },
	{ .name = "@io-event", .members = CALLS(
		"epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
		"epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "poll",
		"ppoll", "pselect6", "select") },
	{ .name = "@ipc", .members = CALLS(
		"memfd_create", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive",
		"mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "pipe", "pipe2",
		"process_madvise", "process_vm_readv", "process_vm_writev", "semctl", "semget",
		"semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget") },
	{ .name = "@keyring", .members = CALLS(
		"add_key", "keyctl", "request_key") },
	{ .name = "@memlock", .members = CALLS(
		"mlock", "mlock2", "mlockall", "munlock", "munlockall") },
	{ .name = "@module", .members = CALLS(
		"delete_module", "finit_module", "init_module") },
	{ .name = "@mount", .members = CALLS(
		"chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr",
		"move_mount", "open_tree", "pivot_root", "umount", "umount2") },
	{ .name = "@network-io", .members = CALLS(
		"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
		"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto",
		"setsockopt", "shutdown", "socket", "socketpair") },
	{ .name = "@obsolete", .members = CALLS(
		"_sysctl", "afs_syscall", "bdflush", "break", "create_module", "ftime",
		"get_kernel_syms", "getpmsg", "gtty", "idle", "lock", "mpx", "prof", "profil",
		"putpmsg", "query_module", "security", "sgetmask", "ssetmask", "stime", "stty",
		"sysfs", "tuxcall", "ulimit", "uselib", "ustat", "vserver") },
	{ .name = "@pkey", .members = CALLS(
		"pkey_alloc", "pkey_free", "pkey_mprotect") },
	{ .name = "@privileged", .members = CALLS(
		"@chown", "@clock", "@module", "@raw-io", "@reboot", "@swap", "_sysctl", "acct",
		"bpf", "capset", "chroot", "fanotify_init", "fanotify_mark", "nfsservctl",
		"open_by_handle_at", "pivot_root", "quotactl", "quotactl_fd", "setdomainname",
		"setfsuid", "setgroups", "sethostname", "setresuid", "setreuid", "setuid", "vhangup") },
	{ .name = "@process", .members = CALLS(
		"capget", "clone", "clone3", "execveat", "fork", "getrusage", "kill", "pidfd_open",
		"pidfd_send_signal", "prctl", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setns",
		"tgkill", "times", "tkill", "unshare", "vfork", "wait4", "waitid", "waitpid") },
	{ .name = "@raw-io", .members = CALLS(
		"ioperm", "iopl", "pciconfig_iobase", "pciconfig_read", "pciconfig_write",
		"s390_pci_mmio_read", "s390_pci_mmio_write") },
	{ .name = "@reboot", .members = CALLS(
		"kexec_file_load", "kexec_load", "reboot") },
	{ .name = "@resources", .members = CALLS(
		"ioprio_set", "mbind", "migrate_pages", "move_pages", "sched_setaffinity",
		"sched_setattr", "sched_setparam", "sched_setscheduler", "set_mempolicy",
		"set_mempolicy_home_node", "setpriority", "setrlimit") },
	{ .name = "@setuid", .members = CALLS(
		"setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid") },
	{ .name = "@signal", .members = CALLS(
		"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigsuspend", "rt_sigtimedwait",
		"sigaltstack", "signal", "signalfd", "signalfd4") },
	{ .name = "@swap", .members = CALLS(
		"swapoff", "swapon") },
	{ .name = "@sync", .members = CALLS(
		"fdatasync", "fsync", "msync", "sync", "sync_file_range", "syncfs") },
	{ .name = "@system-service", .members = CALLS(
		"@aio", "@basic-io", "@chown", "@default", "@file-system", "@io-event", "@ipc",
		"@keyring", "@memlock", "@network-io", "@process", "@resources", "@setuid", "@signal",
		"@sync", "@timer", "capget", "capset", "copy_file_range", "fadvise64", "flock",
		"get_mempolicy", "getcpu", "getpriority", "ioctl", "ioprio_get", "kcmp", "madvise",
		"mremap", "name_to_handle_at", "personality", "readahead", "remap_file_pages",
		"sched_get_priority_max", "sched_get_priority_min", "sched_getattr", "sched_getparam",
		"sched_getscheduler", "sched_rr_get_interval", "sched_yield", "sendfile", "setfsgid",
		"setfsuid", "setpgid", "setsid", "splice", "sysinfo", "tee", "umask", "uname",
		"userfaultfd", "vmsplice") },
	{ .name = "@timer", .members = CALLS(
		"alarm", "getitimer", "setitimer", "timer_create", "timer_delete", "timer_getoverrun",
		"timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime",
		"timerfd_settime", "times") },
	/* of later versions */
	{ .name = "@sandbox", .members = CALLS(
		"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp") },
	{ .name = "@known", .members = NULL }, /* all that there are */
	{},
};
/* clang-format on */
