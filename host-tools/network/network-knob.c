/* SPDX-License-Identifier: MIT */

/*
 * Settings of the host's interfaces that containers need. One that is off is borrowed: turned on,
 * and noted in a file, a line for each container that needs it. The last of them to go turns it off
 * again, unless the host has become a router meanwhile. The file is also its lock.
 *
 * A line is written before its setting is touched, so after a crash at any moment there is never a
 * setting without its line.
 */

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-nat.h"

#include <fcntl.h>
#include <string.h>

#define KNOB_FILE "/run/narthex/.borrowed"
#define FILE_MAX (1 << 20)

/*
 * /proc/sys/net/FAMILY/conf/INTERFACE/FILE. instead: a file of "all" that stands for every
 * interface's when it is on; all: one that has set every interface's when it is on.
 */
static const struct {
	const char *name, *family, *file, *instead, *all;
} knobs[] = {
	[KNOB_FORWARD4] = { "forward4", "ipv4", "forwarding", NULL, "forwarding" },
	[KNOB_FORWARD6] = { "forward6", "ipv6", "force_forwarding", "forwarding", NULL },
};

#define KNOB_PATH_SIZE 96

static const char *knob_path(
	char path[KNOB_PATH_SIZE], enum knob knob, const char *interface, const char *file)
{
	(void)snprintf(path, KNOB_PATH_SIZE, "/proc/sys/net/%s/conf/%s/%s", knobs[knob].family,
		interface, file);
	return path;
}

static bool file_is_on(enum knob knob, const char *interface, const char *file)
{
	_cleanup_free_ char *value = NULL;
	char path[KNOB_PATH_SIZE];

	if (!file)
		return false;
	return file_read_all(AT_FDCWD, knob_path(path, knob, interface, file), 0, 64, &value) > 0 &&
	       strcmp(value, "0\n") != 0;
}

bool knob_is_on(enum knob knob, const char *interface)
{
	return file_is_on(knob, interface, knobs[knob].file) ||
	       file_is_on(knob, "all", knobs[knob].instead);
}

static int set(enum knob knob, const char *interface, bool on)
{
	char path[KNOB_PATH_SIZE];

	return file_write_string(
		AT_FDCWD, knob_path(path, knob, interface, knobs[knob].file), on ? "1" : "0");
}

int knob_turn_on(enum knob knob, const char *interface)
{
	return knob_is_on(knob, interface) ? 0 : set(knob, interface, true);
}

/* Opens and locks the file, and reads it. A descriptor or -errno. */
static int open_file(char **ret)
{
	_cleanup_close_ int fd = fd_open_locked(KNOB_FILE);
	ssize_t n = fd < 0 ? fd : fd_read_all(fd, FILE_MAX, ret);

	return n < 0 ? (int)n : TAKE_FD(fd);
}

int knob_is_to_be_borrowed(enum knob knob, const char *interface)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	_cleanup_close_ int fd = -EBADF;
	char path[KNOB_PATH_SIZE];

	if (!knob_is_on(knob, interface))
		return access(knob_path(path, knob, interface, knobs[knob].file), F_OK) < 0 ? -errno
											    : 1;
	fd = open_file(&text);
	if (fd < 0 || !text || asprintf(&line, " %s %s\n", knobs[knob].name, interface) < 0)
		return log_errno(fd < 0 ? fd : -ENOMEM, "cannot read %s", KNOB_FILE);
	return strstr(text, line) != NULL;
}

/* A line for the container, unless it has one. 0 or -errno. */
static int note(int fd, const char *text, const char *mine)
{
	size_t len = strlen(mine);

	for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
		if (strncmp(p, mine, len) == 0)
			return 0;
	return fd_write_all(fd, mine, len); /* all of it has been read: this is its end */
}

int knob_borrow(enum knob knob, const char *interface, const char *name)
{
	_cleanup_free_ char *text = NULL, *mine = NULL;
	_cleanup_close_ int fd = open_file(&text);
	bool on = knob_is_on(knob, interface);
	int r;

	if (fd < 0 || !text)
		return log_errno(fd < 0 ? fd : -ENOMEM, "cannot read %s", KNOB_FILE);
	if (asprintf(&mine, "%s %s %s\n", name, knobs[knob].name, interface) < 0)
		return -ENOMEM;
	if (on && !strstr(text, mine + strlen(name)))
		return 0;
	r = note(fd, text, mine);
	if (r < 0)
		return log_errno(r, "cannot write %s", KNOB_FILE);
	r = on ? 0 : set(knob, interface, true);
	if (r == 0 && !on)
		log_info("turned on net.%s.conf.%s.%s, for container '%s'", knobs[knob].family,
			interface, knobs[knob].file, name);
	return r < 0 ? r : 1;
}

/* Turns off what a line, "KNOB INTERFACE", names. The interface may be gone. */
static void give_back(const char *line)
{
	const char *interface = strchr(line, ' ') + 1;
	enum knob knob = 0;
	int r;

	while (knob < ARRAY_SIZE(knobs) &&
		strncmp(line, knobs[knob].name, (size_t)(interface - 1 - line)) != 0)
		knob++;
	if (knob == ARRAY_SIZE(knobs) || file_is_on(knob, "all", knobs[knob].all))
		return;
	r = set(knob, interface, false);
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		log_errno(
			r, "cannot turn off %s of interface %s again", knobs[knob].name, interface);
	else if (r == 0)
		log_info("turned off net.%s.conf.%s.%s again", knobs[knob].family, interface,
			knobs[knob].file);
}

int knob_return_all(const char *name)
{
	_cleanup_free_ char *text = NULL, *left = NULL;
	_cleanup_close_ int fd = -EBADF;
	size_t len = strlen(name), used = 0;
	int r;

	if (access(KNOB_FILE, F_OK) < 0)
		return 0;
	fd = open_file(&text);
	left = fd >= 0 && text ? calloc(1, strlen(text) + 1) : NULL;
	if (!left)
		return log_errno(fd < 0 ? fd : -ENOMEM, "cannot read %s", KNOB_FILE);
	for (const char *p = text; *p; p += strcspn(p, "\n") + 1) {
		size_t n = strcspn(p, "\n") + 1;

		if (strncmp(p, name, len) == 0 && p[len] == ' ')
			continue;
		memcpy(left + used, p, n);
		used += n;
	}
	for (char *p = text, *end; *p; p = end + 1) {
		end = p + strcspn(p, "\n");
		*end = '\0';
		if (strncmp(p, name, len) == 0 && p[len] == ' ') {
			_cleanup_free_ char *others = NULL;

			if (asprintf(&others, "%s\n", p + len) < 0)
				return -ENOMEM;
			if (!strstr(left, others))
				give_back(p + len + 1);
		}
	}
	/* the lines of settings that others need stay; a crash up to here repeats the whole */
	r = ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd_write_all(fd, left, used)
								 : -errno;
	return r < 0 ? log_errno(r, "cannot write %s", KNOB_FILE) : 0;
}
