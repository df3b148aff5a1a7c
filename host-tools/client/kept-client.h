/* SPDX-License-Identifier: MIT */
#pragma once

/* The caller's side of a kept session (kept.h). stdin and stdout are a terminal. */

/*
 * Begins a session in container name and shows it: user's login shell, root's when that is NULL.
 * Logs. Returns the status to exit with: the program's, or 0 when the caller has left it.
 */
int kept_begin(const char *name, const char *user);

/* Shows a session that is there. id 0: the only one. Logs. As kept_begin(). */
int kept_attach(const char *name, unsigned int id);
