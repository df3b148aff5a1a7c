/* SPDX-License-Identifier: MIT */

/*
 * BindUser=: a user of the host's in the container, as systemd-nspawn shows one: the home directory
 * in /run/host/home, and a record in /run/host/userdb that nss-systemd(8) reads.
 *
 * Unlike there, the user is not one of the host's in the container: it has a number of the
 * container's own range, and only the mount of the home directory makes the one of the other. The
 * container's root gains nothing outside of that directory.
 */

#include "integration.h"

#include "../config/config-value.h"
#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_UID 60514 /* systemd's range for users that a container is given (UIDS-GIDS) */
#define LAST_UID 60577
#define USERDB "/run/host/userdb"
#define PASSWD_MAX (1024 * 1024)

struct user {
	const char *name;
	uint32_t uid; /* in the container */
	char home[PATH_MAX], shell[PATH_MAX], password[512];
	uid_t host_uid;
	gid_t host_gid;
};

/* What needs no escaping in JSON. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static int read_account(struct user *user)
{
	_cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	if (!f)
		return -errno;
	while ((entry = fgetpwent(f)))
		if (strcmp(entry->pw_name, user->name) == 0)
			break;
	if (!entry)
		return -ENOENT;
	user->host_uid = entry->pw_uid;
	user->host_gid = entry->pw_gid;
	(void)snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
	(void)snprintf(user->shell, sizeof(user->shell), "%s", entry->pw_shell);
	return 0;
}

/* The hash, so that the same password is right in the container; "" for none. */
static int read_password(struct user *user)
{
	_cleanup_fclose_ FILE *f = fopen("/etc/shadow", "re");
	const struct spwd *entry;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = fgetspent(f)))
		if (strcmp(entry->sp_namp, user->name) == 0 && entry->sp_pwdp[0] == '$' &&
			is_plain(entry->sp_pwdp))
			(void)snprintf(
				user->password, sizeof(user->password), "%s", entry->sp_pwdp);
	return 0;
}

/* Whether the container's own /etc/passwd has the name or the number. */
static int check_free(const struct build *build, const struct user *user)
{
	_cleanup_close_ int fd = tree_open(build->root, "/etc/passwd", S_IFREG);
	_cleanup_free_ char *text = NULL;
	char link[64], *rest, *line;
	ssize_t n;

	if (fd == -ENOENT)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fd < 0 ? fd : file_read_all(AT_FDCWD, link, O_NONBLOCK | O_NOCTTY, PASSWD_MAX, &text);
	if (n < 0)
		return log_errno((int)n, "cannot read the container's /etc/passwd");
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *name = strsep(&line, ":");
		const char *number = line && strsep(&line, ":") && line ? strsep(&line, ":") : "";
		uint64_t uid = 0;

		if (strcmp(name, user->name) == 0 ||
			(config_number(number, UINT32_MAX, &uid) == 0 && uid == user->uid)) {
			log_error("BindUser=%s: the container has such a user, or the number %u, "
				  "already",
				user->name, user->uid);
			return -EEXIST;
		}
	}
	return 0;
}

/* NAME.SUFFIX, and a link to it by the number. */
static int write_record(
	const struct build *build, const struct user *user, const char *suffix, const char *text)
{
	_cleanup_close_ int directory = tree_mkdir_p(build->root, USERDB);
	char name[512], number[32];
	bool secret = strcmp(suffix, "user-privileged") == 0;
	int r;

	if (directory < 0)
		return directory;
	(void)snprintf(name, sizeof(name), "%s.%s", user->name, suffix);
	(void)snprintf(number, sizeof(number), "%u.%s", user->uid, suffix);
	r = tree_write(directory, name, text, secret ? 0400 : 0444);
	if (r >= 0 && symlinkat(name, directory, number) < 0)
		r = -errno;
	return r;
}

static int write_records(const struct build *build, const struct user *user)
{
	char text[PATH_MAX + 1024];
	int r;

	(void)snprintf(text, sizeof(text),
		"{\"userName\":\"%s\",\"uid\":%u,\"gid\":%u,\"homeDirectory\":\"/run/host/home/"
		"%s\","
		"\"shell\":\"%s\",\"disposition\":\"container\",\"service\":\"narthex\"}\n",
		user->name, user->uid, user->uid, user->name, user->shell);
	r = write_record(build, user, "user", text);
	if (r >= 0 && user->password[0]) {
		(void)snprintf(text, sizeof(text),
			"{\"privileged\":{\"hashedPassword\":[\"%s\"]}}\n", user->password);
		r = write_record(build, user, "user-privileged", text);
	}
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text),
		"{\"groupName\":\"%s\",\"gid\":%u,\"disposition\":\"container\",\"service\":"
		"\"narthex\"}\n",
		user->name, user->uid);
	return write_record(build, user, "group", text);
}

static int bind_home(struct build *build, const struct user *user)
{
	const struct uid_range *range = &build->launch->range;
	char target[PATH_MAX];

	(void)snprintf(target, sizeof(target), "/run/host/home/%s", user->name);
	return bind_for_user(build, user->home, target,
		&(struct stat){ .st_uid = user->host_uid, .st_gid = user->host_gid },
		&(struct stat){
			.st_uid = range->base + user->uid,
			.st_gid = range->base + user->uid,
		});
}

/* A shell that the container hasn't got would keep its user out. */
static void choose_shell(const struct build *build, struct user *user)
{
	_cleanup_close_ int fd = user->shell[0] == '/' && is_plain(user->shell)
					 ? open_inside(build, user->shell)
					 : -ENOENT;

	if (fd < 0)
		(void)snprintf(user->shell, sizeof(user->shell), "/bin/sh");
}

static int add_user(struct build *build, const char *name, uint32_t uid)
{
	struct user user = { .name = name, .uid = uid };
	int r;

	if (uid > LAST_UID || uid >= build->launch->range.count) {
		log_error(
			"BindUser=%s: the container's users have no number left for it (%u to %u)",
			name, FIRST_UID, LAST_UID);
		return -ERANGE;
	}
	r = read_account(&user);
	if (r >= 0)
		r = read_password(&user);
	if (r < 0)
		return log_errno(r, "BindUser=%s: cannot look the user up on the host", name);
	if (user.host_uid == 0) {
		log_error("BindUser=%s: the host's root is shown to no container", name);
		return -EPERM;
	}
	choose_shell(build, &user);
	r = check_free(build, &user);
	if (r >= 0)
		r = bind_home(build, &user);
	if (r < 0)
		return r;
	r = write_records(build, &user);
	return r < 0 ? log_errno(
			       r, "BindUser=%s: cannot write to " USERDB " in the container", name)
		     : 0;
}

int bind_users_apply(struct build *build)
{
	char **users = build->launch->config.bind_users;
	int r = 0;

	for (uint32_t i = 0; r >= 0 && users && users[i]; i++)
		r = add_user(build, users[i], FIRST_UID + i);
	return r;
}
