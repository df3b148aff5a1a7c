/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Marks the user who is logged in on a terminal ("pts/3") as gone, in utmp(5) and wtmp. login
 * writes the record at the start, but nobody does at the end: that was the getty's parent's duty.
 * file: NULL for the guest's own (and its wtmp). Never blocks. 0, also when there is no such record
 * or no file; or -errno.
 */
int utmp_logout(const char *file, const char *line);
