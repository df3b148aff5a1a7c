/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * A depth-first walk over a short stack of open directories. Where the stack is full, the next
 * directory is moved to the tree's top under a new name and found there again later: so the depth
 * of the tree costs nothing, and no path ever gets too long.
 *
 * Each step down is openat2() of one name, without links and without leaving the mount; whatever is
 * not a directory is unlinked without being opened. Only when the kernel says EPERM, the flags that
 * forbid it (immutable, append-only) are taken from the file and from its directory.
 */

#include "tree-remove.h"

#include "cleanup.h"
#include "syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define STACK_MAX 32
#define PROGRESS_STEP 256

#define RESOLVE_STEP                                                                               \
	(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

struct level {
	DIR *dir;
	char name[NAME_MAX + 1];
	bool progressed; /* something was removed since the last look at the whole directory */
};

struct walk {
	struct tree_removal *removal;
	struct level stack[STACK_MAX];
	size_t depth;
	unsigned moved; /* for new names at the top */
	int first_error;
};

static void note_failure(struct walk *walk, int r, const char *name)
{
	char *out = walk->removal->failed, *end = out + sizeof(walk->removal->failed);

	if (walk->first_error)
		return;
	walk->first_error = r;
	/* the tree's own name is not a part of it */
	for (size_t i = 1; i < walk->depth; i++)
		out += strlen(out),
			(void)snprintf(out, (size_t)(end - out), "%s/", walk->stack[i].name);
	out += strlen(out);
	(void)snprintf(out, (size_t)(end - out), "%s", name);
}

static void count(struct walk *walk)
{
	struct tree_removal *removal = walk->removal;

	removal->removed++;
	if (removal->progress && removal->removed % PROGRESS_STEP == 0)
		removal->progress(removal->userdata, removal->removed);
}

/* Takes the flags that forbid removal from an open file or directory. */
static void unlock_fd(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* The same for a name, which may be anything: only files and directories have flags, and to open
 * anything else has effects. */
static void unlock_name(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -EBADF, path = sys_openat2(dir_fd, name, O_PATH | O_NOFOLLOW, 0,
						 RESOLVE_BENEATH | RESOLVE_NO_XDEV);
	char link[40];
	struct stat st;

	if (path < 0 || fstat(path, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		unlock_fd(fd);
}

static int unlink_hard(int dir_fd, const char *name, int flags)
{
	if (unlinkat(dir_fd, name, flags) == 0)
		return 0;
	if (errno != EPERM && errno != EACCES)
		return -errno;
	unlock_fd(dir_fd);
	unlock_name(dir_fd, name);
	return unlinkat(dir_fd, name, flags) < 0 ? -errno : 0;
}

static int rename_hard(int dir_fd, const char *name, int top_fd, const char *new_name)
{
	if (renameat2(dir_fd, name, top_fd, new_name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EPERM && errno != EACCES)
		return -errno;
	unlock_fd(dir_fd);
	unlock_fd(top_fd);
	unlock_name(dir_fd, name);
	return renameat2(dir_fd, name, top_fd, new_name, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int top_fd(const struct walk *walk)
{
	return dirfd(walk->stack[0].dir);
}

/* Opens a directory and puts it on the stack. at: the fd that has it. */
static int push(struct walk *walk, int at, const char *name)
{
	_cleanup_close_ int fd =
		sys_openat2(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_STEP);
	struct level *level = &walk->stack[walk->depth];

	if (fd < 0)
		return fd == -EXDEV ? -EBUSY : fd;
	level->dir = fdopendir(fd);
	if (!level->dir)
		return -errno;
	TAKE_FD(fd);
	(void)snprintf(level->name, sizeof(level->name), "%s", name);
	level->progressed = false;
	walk->depth++;
	return 0;
}

/* A directory that the stack has no room for goes to the top, which is looked through again. */
static int move_to_top(struct walk *walk, int at, const char *name)
{
	char new_name[32];
	int r;

	/* what is mounted on must stay where it is; what is merely busy says so itself */
	r = sys_openat2(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_STEP);
	if (r < 0)
		return r == -EXDEV ? -EBUSY : r;
	(void)close(r);
	do {
		(void)snprintf(new_name, sizeof(new_name), ".deep-%u", walk->moved++);
		r = rename_hard(at, name, top_fd(walk), new_name);
	} while (r == -EEXIST);
	if (r == 0)
		walk->stack[0].progressed = true;
	return r;
}

static void remove_entry(struct walk *walk, struct level *level, const char *name)
{
	int fd = dirfd(level->dir), r = unlink_hard(fd, name, 0);

	if (r == 0) {
		count(walk);
		level->progressed = true;
		return;
	}
	if (r == -EISDIR)
		r = walk->depth < STACK_MAX ? push(walk, fd, name) : move_to_top(walk, fd, name);
	if (r < 0 && r != -ENOENT)
		note_failure(walk, r, name);
}

/* The directory on top of the stack has been read to its end. */
static void finish_level(struct walk *walk, int parent_fd)
{
	struct level *level = &walk->stack[walk->depth - 1];
	int at = walk->depth > 1 ? dirfd(walk->stack[walk->depth - 2].dir) : parent_fd;
	int r;

	/* entries may have come, been moved here, or been missed while others went */
	if (level->progressed) {
		level->progressed = false;
		rewinddir(level->dir);
		return;
	}
	r = unlink_hard(at, level->name, AT_REMOVEDIR);
	(void)closedir(level->dir);
	walk->depth--;
	if (r < 0 && r != -ENOENT) {
		note_failure(walk, r, walk->depth > 0 ? level->name : "");
		return; /* no progress for its directory, or it would come here again and again */
	}
	count(walk);
	if (walk->depth > 0)
		walk->stack[walk->depth - 1].progressed = true;
}

int tree_remove(int parent_fd, const char *name, struct tree_removal *removal)
{
	struct walk walk = { .removal = removal };
	int r = push(&walk, parent_fd, name);

	if (r < 0)
		return r;
	while (walk.depth > 0) {
		struct level *level = &walk.stack[walk.depth - 1];
		const struct dirent *entry;

		errno = 0;
		entry = readdir(level->dir);
		if (!entry && errno != 0)
			note_failure(&walk, -errno, ".");
		if (!entry)
			finish_level(&walk, parent_fd);
		else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_entry(&walk, level, entry->d_name);
	}
	return walk.first_error;
}

/* proc_pid_mountinfo(5) writes blanks and backslashes as octal. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; out++)
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			*out = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*out = *p++;
		}
	*out = '\0';
}

int tree_find_mount(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, len = strlen(path);

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		char *state = NULL, *where = strtok_r(line, " ", &state);

		/* the fifth field */
		for (int i = 0; where && i < 4; i++)
			where = strtok_r(NULL, " ", &state);
		if (!where)
			continue;
		unescape(where);
		if (strncmp(where, path, len) != 0 || (where[len] != '\0' && where[len] != '/'))
			continue;
		*ret = strdup(where);
		return *ret ? 1 : -ENOMEM;
	}
	return 0;
}
