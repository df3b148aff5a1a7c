/* SPDX-License-Identifier: MIT */

/*
 * The kernel drops what PID 1 of a namespace neither catches nor blocks (SIGNAL_UNKILLABLE). An
 * init has been executed some time before it has its handlers: asked in between, it would run on
 * until it is killed.
 */

#include "stop.h"

#include "cleanup.h"
#include "fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

int stop_signal(enum init_kind init, int configured)
{
	if (configured > 0)
		return configured;
	switch (init) {
	case INIT_SYSTEMD:
		return SIGRTMIN + 3; /* systemd(1), "Signals": starts halt.target */
	case INIT_BUSYBOX:
		return SIGUSR2; /* busybox init: poweroff (SIGTERM is its reboot) */
	case INIT_COMMAND:
		return SIGTERM;
	case INIT_OTHER:
		break;
	}
	return SIGPWR; /* sysvinit, openrc, runit: powerfail */
}

/* A line of proc_pid_status(5), e.g. "\nSigCgt:": a mask in hex. */
static uint64_t signal_mask(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	return line ? strtoull(line + strlen(key), NULL, 16) : UINT64_MAX;
}

/*
 * In sigtimedwait(2) what is waited for is unblocked, and it needs no handler: busybox's init and
 * many small ones spend their lives there. Nothing is dropped then.
 */
static bool waits_for_signals(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[32], *end;
	long number;

	(void)snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	if (file_read_all(AT_FDCWD, path, 0, 4096, &text) < 0)
		return false;
	number = strtol(text, &end, 10);
	return end != text && number == SYS_rt_sigtimedwait;
}

bool stop_is_heard(pid_t pid, int signal_number)
{
	_cleanup_free_ char *status = NULL;
	char path[32];
	uint64_t heard;

	if (signal_number == SIGKILL || signal_number == SIGSTOP)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read_all(AT_FDCWD, path, 0, 65536, &status) < 0)
		return true;
	heard = signal_mask(status, "\nSigCgt:") | signal_mask(status, "\nSigBlk:");
	return (heard >> (signal_number - 1) & 1) || waits_for_signals(pid);
}
