/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SIGINT, SIGTERM and SIGHUP for work that has to tidy up: from interrupt_catch() on they are only
 * noted (system calls return EINTR), and the work looks at interrupt_caught() now and then. SIGPIPE
 * is ignored.
 */

void interrupt_catch(void);

/* The signal that came, or 0. */
int interrupt_caught(void);

/* The same, which is forgotten then: what child_run() runs isn't interrupted by it. */
int interrupt_take(void);

/* Ends this process as the signal would have; returns when it is 0, none. */
void interrupt_die(int number);
