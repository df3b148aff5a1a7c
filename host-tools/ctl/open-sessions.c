/* SPDX-License-Identifier: MIT */
#include "open-sessions.h"

#include "../launch/state.h"
#include "../name.h"
#include "cleanup.h"
#include "syscalls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/*
 * The list lies in a directory that the guest's root can write to. So it is opened without
 * following anything, looked at before it is opened for reading (a FIFO or a device would have
 * effects), and without waiting for a lease that somebody in the guest may hold. The directory is
 * a tmpfs of the launcher's: reading from it waits for nobody. What lies beyond the longest list
 * is not read.
 */

/* Returns a descriptor or -errno; -EBADMSG: no file. */
static int open_list(int dirfd)
{
	_cleanup_close_ int path =
		sys_openat2(dirfd, SESSION_RECORD_FILE, O_PATH, 0, RESOLVE_GUEST);
	char link[40];
	struct stat st;
	int fd;

	if (path < 0)
		return path == -ELOOP || path == -EXDEV ? -EBADMSG : path;
	if (fstat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int compare(const void *a, const void *b)
{
	const struct session_record *x = a, *y = b;

	return (x->since_usec > y->since_usec) - (x->since_usec < y->since_usec);
}

int open_sessions_read_at(int dirfd, struct session_record **ret, size_t *ret_n)
{
	_cleanup_close_ int fd = open_list(dirfd);
	_cleanup_free_ struct session_record *list = NULL;
	_cleanup_free_ char *text = NULL;
	ssize_t size;
	size_t n = 0;

	*ret = NULL;
	*ret_n = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	text = malloc((size_t)SESSION_RECORDS_MAX * SESSION_RECORD_SIZE);
	list = calloc(SESSION_RECORDS_MAX, sizeof(*list));
	if (!text || !list)
		return -ENOMEM;
	size = read(fd, text, (size_t)SESSION_RECORDS_MAX * SESSION_RECORD_SIZE);
	if (size < 0)
		return -errno;
	for (ssize_t at = 0; at + SESSION_RECORD_SIZE <= size; at += SESSION_RECORD_SIZE)
		if (session_record_parse(text + at, &list[n]) > 0)
			n++;
	qsort(list, n, sizeof(*list), compare);
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

int open_sessions_read(const char *name, struct session_record **ret, size_t *ret_n)
{
	char path[sizeof(RUN_DIR) + NAME_MAX_LEN + sizeof("/doors")];
	_cleanup_close_ int dirfd = -EBADF;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/doors", name);
	dirfd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dirfd < 0 ? -errno : open_sessions_read_at(dirfd, ret, ret_n);
}
