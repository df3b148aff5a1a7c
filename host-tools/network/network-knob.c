/* SPDX-License-Identifier: MIT */

/*
 * Settings of the host's interfaces that containers need. One that is off is borrowed: turned on,
 * and noted in a file, a line for each container that needs it. The last of them to go turns it off
 * again, unless the host has become a router meanwhile.
 *
 * A line is written before its setting is touched, and stays until the setting is what it was; the
 * file is replaced as a whole. So after a crash at any moment there is never a setting without its
 * lines.
 */

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-nat.h"

#include <fcntl.h>
#include <string.h>

#define KNOB_FILE "/run/narthex/.borrowed"
#define KNOB_NEW KNOB_FILE ".new"
#define KNOB_LOCK "/run/narthex/.borrowed-lock"
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

/* Locks the file and reads it. The lock's descriptor or -errno. */
static int open_file(char **ret)
{
	_cleanup_close_ int lock = fd_open_locked(KNOB_LOCK);
	ssize_t n = lock < 0 ? lock : file_read_all(AT_FDCWD, KNOB_FILE, O_NOFOLLOW, FILE_MAX, ret);

	if (n == -ENOENT) {
		*ret = strdup("");
		n = *ret ? 0 : -ENOMEM;
	}
	return n < 0 ? (int)n : TAKE_FD(lock);
}

/* Replaces the locked file. 0 or -errno, with the old one still there. */
static int write_file(const char *text)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	(void)unlink(KNOB_NEW);
	fd = open(KNOB_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && rename(KNOB_NEW, KNOB_FILE) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(KNOB_NEW);
	return r;
}

int knob_is_to_be_borrowed(enum knob knob, const char *interface)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	_cleanup_close_ int fd = open_file(&text); /* first: nobody may turn it off meanwhile */
	char path[KNOB_PATH_SIZE];

	if (fd >= 0 && !knob_is_on(knob, interface))
		return access(knob_path(path, knob, interface, knobs[knob].file), F_OK) < 0 ? -errno
											    : 1;
	if (fd < 0 || !text || asprintf(&line, " %s %s\n", knobs[knob].name, interface) < 0)
		return log_errno(fd < 0 ? fd : -ENOMEM, "cannot read %s", KNOB_FILE);
	return strstr(text, line) != NULL;
}

/* A line for the container, unless it has one. 0 or -errno. */
static int note(const char *text, const char *mine)
{
	_cleanup_free_ char *new = NULL;
	size_t len = strlen(mine);

	for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
		if (strncmp(p, mine, len) == 0)
			return 0;
	return asprintf(&new, "%s%s", text, mine) < 0 ? -ENOMEM : write_file(new);
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
	r = note(text, mine);
	if (r < 0)
		return log_errno(r, "cannot write %s", KNOB_FILE);
	r = on ? 0 : set(knob, interface, true);
	if (r == 0 && !on)
		log_info("turned on net.%s.conf.%s.%s, for container '%s'", knobs[knob].family,
			interface, knobs[knob].file, name);
	return r < 0 ? r : 1;
}

/* Whether a line is of the container name. "KNOB INTERFACE" of it. */
static const char *setting_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncmp(line, name, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

/* Which setting "KNOB INTERFACE" is. */
static bool read_setting(const char *setting, enum knob *ret_knob, const char **ret_interface)
{
	const char *space = strchr(setting, ' ');

	for (size_t i = 0; space && i < ARRAY_SIZE(knobs); i++)
		if (strlen(knobs[i].name) == (size_t)(space - setting) &&
			strncmp(setting, knobs[i].name, (size_t)(space - setting)) == 0) {
			*ret_knob = (enum knob)i;
			*ret_interface = space + 1;
			return true;
		}
	return false;
}

/* Turns off what "KNOB INTERFACE" names. The interface may be gone. */
static void give_back(const char *setting)
{
	const char *interface;
	enum knob knob;
	int r;

	if (!read_setting(setting, &knob, &interface) || file_is_on(knob, "all", knobs[knob].all))
		return;
	r = set(knob, interface, false);
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		log_errno(
			r, "cannot turn off %s of interface %s again", knobs[knob].name, interface);
	else if (r == 0)
		log_info("turned off net.%s.conf.%s.%s again", knobs[knob].family, interface,
			knobs[knob].file);
}

int knob_return(const char *name,
	bool (*is_needed)(enum knob knob, const char *interface, const void *userdata),
	const void *userdata)
{
	_cleanup_free_ char *text = NULL, *left = NULL, *gone = NULL;
	_cleanup_close_ int fd = -EBADF;
	char *rest, *line, *left_end, *gone_end;
	int r;

	if (access(KNOB_FILE, F_OK) < 0)
		return 0;
	fd = open_file(&text);
	if (fd < 0 || !text)
		return log_errno(fd < 0 ? fd : -ENOMEM, "cannot read %s", KNOB_FILE);
	left = left_end = malloc(strlen(text) + 1);
	gone = gone_end = malloc(strlen(text) + 1);
	if (!left || !gone)
		return log_errno(-ENOMEM, "cannot read %s", KNOB_FILE);
	*left = *gone = '\0';
	for (rest = text; (line = strsep(&rest, "\n")) && rest;) {
		const char *setting = setting_of(line, name), *interface;
		enum knob knob;

		if (setting && !(is_needed && read_setting(setting, &knob, &interface) &&
				       is_needed(knob, interface, userdata)))
			gone_end += sprintf(gone_end, "%s\n", setting);
		else
			left_end += sprintf(left_end, "%s\n", line);
	}
	for (rest = gone; (line = strsep(&rest, "\n")) && rest;) {
		_cleanup_free_ char *others = NULL;

		if (asprintf(&others, " %s\n", line) < 0)
			return -ENOMEM;
		if (!strstr(left, others))
			give_back(line);
	}
	if (gone_end == gone)
		return 0;
	/* the lines of settings that others need stay; a crash up to here repeats the whole */
	r = write_file(left);
	return r < 0 ? log_errno(r, "cannot write %s", KNOB_FILE) : 0;
}
