/* SPDX-License-Identifier: MIT */
#pragma once

/* A command of the exec door: from START to a process that goes on without this agent. */

#include "exec-packet.h"
#include "exec-request.h"
#include "exec-state.h"

/*
 * Fills session's user, program and manners and *ret from all->exec.request, which has been parsed,
 * and the packet's descriptors, borrowed. 0; or -errno, and the client has been told.
 * exec_request_done() after the spawn.
 */
int exec_start_prepare(
	struct exec_session *session, const struct exec_packet *packet, struct spawn_request *ret);

/*
 * Spawns it and keeps the session: its leader, pidfd, slot, and report when it waits for no exec.
 * 0; or -errno and *ret_step, to be told.
 */
int exec_start_spawn(
	struct exec_session *session, struct spawn_request *request, enum spawn_step *ret_step);
