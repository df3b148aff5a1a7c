/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *log_program = "narthex";
static bool log_to_journal;
static bool log_to_kmsg;
static bool log_verbose;
static bool log_never_waits;
static FILE *log_copy;

void log_init(const char *program)
{
	log_program = program;
	log_to_journal = getenv("JOURNAL_STREAM") != NULL;
	log_verbose = getenv("NARTHEX_DEBUG") != NULL;
}

void log_use_kmsg(void)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return;
	/* containers have something else under that name: mem's minor 11 it must be */
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 11) &&
		dup2(fd, STDERR_FILENO) >= 0)
		log_to_kmsg = true;
	(void)close(fd);
}

void log_dont_wait(void)
{
	log_never_waits = true;
}

void log_copy_to(FILE *f)
{
	log_copy = f;
}

/* One write a line: lines of several processes on one stderr don't mix. */
static void put_line(const char *line, size_t len)
{
	if (log_never_waits && (send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
				       errno != ENOTSOCK))
		return;
	if (write(STDERR_FILENO, line, len) < 0) {
		/* nowhere to say it */
	}
}

static void __attribute__((format(printf, 3, 0)))
log_line(int priority, int error, const char *format, va_list ap)
{
	int saved = errno;
	char text[2048], line[4 * sizeof(text)];
	size_t len;
	int n = 0, start;

	if (priority == LOG_DEBUG && !log_verbose)
		return;
	if (log_to_kmsg)
		n = snprintf(text, sizeof(text), "<%d>%s: ", priority, log_program);
	else if (log_to_journal)
		n = snprintf(text, sizeof(text), "<%d>", priority);
	else
		n = snprintf(text, sizeof(text), "%s: ", log_program);
	start = n;
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, format, ap);
	if (n < (int)sizeof(text) && error != 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerror(error));
	if (n > (int)sizeof(text) - 1)
		n = (int)sizeof(text) - 1;
	/* whatever is in it, a terminal obeys none of it, and it is one line */
	len = escape_controls(line, sizeof(line) - 1, text, (size_t)n);
	line[len++] = '\n';
	put_line(line, len);
	if (log_copy && priority <= LOG_WARNING)
		(void)fprintf(log_copy, "%s: %.*s", priority == LOG_WARNING ? "warning" : "error",
			(int)len - start, line + start);
	errno = saved;
}

void log_message(int priority, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(priority, 0, format, ap);
	va_end(ap);
}

int log_errno(int r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_line(LOG_ERR, r < 0 ? -r : r, format, ap);
	va_end(ap);
	return r;
}

void log_relay(const char *line)
{
	if (line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>')
		log_message(line[1] - '0', "%s", line + 3);
	else if (line[0])
		log_message(LOG_ERR, "%s", line);
}
