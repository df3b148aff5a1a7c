/* SPDX-License-Identifier: MIT */

/*
 * In a directory that a guest can write to, a name is what the guest makes of it: a link there
 * would lead the host wherever the guest wants. So a path is opened in two steps: up to the first
 * such directory it is the host's own, and followed wherever it leads; the rest is opened below
 * that directory, without any link.
 *
 * Directories are compared by what they are, not by their names, and the host's own links on the
 * way are looked at one by one: none of them leads past this. Another mount of a part of such a
 * directory does; it is the host's own doing.
 */

#include "outside.h"

#include "cleanup.h"
#include "log.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* the kernel's MAXSYMLINKS */

/* In these each name is a container's. */
static const char *const guests_dirs[] = {
	CONTAINERS_DIR,
	"/nix/var/nix/profiles/per-container",
	"/nix/var/nix/gcroots/per-container",
};

static bool is_same(const struct stat *st, const char *path)
{
	struct stat other;

	return stat(path, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

static bool is_written_to(const struct container_config *config, const struct stat *st)
{
	if (is_same(st, config->root))
		return true;
	for (size_t i = 0; i < config->n_binds; i++) {
		const struct config_bind *bind = &config->binds[i];

		if (!bind->inside && !bind->temporary && !bind->read_only &&
			is_same(st, bind->source))
			return true;
	}
	for (size_t i = 0; i < config->n_overlays; i++) {
		const char *upper = config_overlay_upper(&config->overlays[i]);

		if (upper && is_same(st, upper))
			return true;
	}
	return false;
}

/* Whether a guest says what the names in a directory are. name: the last component of path. */
static bool is_guests(const struct container_config *config, const struct container_config *wanted,
	const char *path, const char *name)
{
	char parent[PATH_MAX];
	struct stat st;

	/* "/" belongs to nobody in particular: who can write there needs no link */
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || is_same(&st, "/"))
		return false;
	if (is_written_to(config, &st) || (wanted && is_written_to(wanted, &st)))
		return true;
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(name - path), path);
	if (stat(parent, &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(guests_dirs); i++)
		if (is_same(&st, guests_dirs[i]))
			return true;
	return false;
}

/* Puts what a link says in its place, which is from start to end. */
static int expand(char path[PATH_MAX], size_t start, size_t end, const char *link)
{
	char expanded[PATH_MAX];

	if (snprintf(expanded, sizeof(expanded), "%.*s%s%s", *link == '/' ? 0 : (int)start, path,
		    link, path + end) >= (int)sizeof(expanded))
		return -ENAMETOOLONG;
	memcpy(path, expanded, sizeof(expanded));
	return 0;
}

/*
 * Where in path the first directory ends that is a guest's and not all of the path; 0: there is
 * none. Links before it are expanded in path.
 */
static int find_guests(const struct container_config *config, const struct container_config *wanted,
	char path[PATH_MAX], size_t *ret)
{
	size_t end = 0;
	int links = 0;

	*ret = 0;
	while (path[end]) {
		size_t start = end + strspn(path + end, "/");
		char link[PATH_MAX], after;
		bool found;
		ssize_t n;

		end = start + strcspn(path + start, "/");
		after = path[end];
		path[end] = '\0';
		found = after && is_guests(config, wanted, path, path + start);
		n = found ? -1 : readlink(path, link, sizeof(link) - 1);
		path[end] = after;
		if (found) {
			*ret = end;
			return 0;
		}
		if (n < 0)
			continue; /* no link; what is wrong otherwise is for who opens it */
		link[n] = '\0';
		if (++links > LINKS_MAX)
			return -ELOOP;
		if (expand(path, start, end, link) < 0)
			return -ENAMETOOLONG;
		end = 0;
	}
	return 0;
}

/* Says which part of below is the link. */
static void log_link(int dir, const char *path, char *below)
{
	size_t len = 0;

	for (int fd = 0; fd != -ELOOP && below[len];) {
		char after;

		len += strspn(below + len, "/");
		len += strcspn(below + len, "/");
		after = below[len];
		below[len] = '\0';
		fd = tree_open(dir, below, 0);
		if (fd >= 0)
			(void)close(fd);
		if (fd != -ELOOP)
			below[len] = after;
	}
	log_error("'%s/%s' is a symbolic link, and a container can write in '%s': it is not "
		  "followed",
		path, below, path);
}

/* Text of a link may have it; path of the configuration has none. */
static bool leads_back(const char *path)
{
	for (size_t n; *path; path += n) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 2 && strncmp(path, "..", 2) == 0)
			return true;
	}
	return false;
}

int outside_open(const struct container_config *config, const struct container_config *wanted,
	const char *path)
{
	char copy[PATH_MAX], *below;
	_cleanup_close_ int dir = -EBADF;
	size_t end;
	int r;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	(void)snprintf(copy, sizeof(copy), "%s", path);
	r = find_guests(config, wanted, copy, &end);
	if (r < 0)
		return r;
	if (end > 0)
		copy[end] = '\0';
	dir = open(end > 0 ? copy : path, O_PATH | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (end == 0)
		return TAKE_FD(dir);
	below = copy + end + 1;
	if (leads_back(below)) {
		log_error(
			"'%s' leads to '%s/%s', and a container can write in '%s': name the place "
			"itself",
			path, copy, below, copy);
		return -ELOOP;
	}
	r = tree_open(dir, below, 0);
	if (r == -ELOOP)
		log_link(dir, copy, below);
	return r;
}
