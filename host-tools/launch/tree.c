/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include "cleanup.h"
#include "fd.h"
#include "syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define RESOLVE_TREE (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

int tree_open(int root, const char *path, mode_t kind)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	while (*path == '/')
		path++;
	if (*path == '\0')
		path = ".";
	fd = sys_openat2(root, path, O_PATH, 0, RESOLVE_TREE);
	if (fd < 0)
		return fd;
	if (kind == 0)
		return TAKE_FD(fd);
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != kind)
		return kind == S_IFDIR ? -ENOTDIR : -EINVAL;
	return TAKE_FD(fd);
}

/* Splits off the last name of a path; the path ends before it. NULL: there is none. */
static char *split_last(char *path)
{
	size_t len = strlen(path);
	char *slash;

	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
	if (len == 0)
		return NULL;
	slash = strrchr(path, '/');
	if (!slash)
		return path;
	*slash = '\0';
	return slash + 1;
}

int tree_mkdir_p(int root, const char *path)
{
	char copy[PATH_MAX];
	char *state = NULL;
	_cleanup_close_ int at = -EBADF;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);
	at = tree_open(root, "/", S_IFDIR);
	if (at < 0)
		return at;
	for (char *name = strtok_r(copy, "/", &state); name; name = strtok_r(NULL, "/", &state)) {
		int next = tree_open(at, name, S_IFDIR);

		/* ".." can't be walked into: each step's root is the directory it starts in */
		if (next == -ENOENT) {
			if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
				return -errno;
			next = tree_open(at, name, S_IFDIR);
		}
		if (next < 0)
			return next;
		close_fdp(&at);
		at = next;
	}
	return TAKE_FD(at);
}

/* Opens the directory that holds path's last name, which *ret_name (in copy) points to. */
static int open_parent(int root, const char *path, char copy[PATH_MAX], const char **ret_name)
{
	char *name;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);
	name = split_last(copy);
	if (!name || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return -EINVAL;
	*ret_name = name;
	return tree_mkdir_p(root, name == copy ? "/" : copy);
}

int tree_mount_point(int root, const char *path, mode_t kind)
{
	char copy[PATH_MAX];
	const char *name;
	_cleanup_close_ int parent = -EBADF;
	int fd = tree_open(root, path, 0);

	if (fd >= 0) {
		struct stat st;

		if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) != S_ISDIR(kind)) {
			(void)close(fd);
			return S_ISDIR(kind) ? -ENOTDIR : -EISDIR;
		}
		return fd;
	}
	if (fd != -ENOENT)
		return fd;
	if (S_ISDIR(kind))
		return tree_mkdir_p(root, path);
	parent = open_parent(root, path, copy, &name);
	if (parent < 0)
		return parent;
	if (mknodat(parent, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return -errno;
	return tree_open(parent, name, 0);
}

int tree_write(int root, const char *path, const char *text, mode_t mode)
{
	char copy[PATH_MAX];
	const char *name;
	_cleanup_close_ int parent = open_parent(root, path, copy, &name), fd = -EBADF;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, strlen(text));
}

int tree_resolve(int root, const char *path, char **ret)
{
	_cleanup_close_ int fd = -EBADF;
	char link[64], base[PATH_MAX], target[PATH_MAX];
	ssize_t base_len, len;

	while (*path == '/')
		path++;
	fd = sys_openat2(root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fd;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", root);
	base_len = readlink(link, base, sizeof(base) - 1);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (base_len < 0 || len < 0)
		return -errno;
	target[len] = '\0';
	if (base_len == 1)
		base_len = 0; /* the root is "/" */
	/* what was moved away meanwhile has a path elsewhere */
	if (len <= base_len || memcmp(base, target, (size_t)base_len) != 0 ||
		target[base_len] != '/')
		return -EXDEV;
	*ret = strdup(target + base_len);
	return *ret ? 0 : -ENOMEM;
}
