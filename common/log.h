/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One line a message on stderr: "program: text". Under systemd (JOURNAL_STREAM is set) the line
 * starts with the "<N>" priority of sd-daemon(3) instead of the program's name. Control bytes in
 * the text, whoever they are from, become \xNN.
 *
 * Leaf functions return -errno and log nothing; the caller that knows the subject logs once.
 */

#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>

/* program: kept by reference, must outlive every message. Reads JOURNAL_STREAM and NARTHEX_DEBUG.
 */
void log_init(const char *program);

/*
 * From now on lines go to the kernel's log, where systemd's generators have to write. Where there
 * is none (in a container) they stay on stderr.
 */
void log_use_kmsg(void);

/*
 * From now on no message waits for who reads stderr, where that is a socket, as journald's is: one
 * that the socket has no room for is lost.
 */
void log_dont_wait(void);

/*
 * From now on the text of messages at LOG_WARNING and above is also written to f (borrowed; NULL:
 * no more), one a line: "error: …" or "warning: …".
 */
void log_copy_to(FILE *f);

/* Logs at LOG_ERR, LOG_WARNING, … (syslog.h). Keeps errno. */
void log_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Logs "text: strerror(-r)" at LOG_ERR and returns r, so that a failing function can
 * `return log_errno(r, "cannot mount '%s'", where);`. r: a negative errno.
 */
int log_errno(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Logs a line that another program of ours has said on a stderr for the journal (sd-daemon(3)). */
void log_relay(const char *line);

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)
