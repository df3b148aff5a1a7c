/* SPDX-License-Identifier: MIT */
#include "mnt.h"

#include "cleanup.h"
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The kernel queues its complaints on the context's descriptor: "e text" (fsopen(2)). */
static void context_complaint(int context, char *why, size_t size)
{
	ssize_t n = read(context, why, size - 1);

	if (n <= 2) {
		why[0] = '\0';
		return;
	}
	memmove(why, why + 2, (size_t)n - 2);
	why[n - 2] = '\0';
	why[strcspn(why, "\n")] = '\0';
}

int mnt_new(const char *type, const struct mnt_option *options, uint64_t attributes, char *why,
	size_t size)
{
	_cleanup_close_ int context = -EBADF;
	int r = 0, mount;

	why[0] = '\0';
	context = fsopen(type, FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	for (const struct mnt_option *o = options; r >= 0 && o && o->key; o++)
		r = fsconfig(context, o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o->key,
			o->value, 0);
	if (r >= 0)
		r = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0) {
		r = -errno;
		context_complaint(context, why, size);
		return r;
	}
	mount = fsmount(context, FSMOUNT_CLOEXEC, (unsigned int)attributes);
	if (mount < 0) {
		r = -errno;
		context_complaint(context, why, size);
		return r;
	}
	return mount;
}

int mnt_clone(int dirfd, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT;
	int r;

	if (path[0] == '\0')
		flags |= AT_EMPTY_PATH;
	else
		flags |= AT_SYMLINK_NOFOLLOW;
	if (recursive)
		flags |= AT_RECURSIVE;
	r = open_tree(dirfd, path, flags);
	return r < 0 ? -errno : r;
}

static int set_attributes(int mount, const struct mount_attr *attributes, bool recursive)
{
	struct mount_attr copy = *attributes;
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);

	return mount_setattr(mount, "", flags, &copy, sizeof(copy)) < 0 ? -errno : 0;
}

int mnt_set(int mount, uint64_t attributes, bool recursive)
{
	return set_attributes(mount, &(struct mount_attr){ .attr_set = attributes }, recursive);
}

int mnt_clear(int mount, uint64_t attributes, bool recursive)
{
	return set_attributes(mount, &(struct mount_attr){ .attr_clr = attributes }, recursive);
}

int mnt_idmap(int mount, int userns_fd, bool recursive)
{
	return set_attributes(mount,
		&(struct mount_attr){
			.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd },
		recursive);
}

int mnt_attach(int mount, int target)
{
	int r = move_mount(
		mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	return r < 0 ? -errno : 0;
}

/* mountinfo has the name beside the device number (proc_pid_mountinfo(5)). */
const char *mnt_fs_name(int fd, char *buffer, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t allocated = 0;
	struct stat st;

	(void)snprintf(buffer, size, "unknown");
	if (!f || fstat(fd, &st) < 0)
		return buffer;
	while (getline(&line, &allocated, f) >= 0) {
		unsigned int major_number, minor_number;
		char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) != 2)
			continue;
		if (makedev(major_number, minor_number) != st.st_dev)
			continue;
		dash += 3;
		(void)snprintf(buffer, size, "%.*s", (int)strcspn(dash, " "), dash);
		break;
	}
	return buffer;
}
