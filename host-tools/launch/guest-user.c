/* SPDX-License-Identifier: MIT */

/*
 * The files, and nothing else: the name services of the guest are plug-ins for its own libc, which
 * a static program can't load, and shouldn't.
 */

#include "guest-user.h"

#include "../config/config-value.h"
#include "cleanup.h"
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of the guest's that is no trap. NULL with errno set. */
static FILE *open_file(const char *path)
{
	/* no magic link: the launcher's descriptors are still open */
	int fd = sys_openat2(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0,
		RESOLVE_NO_MAGICLINKS);
	struct stat st;
	FILE *f;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	f = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "re") : NULL;
	if (!f) {
		(void)close(fd);
		errno = EINVAL;
	}
	return f;
}

/* Lines that begin with '+' or '-' ask for NIS (nsswitch.conf(5), "compat"): no names, and where
 * other fields are missing they are NULL. */
static bool is_entry(const char *name)
{
	return name[0] != '\0' && name[0] != '+' && name[0] != '-';
}

static int find_account(FILE *f, const char *name, struct guest_user *ret)
{
	const struct passwd *entry;
	uint64_t number = UINT64_MAX;
	bool by_number = config_number(name, UINT32_MAX - 1, &number) == 0;

	while ((entry = fgetpwent(f)))
		if (is_entry(entry->pw_name) &&
			(by_number ? entry->pw_uid == number : strcmp(entry->pw_name, name) == 0))
			break;
	if (!entry)
		return -ENOENT;
	ret->uid = entry->pw_uid;
	ret->gid = entry->pw_gid;
	ret->name = strdup(entry->pw_name);
	ret->home = strdup(entry->pw_dir[0] == '/' ? entry->pw_dir : "/");
	ret->shell = strdup(entry->pw_shell[0] ? entry->pw_shell : "/bin/sh");
	return ret->name && ret->home && ret->shell ? 0 : -ENOMEM;
}

static int add_group(struct guest_user *user, gid_t gid)
{
	gid_t *bigger = reallocarray(user->groups, user->n_groups + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	bigger[user->n_groups++] = gid;
	user->groups = bigger;
	return 0;
}

static int find_groups(FILE *f, struct guest_user *user)
{
	const struct group *entry;
	int r = add_group(user, user->gid);

	while (r == 0 && (entry = fgetgrent(f))) {
		if (!is_entry(entry->gr_name) || entry->gr_gid == user->gid)
			continue;
		for (char **member = entry->gr_mem; r == 0 && *member; member++)
			if (strcmp(*member, user->name) == 0)
				r = add_group(user, entry->gr_gid);
	}
	return r;
}

int guest_user_read(FILE *passwd, FILE *group, const char *name, struct guest_user *ret)
{
	struct guest_user user = {};
	int r = find_account(passwd, name, &user);

	if (r == 0)
		r = group ? find_groups(group, &user) : add_group(&user, user.gid);
	if (r == 0)
		*ret = user;
	else
		guest_user_done(&user);
	return r;
}

void guest_user_done(struct guest_user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user->groups);
	*user = (struct guest_user){};
}

int guest_user_find(const char *name, struct guest_user *ret)
{
	_cleanup_fclose_ FILE *passwd = open_file("/etc/passwd"), *group = NULL;

	if (!passwd)
		return -errno;
	group = open_file("/etc/group");
	if (!group && errno != ENOENT)
		return -errno;
	return guest_user_read(passwd, group, name, ret);
}
