/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes text that a guest could have made to out so that a terminal shows it and obeys none of
 * it: control bytes (C0, DEL, C1 in UTF-8 and bare) and bytes that are not UTF-8 become \xNN, a
 * backslash becomes \\. A tab stays. The result is NUL-terminated and cut, at a whole
 * escape, to fit size bytes. Returns its length. size is at least 1.
 */
size_t escape_text(char *out, size_t size, const char *text, size_t len);

/*
 * The same, but backslashes stay: for a message of ours, in which a guest's text is escaped already
 * and other people's (the caller's arguments, paths) may not be.
 */
size_t escape_controls(char *out, size_t size, const char *text, size_t len);

/*
 * Whether text is UTF-8 without control characters (a tab is none), so that escape_text() would
 * change no more than its backslashes.
 */
bool text_is_plain(const char *text, size_t len);
