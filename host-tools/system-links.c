/* SPDX-License-Identifier: MIT */

/*
 * The roots are links to links: when /run is gone, after a crash of the host, they hold nothing.
 * Their directory belongs to the host's root; a guest never sees it.
 */

#include "system-links.h"

#include "cleanup.h"
#include "launch/state.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORY "system"
#define ROOTS "/nix/var/nix/gcroots"
#define OUR_ROOTS "narthex"

static const char *const links[] = { SYSTEM_BOOTED, SYSTEM_CURRENT };

static int open_directory(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int make_directory(int at, const char *name)
{
	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return open_directory(at, name);
}

int system_link_set(int dir_fd, const char *link, const char *system)
{
	_cleanup_close_ int fd = make_directory(dir_fd, DIRECTORY);
	char temporary[32];

	if (fd < 0)
		return fd;
	(void)snprintf(temporary, sizeof(temporary), ".%s.new", link);
	(void)unlinkat(fd, temporary, 0);
	if (symlinkat(system, fd, temporary) < 0 || renameat(fd, temporary, fd, link) < 0)
		return -errno;
	return 0;
}

int system_link_get(const char *name, const char *link, char **ret)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/" DIRECTORY "/%s", name, link);
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (n == sizeof(target))
		return -ENAMETOOLONG;
	*ret = strndup(target, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

void system_links_remove(int dir_fd)
{
	_cleanup_close_ int fd = open_directory(dir_fd, DIRECTORY);

	if (fd < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		char temporary[32];

		(void)snprintf(temporary, sizeof(temporary), ".%s.new", links[i]);
		(void)unlinkat(fd, temporary, 0);
		(void)unlinkat(fd, links[i], 0);
	}
	(void)unlinkat(dir_fd, DIRECTORY, AT_REMOVEDIR);
}

int system_roots_add(const char *name)
{
	_cleanup_close_ int roots = open_directory(AT_FDCWD, ROOTS), ours = -EBADF, fd = -EBADF;

	if (roots < 0)
		return roots == -ENOENT ? 0 : roots;
	ours = make_directory(roots, OUR_ROOTS);
	fd = ours < 0 ? ours : make_directory(ours, name);
	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(links); i++) {
		char target[PATH_MAX];

		(void)snprintf(
			target, sizeof(target), RUN_DIR "/%s/" DIRECTORY "/%s", name, links[i]);
		if (symlinkat(target, fd, links[i]) < 0 && errno != EEXIST)
			return -errno;
	}
	return fd < 0 ? fd : 0;
}

void system_roots_remove(const char *name)
{
	_cleanup_close_ int ours = open_directory(AT_FDCWD, ROOTS "/" OUR_ROOTS);
	_cleanup_close_ int fd = ours < 0 ? -EBADF : open_directory(ours, name);

	if (fd < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		(void)unlinkat(fd, links[i], 0);
	(void)unlinkat(ours, name, AT_REMOVEDIR);
}
