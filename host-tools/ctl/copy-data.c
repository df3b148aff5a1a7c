/* SPDX-License-Identifier: MIT */
#include "copy-data.h"

#include "cleanup.h"
#include "fd.h"

/* Often enough for a look at signals, and for the progress bar. */
#define CHUNK (8L * 1024 * 1024)
#define BUFFER (256UL * 1024)

/* For file systems that copy_file_range(2) can't combine. *ret: as much as it is, 0 at the end. */
static int copy_by_hand(int in, int out, off_t at, size_t n, size_t *ret)
{
	_cleanup_free_ char *buffer = malloc(BUFFER);
	ssize_t got, put;

	if (!buffer)
		return -ENOMEM;
	got = pread(in, buffer, n < BUFFER ? n : BUFFER, at);
	if (got < 0)
		return -errno;
	for (ssize_t done = 0; done < got; done += put) {
		put = pwrite(out, buffer + done, (size_t)(got - done), at + done);
		if (put < 0)
			return -errno;
	}
	*ret = (size_t)got;
	return 0;
}

static int copy_some(int in, int out, off_t at, size_t n, size_t *ret)
{
	off_t from = at, to = at;
	ssize_t copied = copy_file_range(in, &from, out, &to, n, 0);

	/* 0 is the end, or a file system that doesn't know (as in /proc) */
	if (copied > 0) {
		*ret = (size_t)copied;
		return 0;
	}
	if (copied < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
		errno != ENOSYS && errno != EPERM && errno != EBADF)
		return -errno;
	return copy_by_hand(in, out, at, n, ret);
}

/* Copies what lies between two holes. Moves *at. */
static int copy_range(int in, int out, off_t *at, off_t end, struct tree_copy *copy)
{
	while (*at < end) {
		size_t n = 0;
		int r = copy_some(
			in, out, *at, (size_t)(end - *at < CHUNK ? end - *at : CHUNK), &n);

		if (r < 0 && r != -EINTR)
			return r;
		copy->bytes += n;
		*at += (off_t)n;
		if (copy->progress(copy->userdata, copy->bytes) != 0)
			return -ECANCELED;
		if (r == 0 && n == 0)
			return -ENODATA;
	}
	return 0;
}

int copy_data(int in, int out, off_t size, struct tree_copy *copy)
{
	off_t at = 0;
	int r = 0;

	while (r == 0 && at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO) /* a hole up to the end */
			break;
		if (data < 0)
			data = at; /* no such thing in this file system */
		hole = lseek(in, data, SEEK_HOLE);
		if (hole <= data || hole > size)
			hole = size;
		at = data;
		r = at < size ? copy_range(in, out, &at, hole, copy) : 0;
	}
	if (r == -ENODATA)
		size = at, r = 0; /* it has become shorter */
	if (r == 0 && ftruncate(out, size) < 0)
		r = -errno;
	return r;
}
