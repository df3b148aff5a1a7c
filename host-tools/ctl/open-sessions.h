/* SPDX-License-Identifier: MIT */
#pragma once

/* Who is in a container, as its agent says (common/session-record.h). */

#include "session-record.h"

#include <stddef.h>

/*
 * Reads the list of a running container of ours, sorted by age, the oldest first; caller frees
 * *ret. What the guest has put there in place of a list is never followed, waited for or believed
 * to be well-formed. Root only. 0, also when nobody has come in yet; -EBADMSG: it is something
 * else than a list; or -errno.
 */
int open_sessions_read(const char *name, struct session_record **ret, size_t *ret_n);

/* The same in the directory of the doors. dirfd: borrowed. */
int open_sessions_read_at(int dirfd, struct session_record **ret, size_t *ret_n);
