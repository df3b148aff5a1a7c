/* SPDX-License-Identifier: MIT */
#include "hand-over.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* a console's buffer, a configuration's lines: far less */
#define SIZE_MAX_READ (16 * 1024 * 1024)
#define FIRST_FIELD "narthex-launch"

static void fail(struct hand_over *h, const char *name, int error)
{
	if (h->error == 0) {
		h->error = error;
		h->field = name;
	}
}

/* --- fields ----------------------------------------------------------------------------------- */

/* The next field's value, which must be called name; NULL: there is none of that name. *ret_size:
 * of the rest of the text. */
static const char *next_value(struct hand_over *h, const char *name, size_t *ret_size)
{
	size_t n = strlen(name);

	if (h->error < 0)
		return NULL;
	if (h->size - h->at <= n || memcmp(h->text + h->at, name, n) != 0 ||
		h->text[h->at + n] != '=') {
		fail(h, name, -EBADMSG);
		return NULL;
	}
	h->at += n + 1;
	*ret_size = h->size - h->at;
	return h->text + h->at;
}

/* Goes behind len bytes and their NUL. */
static bool skip(struct hand_over *h, const char *name, size_t len)
{
	if (len < h->size - h->at && h->text[h->at + len] == '\0') {
		h->at += len + 1;
		return true;
	}
	fail(h, name, -EBADMSG);
	return false;
}

static int64_t read_number(struct hand_over *h, const char *name)
{
	size_t size;
	const char *value = next_value(h, name, &size);
	char *end;
	int64_t number;

	if (!value)
		return 0;
	errno = 0;
	number = strtoll(value, &end, 10); /* the text has a NUL behind its end */
	if (errno != 0 || end == value)
		fail(h, name, -EBADMSG);
	return skip(h, name, (size_t)(end - value)) ? number : 0;
}

uint64_t hand_over_number(struct hand_over *h, const char *name, uint64_t value)
{
	if (h->reading)
		return (uint64_t)read_number(h, name);
	if (h->error == 0 && fprintf(h->file, "%s=%" PRId64 "%c", name, (int64_t)value, 0) < 0)
		fail(h, name, -errno);
	return value;
}

static void remember_fd(struct hand_over *h, const char *name, int fd)
{
	int *bigger = reallocarray(h->fds, h->n_fds + 1, sizeof(*bigger));

	if (!bigger) {
		fail(h, name, -ENOMEM);
		return;
	}
	h->fds = bigger;
	h->fds[h->n_fds++] = fd;
}

int hand_over_fd(struct hand_over *h, const char *name, int fd)
{
	fd = (int)hand_over_number(h, name, (uint64_t)(fd < 0 ? -1 : fd));
	if (h->error < 0)
		return h->reading ? -EBADF : fd;
	if (fd < 0)
		return -EBADF;
	if (h->reading && (fd <= STDERR_FILENO || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)) {
		fail(h, name, -EBADF);
		return -EBADF;
	}
	if (!h->reading)
		remember_fd(h, name, fd);
	return fd;
}

size_t hand_over_count(struct hand_over *h, const char *name, size_t n, size_t max)
{
	n = hand_over_number(h, name, n);
	if (n <= max)
		return n;
	fail(h, name, -E2BIG);
	return 0;
}

/* NAME.size=N, then NAME=BYTES */
size_t hand_over_bytes(struct hand_over *h, const char *name, char *data, size_t len, size_t max)
{
	const char *value;
	size_t size;

	len = hand_over_count(h, "size", len, max);
	if (!h->reading) {
		if (h->error == 0 && (fprintf(h->file, "%s=", name) < 0 ||
					     fwrite(data, 1, len, h->file) != len ||
					     fputc('\0', h->file) == EOF))
			fail(h, name, -EIO);
		return len;
	}
	value = next_value(h, name, &size);
	if (!value || !skip(h, name, len))
		return 0;
	memcpy(data, value, len);
	return len;
}

char *hand_over_text(struct hand_over *h, const char *name, char *text)
{
	bool there = hand_over_number(h, "there", text != NULL) != 0;
	const char *value;
	size_t size;

	if (!h->reading) {
		if (text && h->error == 0 && fprintf(h->file, "%s=%s%c", name, text, 0) < 0)
			fail(h, name, -EIO);
		return text;
	}
	value = there ? next_value(h, name, &size) : NULL;
	if (!value || !skip(h, name, strnlen(value, size)))
		return NULL;
	text = strdup(value);
	if (!text)
		fail(h, name, -ENOMEM);
	return text;
}

/* --- the whole -------------------------------------------------------------------------------- */

int hand_over_write(struct hand_over *h)
{
	int copy;

	*h = HAND_OVER_NULL;
	h->fd = memfd_create("hand-over", MFD_CLOEXEC);
	copy = h->fd < 0 ? -1 : fcntl(h->fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	h->file = fdopen(copy, "w");
	if (!h->file) {
		(void)close(copy);
		return -ENOMEM;
	}
	(void)hand_over_number(h, FIRST_FIELD, HAND_OVER_VERSION);
	remember_fd(h, "memfd", h->fd);
	return h->error;
}

int hand_over_read(struct hand_over *h, int fd)
{
	uint64_t version;
	ssize_t n;

	*h = HAND_OVER_NULL;
	h->reading = true;
	h->fd = fd;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return log_errno(-errno, "cannot read what the last launcher has left");
	n = fd_read_all(fd, SIZE_MAX_READ, &h->text);
	if (n < 0)
		return log_errno((int)n, "cannot read what the last launcher has left");
	h->size = (size_t)n;
	version = hand_over_number(h, FIRST_FIELD, 0);
	if (h->error == 0 && version != HAND_OVER_VERSION) {
		log_error("the running launcher hands over in version %" PRIu64
			  ", this one takes version %d: restart the container",
			version, HAND_OVER_VERSION);
		return -EPROTONOSUPPORT;
	}
	return h->error < 0 ? log_errno(h->error, "cannot read what the last launcher has left")
			    : 0;
}

int hand_over_end(struct hand_over *h)
{
	if (h->reading && h->error == 0 && h->at != h->size)
		fail(h, "the end", -EBADMSG);
	if (h->file && fclose(TAKE_PTR(h->file)) != 0)
		fail(h, "the end", -errno);
	return h->error;
}

int hand_over_keep(const struct hand_over *h, bool keep)
{
	for (size_t i = 0; i < h->n_fds; i++)
		if (fcntl(h->fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

void hand_over_done(struct hand_over *h)
{
	if (h->file)
		(void)fclose(h->file);
	close_fdp(&h->fd);
	free(h->text);
	free(h->fds);
	*h = HAND_OVER_NULL;
}
