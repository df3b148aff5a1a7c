/* SPDX-License-Identifier: MIT */
#pragma once

/* What the launcher of a running container says of it, asked over its control socket
 * (narthex-launch(8), "Control socket"). */

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

struct launcher_status {
	char state[16]; /* "starting", "running", "stopping" */
	char init[16];	/* "systemd", "busybox", "command", "other" */
	pid_t leader;	/* the guest's PID 1 as the host knows it; 0: not there yet */
	pid_t launcher;
	int launcher_fd;     /* pidfd of the launcher; -EBADF where the kernel can't tell */
	uint32_t boots;	     /* 1: it has not rebooted since it was started */
	uint64_t since_usec; /* CLOCK_REALTIME of the last boot */
	uint32_t uid_base, uid_count;
};

#define LAUNCHER_STATUS_NULL ((struct launcher_status){ .launcher_fd = -EBADF })

/*
 * Asks the launcher of container name (valid), waiting for at most five seconds. 0; -ENOENT when it
 * doesn't run; -EACCES for callers other than root; -EAGAIN when it was too slow; -EPROTO when the
 * answer makes no sense. Doesn't log.
 */
int launcher_ask(const char *name, struct launcher_status *ret);

/*
 * Sends the launcher a request of narthex-launch(8), "Control socket", that is answered by one
 * message of text, and waits for that for so many seconds. *ret: caller frees. 0 or as
 * launcher_ask().
 */
int launcher_request(const char *name, const char *request, int seconds, char **ret);

/* Closes the descriptor. */
void launcher_status_done(struct launcher_status *status);

/* The parser of the answer: one flat JSON object of plain strings and unsigned numbers; unknown
 * members are skipped. Leaves launcher_fd alone. 0 or -EPROTO. */
int launcher_status_parse(const char *text, struct launcher_status *ret);

/*
 * A pidfd of the guest's PID 1: opened by number, after which the launcher is asked again whether
 * that was still the one. -ESRCH: there is none now. Otherwise as launcher_ask().
 */
int launcher_open_leader(const char *name, const struct launcher_status *status);
