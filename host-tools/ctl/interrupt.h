/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SIGINT, SIGTERM and SIGHUP for work that has to tidy up: from interrupt_catch() on they are only
 * noted (system calls return EINTR), and the work looks at interrupt_caught() now and then.
 */

void interrupt_catch(void);

/* The signal that came, or 0. */
int interrupt_caught(void);

/* Ends this process as the caught signal would have; returns when there was none. */
void interrupt_die(void);
