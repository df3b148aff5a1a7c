/* SPDX-License-Identifier: MIT */
#include "copy-meta.h"

#include "cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define NOBODY 65534
#define LIST_MAX (64UL * 1024)	/* XATTR_LIST_MAX, linux/limits.h */
#define VALUE_MAX (64UL * 1024) /* XATTR_SIZE_MAX */

static uint32_t shift(uint32_t id, uint32_t from, uint32_t to)
{
	return (id < from ? NOBODY : id - from) + to;
}

struct copy_owner copy_owner(const struct copy_rules *rules, const struct stat *st)
{
	struct copy_owner owner = {
		.uid = rules->uid + rules->to_base,
		.gid = rules->gid + rules->to_base,
		.mode = st->st_mode & 0777,
		.archive = rules->archive,
		/* a guest's file with capabilities would have them on the host, */
		.capabilities = rules->archive && !rules->outwards,
		.acls = rules->archive && rules->from_base == 0 && rules->to_base == 0,
	};

	if (!rules->archive)
		return owner;
	owner.uid = shift(st->st_uid, rules->from_base, rules->to_base);
	owner.gid = shift(st->st_gid, rules->from_base, rules->to_base);
	/* and its setuid file would be the host's */
	owner.mode = st->st_mode & (rules->outwards ? 01777 : 07777);
	return owner;
}

static bool is_wanted(const char *name, const struct copy_owner *owner)
{
	if (strncmp(name, "user.", 5) == 0)
		return true;
	if (strcmp(name, "security.capability") == 0)
		return owner->capabilities;
	return owner->acls && strncmp(name, "system.posix_acl_", 17) == 0;
}

static int copy_attributes(int in, int out, const struct copy_owner *owner)
{
	_cleanup_free_ char *list = NULL, *value = NULL;
	ssize_t n = flistxattr(in, NULL, 0), size;

	if (n <= 0) /* most files have none; some file systems don't know them */
		return n < 0 && errno != EOPNOTSUPP ? -errno : 0;
	list = malloc(LIST_MAX);
	value = malloc(VALUE_MAX);
	if (!list || !value)
		return -ENOMEM;
	n = flistxattr(in, list, LIST_MAX);
	if (n < 0)
		return -errno;
	for (const char *name = list; name < list + n; name += strlen(name) + 1) {
		if (!is_wanted(name, owner))
			continue;
		size = fgetxattr(in, name, value, VALUE_MAX);
		if (size < 0 && errno == ENODATA)
			continue; /* gone meanwhile */
		if (size < 0)
			return -errno;
		if (fsetxattr(out, name, value, (size_t)size, 0) < 0 &&
			(owner->archive || errno != EOPNOTSUPP))
			return -errno;
	}
	return 0;
}

int copy_metadata(int in, int out, const struct copy_owner *owner, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r;

	/* the owner first: a change of it drops setuid and capabilities */
	if (fchown(out, owner->uid, owner->gid) < 0)
		return -errno;
	r = copy_attributes(in, out, owner);
	if (r < 0)
		return r;
	if (fchmod(out, owner->mode) < 0)
		return -errno;
	return owner->archive && futimens(out, times) < 0 ? -errno : 0;
}

int copy_owner_only(int path_fd, const struct copy_owner *owner, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char link[40];
	struct stat now;

	if (fstat(path_fd, &now) < 0)
		return -errno;
	if ((now.st_mode & S_IFMT) != (st->st_mode & S_IFMT) || now.st_rdev != st->st_rdev)
		return -EIO;
	if (fchownat(path_fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) < 0)
		return -errno;
	/* fchmod() refuses O_PATH descriptors; links have no mode */
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	if (!S_ISLNK(st->st_mode) && chmod(link, owner->mode) < 0)
		return -errno;
	return owner->archive && utimensat(path_fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}
