/* SPDX-License-Identifier: MIT */
#include "utmp.h"

#include "cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/time.h>
#include <utmpx.h>

/*
 * pututxline(3) would wait up to ten seconds for a lock that any user of the guest can hold, and
 * all sessions with it. A record in its place can be overwritten without one: what the lock
 * protects is who appends.
 */

#define UTMP_FILE "/run/utmp"
#define WTMP_FILE "/var/log/wtmp"
#define RECORDS_MAX 65536

static void mark_dead(struct utmpx *record)
{
	struct timeval now;

	(void)gettimeofday(&now, NULL);
	record->ut_type = DEAD_PROCESS;
	memset(record->ut_user, 0, sizeof(record->ut_user));
	memset(record->ut_host, 0, sizeof(record->ut_host));
	/* 32 bits in the file on every 64-bit machine but the newest */
	record->ut_tv.tv_sec = (__typeof__(record->ut_tv.tv_sec))now.tv_sec;
	record->ut_tv.tv_usec = (__typeof__(record->ut_tv.tv_usec))now.tv_usec;
}

static void append_wtmp(const struct utmpx *record)
{
	_cleanup_close_ int fd =
		open(WTMP_FILE, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && write(fd, record, sizeof(*record)) < 0) {
		/* a full disk is no reason to keep the session */
	}
}

int utmp_logout(const char *file, const char *line)
{
	_cleanup_close_ int fd = open(file ? file : UTMP_FILE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct utmpx record;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (off_t i = 0; i < RECORDS_MAX; i++) {
		off_t offset = i * (off_t)sizeof(record);
		ssize_t n = pread(fd, &record, sizeof(record), offset);

		if (n < 0)
			return -errno;
		if (n < (ssize_t)sizeof(record))
			return 0;
		if (record.ut_type < INIT_PROCESS || record.ut_type > USER_PROCESS ||
			strncmp(record.ut_line, line, sizeof(record.ut_line)) != 0)
			continue;
		mark_dead(&record);
		if (pwrite(fd, &record, sizeof(record), offset) < 0)
			return -errno;
		if (!file)
			append_wtmp(&record);
	}
	return 0;
}
