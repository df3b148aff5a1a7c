/* SPDX-License-Identifier: MIT */
#include "session-table.h"

#include "cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * A write to a tmpfs costs a microsecond or two: no session is slower for it. The lowest free place
 * is taken, so the file stays as short as most sessions at a time need.
 */

static uint64_t clock_usec(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int session_table_open(struct session_table *table, const char *dir)
{
	_cleanup_close_ int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*table = SESSION_TABLE_NULL;
	if (dirfd < 0)
		return -errno;
	/* a predecessor that was killed could not empty it */
	table->fd = openat(dirfd, SESSION_RECORD_FILE,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return table->fd < 0 ? -errno : 0;
}

void session_table_close(struct session_table *table)
{
	if (table->fd >= 0 && ftruncate(table->fd, 0) < 0) {
		/* then the host shows sessions that have ended, until the next agent starts */
	}
	close_fdp(&table->fd);
}

static bool put(const struct session_table *table, int place, const char text[SESSION_RECORD_SIZE])
{
	return pwrite(table->fd, text, SESSION_RECORD_SIZE, (off_t)place * SESSION_RECORD_SIZE) ==
	       SESSION_RECORD_SIZE;
}

static int find_place(const struct session_table *table)
{
	for (int i = 0; i < SESSION_RECORDS_MAX; i++)
		if (!(table->used[i / 8] & (1 << i % 8)))
			return i;
	return -ENOSPC;
}

int session_table_add(
	struct session_table *table, const char *door, const char *user, uint64_t started)
{
	struct session_record record = {
		.since_usec = clock_usec(CLOCK_REALTIME) - (clock_usec(CLOCK_MONOTONIC) - started),
	};
	char text[SESSION_RECORD_SIZE];
	int place = table->fd < 0 ? -EBADF : find_place(table);

	if (place < 0)
		return place;
	(void)snprintf(record.door, sizeof(record.door), "%s", door);
	if (strlen(user) < sizeof(record.user))
		(void)snprintf(record.user, sizeof(record.user), "%s", user);
	session_record_write(text, &record);
	if (!put(table, place, text))
		return -EIO;
	table->used[place / 8] |= (uint8_t)(1 << place % 8);
	return place;
}

void session_table_remove(struct session_table *table, int *place)
{
	char text[SESSION_RECORD_SIZE];

	if (*place < 0)
		return;
	session_record_clear(text);
	(void)put(table, *place, text);
	table->used[*place / 8] &= (uint8_t) ~(1 << *place % 8);
	*place = -EBADF;
}
