/* SPDX-License-Identifier: MIT */
#include "uidrange.h"

#include "../name.h"
#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RANGES_DIR RUN_DIR "/.uid-ranges"

static int open_ranges_dir(void)
{
	int fd;

	if ((mkdir(RUN_DIR, 0755) < 0 && errno != EEXIST) ||
		(mkdir(RANGES_DIR, 0700) < 0 && errno != EEXIST))
		return -errno;
	fd = open(RANGES_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 1: locked, 0: somebody else's. The file's content is the holder's name, for a reader. */
static int lock_one(int dir, uint32_t number, const char *name, struct uid_range *range)
{
	char path[16];

	(void)snprintf(path, sizeof(path), "%04" PRIx32, number);
	if (range->n_locks >= UID_RANGE_LOCKS_MAX)
		return -E2BIG;
	for (;;) {
		_cleanup_close_ int fd =
			openat(dir, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat st;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? 0 : -errno;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (st.st_nlink == 0)
			continue; /* released and removed between our open and our lock */
		if (ftruncate(fd, 0) < 0 || pwrite(fd, name, strlen(name), 0) < 0)
			return -errno;
		range->locked[range->n_locks] = number;
		range->lock_fds[range->n_locks++] = TAKE_FD(fd);
		return 1;
	}
}

/* Does a line NAME:START:COUNT of subuid(5) overlap the range? A file that isn't there has none. */
static bool delegated_in(const char *file, uint32_t base, uint32_t count)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) >= 0) {
		char *colon = strchr(line, ':');
		uint64_t start, length;

		if (!colon || sscanf(colon + 1, "%" SCNu64 ":%" SCNu64, &start, &length) != 2)
			continue;
		if (start < (uint64_t)base + count && base < start + length)
			return true;
	}
	return false;
}

static bool delegated(uint32_t base, uint32_t count)
{
	return delegated_in("/etc/subuid", base, count) || delegated_in("/etc/subgid", base, count);
}

/* Whether the host has these ids: a host that is a container itself may have few. Lines of
 * uid_map are FIRST OUTSIDE COUNT (user_namespaces(7)). */
static bool mapped(uint32_t base, uint32_t count)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/uid_map", "re");
	uint64_t first, length;

	while (f && fscanf(f, "%" SCNu64 " %*u %" SCNu64, &first, &length) == 2)
		if (base >= first && (uint64_t)base + count <= first + length)
			return true;
	return !f;
}

static int check_mapped(const struct uid_range *range)
{
	if (mapped(range->base, range->count))
		return 0;
	log_error("this host has no ids %" PRIu32 " to %" PRIu32 ": it is a container itself; "
		  "use PrivateUsers=no (the container's root is then this host's root, who is "
		  "nobody outside)",
		range->base, range->base + range->count - 1);
	return -ERANGE;
}

static int pick(const struct container_config *config, int dir, struct uid_range *range)
{
	const uint32_t first = UID_RANGE_MIN / UID_RANGE_SIZE;
	const uint32_t total = (UID_RANGE_MAX - UID_RANGE_MIN + 1) / UID_RANGE_SIZE;
	uint32_t start = (uint32_t)(name_hash(config->name) % total);

	for (uint32_t i = 0; i < total; i++) {
		uint32_t number = first + (start + i) % total;
		int r;

		if (delegated(number * UID_RANGE_SIZE, UID_RANGE_SIZE))
			continue;
		r = lock_one(dir, number, config->name, range);
		if (r < 0)
			return log_errno(r, "cannot lock a uid range in %s", RANGES_DIR);
		if (r > 0) {
			range->base = number * UID_RANGE_SIZE;
			range->count = UID_RANGE_SIZE;
			return 0;
		}
	}
	log_error("no free uid range between %" PRIu32 " and %" PRIu32
		  ": every one is in use or in /etc/subuid",
		UID_RANGE_MIN, UID_RANGE_MAX);
	return -EUSERS;
}

static int take_fixed(const struct container_config *config, int dir, struct uid_range *range)
{
	uint32_t first = config->uid_base / UID_RANGE_SIZE;
	uint32_t last = (config->uid_base + config->uid_count - 1) / UID_RANGE_SIZE;

	for (uint32_t number = first; number <= last; number++) {
		int r = lock_one(dir, number, config->name, range);

		if (r == 0) {
			log_error("PrivateUsers=%" PRIu32 ":%" PRIu32
				  " overlaps a range that another container uses: choose another "
				  "base",
				config->uid_base, config->uid_count);
			return -EBUSY;
		}
		if (r == -E2BIG) {
			log_error("PrivateUsers=%" PRIu32 ":%" PRIu32
				  " touches more than %d ranges of 65536: choose a smaller one",
				config->uid_base, config->uid_count, UID_RANGE_LOCKS_MAX);
			return r;
		}
		if (r < 0)
			return log_errno(r,
				"cannot lock the uid range of PrivateUsers=%" PRIu32 ":%" PRIu32,
				config->uid_base, config->uid_count);
	}
	range->base = config->uid_base;
	range->count = config->uid_count;
	return 0;
}

int uid_range_acquire(const struct container_config *config, struct uid_range *ret)
{
	_cleanup_close_ int dir = -EBADF;
	int r;

	*ret = (struct uid_range){};
	if (config->private_users == PRIVATE_USERS_NO) {
		log_warning("PrivateUsers=no: root in container '%s' is root of this host; "
			    "masks and read-only mounts don't hold it",
			config->name);
		return 0;
	}
	dir = open_ranges_dir();
	if (dir < 0)
		return log_errno(dir, "cannot open %s", RANGES_DIR);
	r = config->private_users == PRIVATE_USERS_FIXED ? take_fixed(config, dir, ret)
							 : pick(config, dir, ret);
	return r < 0 ? r : check_mapped(ret);
}

void uid_range_release(struct uid_range *range)
{
	_cleanup_close_ int dir = range->n_locks > 0 ? open_ranges_dir() : -EBADF;

	for (unsigned int i = 0; i < range->n_locks; i++) {
		char path[16];

		(void)snprintf(path, sizeof(path), "%04" PRIx32, range->locked[i]);
		if (dir >= 0)
			(void)unlinkat(dir, path, 0);
		close_fdp(&range->lock_fds[i]);
	}
	*range = (struct uid_range){};
}

void uid_range_forget(const char *name)
{
	int fd = open_ranges_dir();
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int file = -EBADF;
		_cleanup_free_ char *holder = NULL;
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		file = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (file < 0 || fd_read_all(file, NAME_MAX_LEN, &holder) < 0)
			continue;
		/* a file that has its name still, and is locked by us, is what we would remove */
		if (strcmp(holder, name) == 0 && flock(file, LOCK_EX | LOCK_NB) == 0 &&
			fstat(file, &st) == 0 && st.st_nlink > 0)
			(void)unlinkat(fd, entry->d_name, 0);
	}
}
