/* SPDX-License-Identifier: MIT */
#include "tree-size.h"

#include "cleanup.h"
#include "clock.h"
#include "syscalls.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/*
 * A depth-first walk over a stack of open directories, each opened by one name below the one
 * before. A guest can exchange anything meanwhile: the sum is wrong then, and nothing else. Files
 * with several names are remembered by their inode's number; all are of one file system.
 */

#define STACK_MAX 200
#define CLOCK_STEP 64 /* entries between two looks at the clock */
#define BLOCK 512     /* of st_blocks, on any file system: inode(7) */

#define RESOLVE_STEP                                                                               \
	(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

/* Open addressing; 0 is free, and no inode's number. */
struct inodes {
	uint64_t *slots;
	size_t size, n; /* size: a power of two */
};

struct walk {
	DIR *stack[STACK_MAX];
	size_t depth;
	dev_t dev;
	struct inodes inodes;
	uint64_t blocks, entries;
	int64_t deadline;
};

static uint64_t *find_slot(uint64_t *slots, size_t size, uint64_t inode)
{
	/* multiplication by 2^64 divided by the golden ratio spreads consecutive numbers */
	size_t i = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15)) & (size - 1);

	while (slots[i] != 0 && slots[i] != inode)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static int grow(struct inodes *inodes)
{
	size_t size = inodes->size ? 2 * inodes->size : 1024;
	uint64_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < inodes->size; i++)
		if (inodes->slots[i] != 0)
			*find_slot(slots, size, inodes->slots[i]) = inodes->slots[i];
	free(inodes->slots);
	inodes->slots = slots;
	inodes->size = size;
	return 0;
}

/* 1: it is new; 0: it was there; or -errno. */
static int remember(struct inodes *inodes, uint64_t inode)
{
	uint64_t *slot;

	if (2 * inodes->n >= inodes->size && grow(inodes) < 0)
		return -ENOMEM;
	slot = find_slot(inodes->slots, inodes->size, inode);
	if (*slot == inode)
		return 0;
	*slot = inode;
	inodes->n++;
	return 1;
}

static int push(struct walk *walk, int at, const char *name)
{
	_cleanup_close_ int fd =
		sys_openat2(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_STEP);
	DIR *dir;

	/* mounted on, or not what it was a moment ago */
	if (fd == -EXDEV || fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	if (walk->depth == STACK_MAX)
		return -ELOOP;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	walk->stack[walk->depth++] = dir;
	return 0;
}

static int add(struct walk *walk, int at, const char *name)
{
	struct stat st;
	int r;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev != walk->dev)
		return 0;
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
		r = remember(&walk->inodes, st.st_ino);
		if (r <= 0)
			return r;
	}
	walk->blocks += (uint64_t)st.st_blocks;
	return S_ISDIR(st.st_mode) ? push(walk, at, name) : 0;
}

/* The next entry. 1: there was one, or a directory is through; 0: all is done; or -errno. */
static int step(struct walk *walk)
{
	DIR *dir;
	const struct dirent *entry;
	int r;

	if (walk->depth == 0)
		return 0;
	dir = walk->stack[walk->depth - 1];
	errno = 0;
	entry = readdir(dir);
	if (!entry && errno != 0)
		return -errno;
	if (!entry) {
		(void)closedir(dir);
		walk->depth--;
		return 1;
	}
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 1;
	if (++walk->entries % CLOCK_STEP == 0 && clock_ms() > walk->deadline)
		return -ETIME;
	r = add(walk, dirfd(dir), entry->d_name);
	return r < 0 ? r : 1;
}

int tree_size(int dirfd, unsigned deadline_ms, uint64_t *ret)
{
	struct walk walk = { .deadline = clock_ms() + deadline_ms };
	struct stat st;
	int r = 0;

	if (fstat(dirfd, &st) < 0)
		return -errno;
	walk.dev = st.st_dev;
	walk.blocks = (uint64_t)st.st_blocks;
	r = push(&walk, dirfd, ".");
	while (r >= 0 && (r = step(&walk)) > 0)
		;
	while (walk.depth > 0)
		(void)closedir(walk.stack[--walk.depth]);
	free(walk.inodes.slots);
	if (r < 0)
		return r;
	*ret = walk.blocks * BLOCK;
	return 0;
}
