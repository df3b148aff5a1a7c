/* SPDX-License-Identifier: MIT */
#pragma once

/* The caller's own terminal: raw while a session uses it, as it was afterwards. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <termios.h>

struct terminal_raw {
	bool active;
	bool suspended;
	struct termios before;
};

/* Makes stdin raw when it is a terminal. 0 or -errno. */
int terminal_raw_enter(struct terminal_raw *terminal);

/* As it was; safe when nothing was changed. Never stops a process in the background. */
void terminal_raw_leave(struct terminal_raw *terminal);

/* On SIGTSTP: gives the terminal back and stops this process. On SIGCONT, which may follow a stop
 * that nobody was told of: takes it again, when it is ours. For who blocks both signals. */
void terminal_raw_suspend(struct terminal_raw *terminal);
void terminal_raw_resume(struct terminal_raw *terminal);

/* The size of the caller's terminal, from stdout, stdin or stderr. -ENOTTY when there is none. */
int terminal_size(struct winsize *ret);

/* It becomes master's (borrowed). */
int terminal_copy_size(int master);

/* The way out of a session that doesn't answer: the key ^] three times within a second. */
#define ESCAPE_KEY 0x1d
#define ESCAPE_TIMES 3
#define ESCAPE_MS 1000

struct terminal_escape {
	unsigned int times;
	int64_t first_ms;
};

/* Whether the keys in data, typed at now_ms, complete it. Any other key in between starts anew. */
bool terminal_escape_seen(
	struct terminal_escape *escape, const char *data, size_t len, int64_t now_ms);
