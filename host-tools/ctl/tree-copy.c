/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * A walk over a stack of open directories, two descriptors a level. A file is looked at through an
 * O_PATH descriptor, and that very inode is what is read afterwards (reopened by way of /proc), so
 * what a name means can't change in between. Only regular files and directories are opened.
 *
 * At the other end each file grows under a temporary name, made with O_EXCL, and is renamed over
 * whatever was there: nothing that exists is opened for writing, so no link, device or hard link
 * there is ever written through. Owner and mode are set by descriptor.
 *
 * Directories are opened by one name below an open one. A guest can move an open directory about in
 * its own tree; files then land elsewhere in that tree, and never outside: nothing here goes up.
 */

#include "tree-copy.h"

#include "cleanup.h"
#include "copy-data.h"
#include "copy-meta.h"
#include "syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define TEMPORARY_SIZE 40
#define PROBLEM_PATH_MAX 1024

struct level {
	DIR *source;
	int target;
	char name[NAME_MAX + 1];
	struct stat st; /* the source's */
	bool made;	/* the target is new and gets the source's metadata */
};

struct walk {
	struct tree_copy *copy;
	const struct copy_end *from, *to;
	struct level *stack;
	size_t depth, size;
	dev_t top_dev; /* the first target directory: not to be copied into itself */
	ino_t top_ino;
	int first_error;
};

static uint64_t resolve_of(const struct copy_end *end)
{
	/* a host's tree may have mounts in it; RESOLVE_GUEST is IN_ROOT, which one name can't use
	 */
	return end->guest ? RESOLVE_GUEST
			  : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
}

static void report(struct walk *walk, const char *name, int error, const char *what)
{
	char path[PROBLEM_PATH_MAX] = "";
	size_t len = 0;

	for (size_t i = 0; i < walk->depth && len < sizeof(path); i++)
		len += (size_t)snprintf(path + len, sizeof(path) - len, "%s/", walk->stack[i].name);
	if (len < sizeof(path))
		(void)snprintf(path + len, sizeof(path) - len, "%s", name);
	walk->copy->problem(walk->copy->userdata, path, error, what);
	if (!walk->first_error)
		walk->first_error = error;
}

/* Opens the inode of an O_PATH descriptor, which is a file or a directory. */
static int reopen(int path_fd, int flags)
{
	char link[40];
	int fd;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_path(const struct copy_end *end, int dir, const char *name)
{
	return sys_openat2(dir, name, O_PATH | O_NOFOLLOW, 0, resolve_of(end));
}

static int new_temporary(char name[TEMPORARY_SIZE])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	(void)snprintf(name, TEMPORARY_SIZE, ".narthex-cp-%016llx", (unsigned long long)random);
	return 0;
}

static struct copy_owner owner_of(const struct walk *walk, const struct stat *st)
{
	return copy_owner(
		&(struct copy_rules){
			.archive = walk->copy->archive,
			.outwards = walk->from->guest && !walk->to->guest,
			.uid = walk->copy->uid,
			.gid = walk->copy->gid,
			.from_base = walk->from->uid_base,
			.to_base = walk->to->uid_base,
		},
		st);
}

/* Gives a finished file its name, or removes it. */
static int settle(int dir, const char *temporary, const char *name, int r)
{
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, temporary, 0);
	return r;
}

static int copy_file(
	struct walk *walk, int path_fd, const struct stat *st, int dir, const char *name)
{
	_cleanup_close_ int in = reopen(path_fd, O_RDONLY), out = -EBADF;
	struct copy_owner owner = owner_of(walk, st);
	char temporary[TEMPORARY_SIZE];
	int r = in < 0 ? in : new_temporary(temporary);

	if (r < 0)
		return r;
	out = sys_openat2(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600,
		resolve_of(walk->to));
	if (out < 0)
		return out;
	r = copy_data(in, out, st->st_size, walk->copy);
	if (r == 0)
		r = copy_metadata(in, out, &owner, st);
	return settle(dir, temporary, name, r);
}

static int copy_link(
	struct walk *walk, int path_fd, const struct stat *st, int dir, const char *name)
{
	struct copy_owner owner = owner_of(walk, st);
	char temporary[TEMPORARY_SIZE], text[PATH_MAX];
	ssize_t n = readlinkat(path_fd, "", text, sizeof(text) - 1);
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	r = new_temporary(temporary);
	if (r == 0 && symlinkat(text, dir, temporary) < 0)
		r = -errno;
	if (r < 0)
		return r;
	fd = open_path(walk->to, dir, temporary);
	r = fd < 0 ? fd : copy_owner_only(fd, &owner, st);
	return settle(dir, temporary, name, r);
}

static int copy_node(struct walk *walk, const struct stat *st, int dir, const char *name)
{
	struct copy_owner owner = owner_of(walk, st);
	char temporary[TEMPORARY_SIZE];
	_cleanup_close_ int fd = -EBADF;
	int r = new_temporary(temporary);

	if (r == 0 && mknodat(dir, temporary, st->st_mode & S_IFMT, st->st_rdev) < 0)
		r = -errno;
	if (r < 0)
		return r;
	fd = open_path(walk->to, dir, temporary);
	r = fd < 0 ? fd : copy_owner_only(fd, &owner, st);
	return settle(dir, temporary, name, r);
}

/* --- directories --------------------------------------------------------------------------- */

static int grow(struct walk *walk)
{
	struct level *bigger;

	if (walk->depth < walk->size)
		return 0;
	bigger = reallocarray(walk->stack, walk->size + 16, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	walk->stack = bigger;
	walk->size += 16;
	return 0;
}

/* Opens the directory to copy to, made when it isn't there. */
static int open_target(struct walk *walk, int dir, const char *name, bool *ret_made)
{
	int fd;

	*ret_made = strcmp(name, ".") != 0 && mkdirat(dir, name, 0700) == 0;
	if (!*ret_made && strcmp(name, ".") != 0 && errno != EEXIST)
		return -errno;
	fd = sys_openat2(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, resolve_of(walk->to));
	return fd == -ELOOP ? -ENOTDIR : fd;
}

/* Enters a directory. name: at the target; the source is open as path_fd. */
static int push(struct walk *walk, int path_fd, const struct stat *st, int dir, const char *name)
{
	_cleanup_close_ int source = reopen(path_fd, O_RDONLY | O_DIRECTORY), target = -EBADF;
	struct level *level;
	struct stat top;
	int r = source < 0 ? source : grow(walk);

	if (r < 0)
		return r;
	level = &walk->stack[walk->depth];
	*level = (struct level){ .st = *st };
	target = open_target(walk, dir, name, &level->made);
	if (target < 0)
		return target;
	if (walk->depth == 0 && fstat(target, &top) == 0) {
		walk->top_dev = top.st_dev;
		walk->top_ino = top.st_ino;
	}
	level->source = fdopendir(source);
	if (!level->source)
		return -errno;
	TAKE_FD(source);
	level->target = TAKE_FD(target);
	(void)snprintf(
		level->name, sizeof(level->name), "%s", walk->depth > 0 ? name : walk->from->name);
	walk->depth++;
	return 0;
}

static void pop(struct walk *walk)
{
	struct level *level = &walk->stack[walk->depth - 1];
	struct copy_owner owner = owner_of(walk, &level->st);
	int r = level->made ? copy_metadata(dirfd(level->source), level->target, &owner, &level->st)
			    : 0;

	(void)closedir(level->source);
	(void)close(level->target);
	walk->depth--;
	if (r < 0)
		report(walk, level->name, r, "its owner or mode");
}

/* --- the walk ------------------------------------------------------------------------------ */

/* One file of any kind. Returns only what ends the whole copy. */
static int copy_entry(
	struct walk *walk, int source_dir, const char *source, int dir, const char *name)
{
	static const char not_into[] = "what is in its place at the target is no directory";
	_cleanup_close_ int fd = open_path(walk->from, source_dir, source);
	const char *what = NULL;
	struct stat st;
	int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0 && strcmp(name, ".") == 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	else if (r == 0 && S_ISREG(st.st_mode))
		r = copy_file(walk, fd, &st, dir, name);
	else if (r == 0 && S_ISLNK(st.st_mode))
		r = copy_link(walk, fd, &st, dir, name);
	else if (r == 0 && S_ISDIR(st.st_mode) && walk->depth > 0 && st.st_dev == walk->top_dev &&
		 st.st_ino == walk->top_ino)
		r = -ELOOP, what = "it is the copy itself";
	else if (r == 0 && S_ISDIR(st.st_mode))
		r = push(walk, fd, &st, dir, name), what = r == -ENOTDIR ? not_into : NULL;
	else if (r == 0 && S_ISSOCK(st.st_mode))
		r = -EOPNOTSUPP, what = "it is a socket";
	else if (r == 0 && !walk->copy->archive)
		r = -EOPNOTSUPP, what = "it is a device or FIFO: --archive copies it as such";
	else if (r == 0)
		r = copy_node(walk, &st, dir, name);
	if (r == -ECANCELED)
		return r;
	if (r == -EXDEV)
		what = "something is mounted there";
	if (r < 0)
		report(walk, source, r, what);
	return walk->copy->progress(walk->copy->userdata, walk->copy->bytes);
}

static int walk_level(struct walk *walk)
{
	const struct level *level = &walk->stack[walk->depth - 1];
	const struct dirent *entry;

	errno = 0;
	entry = readdir(level->source);
	if (!entry) {
		if (errno != 0)
			report(walk, ".", -errno, NULL);
		pop(walk);
		return 0;
	}
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	return copy_entry(walk, dirfd(level->source), entry->d_name, level->target, entry->d_name);
}

int tree_copy(struct tree_copy *copy, const struct copy_end *from, const struct copy_end *to)
{
	struct walk walk = { .copy = copy, .from = from, .to = to };
	int r = copy_entry(&walk, from->dir_fd, from->name, to->dir_fd, to->name);

	while (r == 0 && walk.depth > 0)
		r = walk_level(&walk);
	for (; walk.depth > 0; walk.depth--) {
		(void)closedir(walk.stack[walk.depth - 1].source);
		(void)close(walk.stack[walk.depth - 1].target);
	}
	free(walk.stack);
	return r != 0 ? r : walk.first_error;
}
