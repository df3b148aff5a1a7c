/* SPDX-License-Identifier: MIT */
#include "exec-user.h"

#include "account.h"
#include "cleanup.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

/*
 * The files are read directly, not through NSS: see account.c. A script runs many commands as one
 * user, so the last one found is kept as long as both files look the same to stat(2). They are
 * looked at before they are read: a change in between is seen the next time.
 */

#define FALLBACK_SHELL "/bin/sh"

static bool looks_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void user_done(struct exec_user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user->groups);
	*user = (struct exec_user){};
}

static int user_set(struct exec_user *user, const char *name, uid_t uid, gid_t gid,
	const char *home, const char *shell)
{
	user_done(user);
	user->name = strdup(name);
	user->home = strdup(home[0] == '/' ? home : "/");
	user->shell = strdup(shell[0] ? shell : FALLBACK_SHELL);
	user->uid = uid;
	user->gid = gid;
	return user->name && user->home && user->shell ? 0 : -ENOMEM;
}

/* A decimal uid; (uid_t)-1 is none. */
static bool parse_uid(const char *text, uid_t *ret)
{
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 10)
		return false;
	value = strtoull(text, &end, 10);
	if (*end || value >= (uid_t)-1)
		return false;
	*ret = (uid_t)value;
	return true;
}

static int entry_set(struct exec_user *user, const struct passwd *entry)
{
	int r = user_set(
		user, entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_dir, entry->pw_shell);

	user->known = r == 0;
	return r;
}

/* One that isn't there has no entries: *ret is NULL. */
static int open_database(const char *path, FILE **ret)
{
	*ret = fopen(path, "re");
	return *ret || errno == ENOENT ? 0 : -errno;
}

/* After an fget…ent(3) with errno 0 that has returned NULL. */
static int end_of_database(void)
{
	return errno == ENOENT ? 0 : -errno;
}

static const struct passwd *next_entry(FILE *file, int *r)
{
	const struct passwd *entry;

	errno = 0;
	entry = fgetpwent(file);
	if (!entry)
		*r = end_of_database();
	return entry;
}

static const struct group *next_group(FILE *file, int *r)
{
	const struct group *entry;

	errno = 0;
	entry = fgetgrent(file);
	if (!entry)
		*r = end_of_database();
	return entry;
}

static bool is_root(const char *name)
{
	uid_t uid;

	return strcmp(name, "root") == 0 || (parse_uid(name, &uid) && uid == 0);
}

/* Among several of one uid the first counts, as for getpwuid(3); a name counts before a uid. */
static int read_passwd(const char *path, const char *name, struct exec_user *user)
{
	_cleanup_fclose_ FILE *file = NULL;
	uid_t uid = 0;
	bool by_uid = parse_uid(name, &uid);
	int r = open_database(path, &file);

	for (const struct passwd *entry; file && (entry = next_entry(file, &r));) {
		if (!account_is_real(entry->pw_name))
			continue;
		if (strcmp(entry->pw_name, name) == 0)
			return entry_set(user, entry);
		if (!by_uid || user->known || entry->pw_uid != uid)
			continue;
		r = entry_set(user, entry);
		if (r < 0)
			return r;
	}
	if (r < 0 || user->known)
		return r;
	if (is_root(name))
		return user_set(user, "root", 0, 0, "/root", FALLBACK_SHELL);
	return by_uid ? user_set(user, name, uid, uid, "/", FALLBACK_SHELL) : -ESRCH;
}

static int add_group(struct exec_user *user, gid_t gid)
{
	gid_t *groups;

	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return 0;
	groups = realloc(user->groups, (user->n_groups + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	user->groups = groups;
	groups[user->n_groups++] = gid;
	return 0;
}

static int read_groups(const char *path, struct exec_user *user)
{
	_cleanup_fclose_ FILE *file = NULL;
	int r = add_group(user, user->gid);

	if (r == 0 && user->known)
		r = open_database(path, &file);
	for (const struct group *entry; file && r == 0 && (entry = next_group(file, &r));) {
		if (!account_is_real(entry->gr_name))
			continue;
		for (char **member = entry->gr_mem; r == 0 && *member; member++)
			if (strcmp(*member, user->name) == 0)
				r = add_group(user, entry->gr_gid);
	}
	return r;
}

/* As on a system without these files. 0 or -errno. */
static int bare_root(struct exec_user *user)
{
	int r = user_set(user, "root", 0, 0, "/root", FALLBACK_SHELL);

	return r < 0 ? r : add_group(user, 0);
}

static int remember(struct exec_users *users, const char *asked, const struct stat *passwd_stat,
	const struct stat *group_stat)
{
	users->asked = strdup(asked);
	users->passwd_stat = *passwd_stat;
	users->group_stat = *group_stat;
	return users->asked ? 0 : -ENOMEM;
}

int exec_users_find(struct exec_users *users, const char *asked, const struct exec_user **ret)
{
	const char *passwd = users->passwd ? users->passwd : "/etc/passwd";
	const char *group = users->group ? users->group : "/etc/group";
	const char *name = asked[0] ? asked : "root";
	struct stat passwd_stat = {}, group_stat = {};
	int r;

	(void)stat(passwd, &passwd_stat);
	(void)stat(group, &group_stat);
	if (users->asked && strcmp(users->asked, asked) == 0 &&
		looks_same(&passwd_stat, &users->passwd_stat) &&
		looks_same(&group_stat, &users->group_stat)) {
		*ret = &users->user;
		return 0;
	}
	exec_users_done(users);
	r = read_passwd(passwd, name, &users->user);
	if (r == 0)
		r = read_groups(group, &users->user);
	if (r == 0) {
		r = remember(users, asked, &passwd_stat, &group_stat);
	} else if (r != -ESRCH && is_root(name)) {
		int failed = bare_root(&users->user);

		r = failed < 0 ? failed : -r;
	}
	if (r < 0) {
		exec_users_done(users);
		return r;
	}
	*ret = &users->user;
	return r;
}

void exec_users_done(struct exec_users *users)
{
	free(TAKE_PTR(users->asked));
	user_done(&users->user);
}
