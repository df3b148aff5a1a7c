/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the agent says at the exec door (docs/exec-protocol.md). fd: the client's connection,
 * borrowed; negative: nobody is there to hear it. Never blocks.
 */

#include "exec-message.h"
#include "spawn.h"

#include <signal.h>

void exec_answer_started(int fd, pid_t leader);

/* program: what was to be started, for our log; "" when that isn't known. r: 0 or -errno. */
void exec_answer_failed(int fd, const char *program, enum exec_step step, int r, const char *text);
void exec_answer_spawn_failed(int fd, const char *program, enum spawn_step step, int r);

/* info, usage: as from leader_reap(). */
void exec_answer_exited(int fd, const siginfo_t *info, const struct rusage *usage);

void exec_answer_error(int fd, const char *text);
