/* SPDX-License-Identifier: MIT */
#pragma once

/* Terminals of the container's own devpts. */

/*
 * A new pty, by the ptmx of the devpts whose root is devpts_fd (borrowed). Returns the unlocked
 * master, O_CLOEXEC, or -errno. 80x24.
 */
int terminal_open(int devpts_fd);

/*
 * The slave of a master, never by name: a name in the guest's devpts may stand for another terminal
 * on the host (TIOCGPTPEER, Linux 4.13). -errno on failure.
 */
int terminal_slave(int master);
