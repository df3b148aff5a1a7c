/* SPDX-License-Identifier: MIT */

#include "hosts.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HOSTS "/etc/hosts"
#define HOSTS_NEW "/etc/.hosts.narthex"
#define HOSTS_LOCK "/run/narthex/.hosts-lock"
#define HOSTS_MAX (4 << 20)
#define BEGIN "# narthex: containers, written by their launchers\n"
#define END "# narthex: end\n"
#define SUFFIX ".containers"

/* --- the text --------------------------------------------------------------------------------- */

static size_t line_length(const char *line)
{
	size_t n = strcspn(line, "\n");

	return line[n] ? n + 1 : n;
}

static bool is_line(const char *line, const char *wanted)
{
	return strncmp(line, wanted, strlen(wanted)) == 0;
}

/* The "NAME" of "ADDRESS NAME.containers"; its length, or 0 for a line that isn't ours. */
static size_t name_in(const char *line, const char **ret)
{
	size_t address = strspn(line, "0123456789abcdef.:"), end = line_length(line);
	size_t suffix = strlen(SUFFIX) + 1, name;

	if (address == 0 || line[address] != ' ' || end < address + 1 + suffix ||
		strncmp(line + end - suffix, SUFFIX "\n", suffix) != 0)
		return 0;
	name = end - suffix - address - 1;
	if (memchr(line + address + 1, ' ', name))
		return 0;
	*ret = line + address + 1;
	return name;
}

static bool is_of(const char *line, const char *name)
{
	const char *at;
	size_t n = name_in(line, &at);

	return n > 0 && n == strlen(name) && memcmp(at, name, n) == 0;
}

/*
 * Takes the block off *p, where it begins, all but the lines of name. A block whose end is missing
 * ends where something begins that we have not written.
 */
static void copy_block(FILE *f, const char **p, const char *name, const char *lines)
{
	bool any = *lines;
	const char *in, *at;

	*p += line_length(*p);
	for (in = *p; name_in(in, &at) > 0; in += line_length(in))
		any = any || !is_of(in, name);
	if (any)
		(void)fputs(BEGIN, f);
	for (in = *p; name_in(in, &at) > 0; in += line_length(in))
		if (!is_of(in, name))
			(void)fwrite(in, 1, line_length(in), f);
	if (any)
		(void)fprintf(f, "%s" END, lines);
	*p = in + (is_line(in, END) ? line_length(in) : 0);
}

int hosts_edit(const char *text, const char *name, const char *lines, char **ret)
{
	char *out = NULL;
	bool found = false;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return -ENOMEM;
	for (const char *p = text; *p;) {
		size_t n = line_length(p);

		if (!found && is_line(p, BEGIN)) {
			found = true;
			copy_block(f, &p, name, lines);
			continue;
		}
		(void)fwrite(p, 1, n, f);
		if (p[n] == '\0' && p[n - 1] != '\n' && !found && *lines)
			(void)fputc('\n', f);
		p += n;
	}
	if (!found && *lines)
		(void)fprintf(f, BEGIN "%s" END, lines);
	if (fclose(f) != 0) {
		free(out);
		return -ENOMEM;
	}
	*ret = out;
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int write_new(const char *text, const struct stat *st)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	(void)unlink(HOSTS_NEW);
	fd = open(HOSTS_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && (fchown(fd, st->st_uid, st->st_gid) < 0 ||
			      fchmod(fd, st->st_mode & 0777) < 0 || rename(HOSTS_NEW, HOSTS) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(HOSTS_NEW);
	return r;
}

/* A file that something is mounted on can't be replaced. */
static int write_in_place(const char *text)
{
	_cleanup_close_ int fd = open(HOSTS, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	return r < 0 ? r : ftruncate(fd, (off_t)strlen(text)) < 0 ? -errno : 0;
}

static int change(const char *name, const char *lines)
{
	_cleanup_free_ char *text = NULL, *new = NULL;
	struct stat st = { .st_mode = S_IFREG | 0644 };
	_cleanup_close_ int held = fd_open_locked(HOSTS_LOCK);
	ssize_t n;
	int r;

	if (held < 0)
		return held;
	if (lstat(HOSTS, &st) == 0 && !S_ISREG(st.st_mode))
		return 0;
	n = file_read_all(AT_FDCWD, HOSTS, O_NOFOLLOW, HOSTS_MAX, &text);
	if (n < 0 && n != -ENOENT)
		return (int)n;
	/* nothing that goes on behind a NUL would survive */
	if (n >= 0 && strlen(text) != (size_t)n)
		return -EILSEQ;
	r = hosts_edit(text ? text : "", name, lines, &new);
	if (r < 0 || strcmp(new, text ? text : "") == 0)
		return r;
	r = write_new(new, &st);
	return r == -EBUSY ? write_in_place(new) : r;
}

static void add_line(char *lines, size_t size, const char *name, const struct config_address *to)
{
	char address[INET6_ADDRSTRLEN];
	size_t n = strlen(lines);

	if (to->family && inet_ntop(to->family, &to->v6, address, sizeof(address)))
		(void)snprintf(lines + n, size - n, "%s %s" SUFFIX "\n", address, name);
}

void hosts_set(const struct container_config *config)
{
	char lines[2 * (INET6_ADDRSTRLEN + NAME_MAX + sizeof(SUFFIX) + 2)] = "";
	int r;

	add_line(lines, sizeof(lines), config->name, &config->local_address);
	add_line(lines, sizeof(lines), config->name, &config->local_address6);
	if (!*lines) {
		(void)hosts_remove(config->name);
		return;
	}
	r = change(config->name, lines);
	if (r < 0)
		log_warning("cannot write " HOSTS ", so the host doesn't know %s" SUFFIX ": %s",
			config->name, strerror(-r));
}

/* Wherever they stand: on NixOS its module has written them. */
static void write_containers(FILE *f, const char *text)
{
	const char *at;

	for (const char *p = text; *p; p += line_length(p))
		if (name_in(p, &at) > 0)
			(void)fwrite(p, 1, line_length(p), f);
}

int hosts_refresh(const struct container_config *config, int dir_fd)
{
	_cleanup_free_ char *hosts = NULL, *text = NULL;
	size_t size;
	FILE *f;
	int r;

	if (!config->hosts)
		return 0;
	f = open_memstream(&text, &size);
	if (!f)
		return log_errno(-ENOMEM, "cannot write the container's hosts file (Hosts=)");
	(void)fprintf(f, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 %s\n",
		config->hostname ? config->hostname : config->name);
	if (file_read_all(AT_FDCWD, HOSTS, 0, HOSTS_MAX, &hosts) > 0)
		write_containers(f, hosts);
	r = fclose(f) != 0 ? -ENOMEM : file_refresh(dir_fd, HOSTS_FILE, text);
	return r < 0 ? log_errno(r, "cannot write the container's hosts file (Hosts=)") : 0;
}

int hosts_remove(const char *name)
{
	_cleanup_free_ char *text = NULL, *wanted = NULL;
	int r;

	if (asprintf(&wanted, " %s" SUFFIX "\n", name) < 0) {
		wanted = NULL;
		return -ENOMEM;
	}
	r = (int)file_read_all(AT_FDCWD, HOSTS, O_NOFOLLOW, HOSTS_MAX, &text);
	/* one that isn't there, is a link, or is too long has nothing of ours */
	if (r == -ENOENT || r == -ELOOP || r == -EFBIG || (r >= 0 && !strstr(text, wanted)))
		return 0;
	if (r >= 0)
		r = change(name, "");
	if (r < 0)
		log_warning("cannot remove %s" SUFFIX " from " HOSTS ": %s", name, strerror(-r));
	return r;
}
