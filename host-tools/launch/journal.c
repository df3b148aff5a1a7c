/* SPDX-License-Identifier: MIT */

/*
 * LinkJournal=host: /var/log/journal/ID of the host, ID being the container's machine ID, is where
 * the container's journal lies. The container says itself what its ID is, so the directory must
 * belong to its own root's user, as one that was made here does: neither the host's journal nor
 * another container's can be had by a changed ID. (Without a user namespace all belongs to one root
 * anyway.)
 */

#include "integration.h"

#include "cleanup.h"
#include "fd.h"
#include "guest.h"
#include "log.h"
#include "mnt.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNALS "/var/log/journal"
#define ID_LEN 32

static bool is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == ID_LEN && text[ID_LEN] == '\0';
}

/* The ID that the container's journald will use. */
static void find_id(const struct build *build, char id[ID_LEN + 1])
{
	char line[ID_LEN + 2];

	guest_line(build->root, "/etc/machine-id", line, sizeof(line));
	if (is_id(line))
		(void)snprintf(id, ID_LEN + 1, "%.*s", ID_LEN, line);
	else
		guest_uuid(&build->launch->config, id);
}

static bool is_hosts_id(const char *id)
{
	_cleanup_free_ char *text = NULL;

	return file_read_all(AT_FDCWD, "/etc/machine-id", 0, 64, &text) >= ID_LEN &&
	       strncmp(text, id, ID_LEN) == 0;
}

static int check_owner(const struct build *build, int directory, const char *id)
{
	struct stat st;

	if (fstat(directory, &st) < 0)
		return log_errno(-errno, "cannot examine " JOURNALS "/%s", id);
	if (st.st_uid == build->launch->range.base)
		return 0;
	log_error("LinkJournal=: " JOURNALS
		  "/%s belongs to user %u, not to the container's root (%u): it is another's, or "
		  "the container's range has changed; move it away, or change its owner",
		id, st.st_uid, build->launch->range.base);
	return -EPERM;
}

/* Opens, or with make makes, the container's directory on the host. -ENOENT: there is none. */
static int open_directory(const struct build *build, const char *id, bool make)
{
	_cleanup_close_ int all = open(JOURNALS, O_PATH | O_DIRECTORY | O_CLOEXEC), own = -EBADF;
	int r;

	if (all < 0)
		return -errno;
	own = tree_open(all, id, S_IFDIR);
	if (own == -ENOENT && make) {
		/* whoever made it is the guest's root by its number already; the group isn't */
		if (mkdirat(all, id, 0755) < 0 ||
			fchownat(all, id, build->launch->range.base, build->launch->range.base,
				AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		own = tree_open(all, id, S_IFDIR);
	}
	if (own < 0)
		return own;
	r = check_owner(build, own, id);
	return r < 0 ? r : TAKE_FD(own);
}

int journal_apply(struct build *build)
{
	enum link_journal mode = build->launch->config.link_journal;
	_cleanup_close_ int directory = -EBADF, mount = -EBADF;
	char id[ID_LEN + 1], path[PATH_MAX];
	int r;

	if (mode == LINK_JOURNAL_NO)
		return 0;
	find_id(build, id);
	if (is_hosts_id(id)) {
		if (mode != LINK_JOURNAL_HOST)
			return 0;
		log_error("LinkJournal=host: the container has the host's machine ID: empty its "
			  "/etc/machine-id");
		return -EEXIST;
	}
	directory = open_directory(build, id, mode != LINK_JOURNAL_AUTO);
	if (directory == -ENOENT && mode != LINK_JOURNAL_HOST)
		return 0;
	if (directory == -ENOENT)
		log_error("LinkJournal=host: the host keeps no journal on disk: make " JOURNALS
			  ", or use try-host");
	else if (directory < 0 && directory != -EPERM)
		log_errno(directory, "cannot open " JOURNALS "/%s (LinkJournal=)", id);
	if (directory < 0)
		return directory;
	mount = mnt_clone(directory, "", false);
	r = mount < 0 ? mount
		      : mnt_set(mount, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
				false);
	if (r < 0)
		return log_errno(r, "cannot clone " JOURNALS "/%s", id);
	(void)snprintf(path, sizeof(path), JOURNALS "/%s", id);
	return mount_at(build, TAKE_FD(mount), path, S_IFDIR);
}
