/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a program has drawn on its terminal, to be drawn again on another one: libvterm keeps the
 * screen, here are the sequences that make a terminal look and behave like it. Bounded: the cells
 * of both screens and HISTORY_SIZE bytes of what has left the first one. The bytes are the guest's,
 * and nothing of them but characters comes out again.
 */

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

#define SCREEN_ROWS_MAX 500
#define SCREEN_COLUMNS_MAX 1000

struct screen;

/*
 * answer: what a terminal would have answered to the program, such as where its cursor is. NULL: no
 * memory.
 */
struct screen *screen_new(
	int rows, int columns, void (*answer)(void *arg, const char *data, size_t len), void *arg);
void screen_free(struct screen *screen);

/* Sizes are cut to what is allowed. */
void screen_resize(struct screen *screen, int rows, int columns);

/* What the program writes. */
void screen_feed(struct screen *screen, const char *data, size_t len);

/* No sequence or character is begun: others can be put in between. */
bool screen_is_between(const struct screen *screen);

/* Ends a sequence that is begun, and lost. */
void screen_cancel(struct screen *screen);

/*
 * Whether the program has returned from its alternate screen since the last screen_draw(): a
 * terminal that was not there before has another first screen than this one.
 */
bool screen_has_returned(const struct screen *screen);

/* Only between sequences. history: with the lines before it, for a terminal that begins. */
void screen_draw(struct screen *screen, bool history, struct bytes *out);

/* For a terminal that leaves: the modes that it had before, and its cursor at its end. */
void screen_leave(struct screen *screen, struct bytes *out);
