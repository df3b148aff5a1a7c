/* SPDX-License-Identifier: MIT */

/*
 * Credentials as a service manager in a container looks for them: files in a directory that
 * $CREDENTIALS_DIRECTORY names, readable for root only, never on a disk. They are copied: the
 * unit's own directory is of the host's root.
 */

#include "integration.h"

#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "mnt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CREDENTIALS_SIZE "4m" /* systemd allows a unit 1 MiB in all */
#define CREDENTIAL_MAX (1024 * 1024)

static int copy_one(const struct build *build, int from, int to, const char *name)
{
	uint32_t base = build->launch->range.base;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -EBADF;
	ssize_t n = file_read_all(from, name, O_NOFOLLOW, CREDENTIAL_MAX, &text);

	if (n < 0)
		return (int)n;
	fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0 || fchown(fd, base, base) < 0)
		return -errno;
	return fd_write_all(fd, text, (size_t)n);
}

static int copy_all(const struct build *build, DIR *from, int to)
{
	const struct dirent *entry;

	while ((entry = readdir(from))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = copy_one(build, dirfd(from), to, entry->d_name);
		if (r < 0)
			return log_errno(
				r, "cannot hand credential '%s' to the container", entry->d_name);
	}
	return 0;
}

/* In memory that is never swapped out, where the kernel has it (Linux 6.4). */
static int make_tmpfs(const struct build *build)
{
	char owner[16], why[256];
	int mount = -EINVAL;

	(void)snprintf(owner, sizeof(owner), "%u", build->launch->range.base);
	for (int swaps = 0; mount == -EINVAL && swaps < 2; swaps++)
		mount = mnt_new("tmpfs",
			(const struct mnt_option[]){
				{ "source", "narthex-credentials" },
				{ "mode", "0700" },
				{ "size", CREDENTIALS_SIZE },
				{ "uid", owner },
				{ "gid", owner },
				{ swaps == 0 ? "noswap" : NULL, NULL },
				{},
			},
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, why, sizeof(why));
	return mount < 0 ? log_errno(mount, "cannot make a tmpfs for credentials") : mount;
}

int credentials_apply(struct build *build)
{
	const char *path = build->launch->credentials;
	_cleanup_closedir_ DIR *from = path ? opendir(path) : NULL;
	_cleanup_close_ int mount = -EBADF;
	int r;

	if (!path)
		return 0;
	if (!from)
		return log_errno(-errno, "cannot open the unit's credentials, '%s'", path);
	mount = make_tmpfs(build);
	r = mount < 0 ? mount : copy_all(build, from, mount);
	if (r < 0)
		return r;
	r = mnt_set(mount, MOUNT_ATTR_RDONLY, false);
	if (r < 0)
		return log_errno(r, "cannot make the credentials read-only");
	return mount_at(build, TAKE_FD(mount), CREDENTIALS_INSIDE, S_IFDIR);
}
