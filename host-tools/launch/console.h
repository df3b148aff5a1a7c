/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the launcher's own stdin, stdout and stderr are to the payload. None of them is ever handed
 * in; the payload gets the console of its own devpts, or pipes that the launcher made:
 *
 *   in a service, or an init without a terminal:   the console's output becomes lines on stdout
 * (the journal) in the foreground on a terminal:                the terminal in raw mode, both
 * ways, and its size a command in the foreground, no terminal:       three pipes, byte for byte
 */

#include "builder.h"
#include "stream.h"

#include <termios.h>

enum console_mode { CONSOLE_LINES, CONSOLE_TERMINAL, CONSOLE_PIPES };

struct console {
	enum console_mode mode;
	struct event_base *base; /* borrowed */
	struct stream in, out, err;
	int pipe_fds[3];	    /* our ends, until the streams take them */
	struct payload_stdio guest; /* the payload's ends */
	int console_fd;		    /* borrowed from the supervisor while a guest runs */
	int slave_fd;		    /* kept open: without any slave the master only says EIO */
	bool raw;		    /* saved is to be restored */
	struct termios saved;
	void (*escape)(void *arg); /* ^] three times within a second */
	void *escape_arg;
	unsigned int escapes;
	int64_t escape_time_ms;
};

/* Before a guest is built: chooses the mode and makes the pipes. Logs. 0 or -errno. */
int console_prepare(struct console *console, const struct launch *launch, struct event_base *base);

/* A guest runs: starts copying. console_fd: the console's master, borrowed. Logs. 0 or -errno. */
int console_start(struct console *console, int console_fd);

/* A console whose output becomes lines, and its guest, go on under the next launcher: there
 * console_start() follows. */
void console_hand_over(struct console *console, struct hand_over *h);

/* The caller's terminal has a new size. */
void console_resize(struct console *console);

/* The guest has ended: nobody is left to read the caller's input. */
void console_hang_up(struct console *console);

/* Has all that a command wrote to its pipes arrived? Of a console nobody waits for more than
 * console_finish() does. */
bool console_is_drained(const struct console *console);

/* Has output of a command been lost since it couldn't be written, other than by a reader who left?
 */
bool console_has_lost(const struct console *console);

/* The guest has ended: what it wrote is written out, the caller's terminal is as before. */
void console_finish(struct console *console);
