/* SPDX-License-Identifier: MIT */
#pragma once

/* -H: a verb on another host, by the narthex that is installed there, over ssh. */

#include <stdbool.h>

/* Set for the narthex there. sshd signals nobody when its client is gone, but closes the pipes. */
#define REMOTE_VARIABLE "NARTHEX_REMOTE"

/*
 * The command line that is to be run, its verb in argv[0]; borrowed. Of several calls the first
 * counts: a verb may parse its command line in pieces.
 */
void remote_begin(char **argv);

/*
 * Takes an option's word out of the piece of that command line that getopt_long() is at: the option
 * with its argument is the last that it returned. The argument names the host.
 */
void remote_take(char **argv);

/* Whether a host was named. */
bool remote_is_asked(void);

/*
 * Runs the command line there with the caller's stdin, stdout and stderr. terminal: the verb wants
 * one, if stdin is one. Logs. Returns the status to exit with: the remote narthex's, or
 * STATUS_FAILED when ssh couldn't connect.
 */
int remote_run(bool terminal);

/* The command line as one string for a shell, whichever it is: each word quoted where need be. NULL
 * when there is no memory for it. */
char *remote_quote(char *const *argv);
