/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include "child.h"
#include "cleanup.h"
#include "ctl.h"
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STORE "/nix/store/"
#define DATABASE "/nix/var/nix/db/db.sqlite"
#define GUESTS_PROFILES "/nix/var/nix/profiles/per-container/"

bool nix_is_here(void)
{
	return access(DATABASE, F_OK) == 0;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

bool profile_is_usable(const char *verb, const char *path)
{
	_cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') - path + 1));
	_cleanup_free_ char *real = directory ? realpath(directory, NULL) : NULL;
	const char *where = real ?: path;
	struct stat st;

	if (begins(path, STORE) || begins(where, STORE) ||
		(lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))) {
		log_error("%s: Path=%s is a system itself, not a profile: set Path= to a profile, "
			  "like " PROFILES_DIR "/NAME",
			verb, path);
		return false;
	}
	if (begins(where, GUESTS_PROFILES) || begins(path, GUESTS_PROFILES)) {
		log_error("%s: Path=%s is the container's own profile, which its root changes: set "
			  "it there, and run this without --path",
			verb, path);
		return false;
	}
	return true;
}

bool profile_name_is_generation(const char *name)
{
	static const char suffix[] = "-link";
	size_t len = strlen(name), digits = 0;

	if (len < sizeof(suffix) || strcmp(name + len - (sizeof(suffix) - 1), suffix) != 0)
		return false;
	len -= sizeof(suffix) - 1;
	while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9') {
		len--;
		digits++;
	}
	return digits > 0 && len > 1 && name[len - 1] == '-';
}

/* --- reading ------------------------------------------------------------------------------- */

/* N of "BASE-N-link", 0 for other names. */
static unsigned generation_number(const char *base, const char *name)
{
	size_t n = strlen(base);
	unsigned long number;
	char *end;

	if (strncmp(name, base, n) != 0 || name[n] != '-' || name[n + 1] < '1' || name[n + 1] > '9')
		return 0;
	number = strtoul(name + n + 1, &end, 10);
	return strcmp(end, "-link") == 0 && number <= INT_MAX ? (unsigned)number : 0;
}

static int read_link(int dirfd, const char *name, char **ret)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0)
		return -errno;
	if (n == sizeof(target))
		return -ENAMETOOLONG;
	*ret = strndup(target, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

static int add_generation(
	struct profile *profile, int dirfd, const char *name, unsigned number, const char *current)
{
	struct generation *bigger =
		reallocarray(profile->generations, profile->n + 1, sizeof(*bigger));
	struct generation *g;
	struct stat st;
	int r;

	if (!bigger)
		return -ENOMEM;
	profile->generations = bigger;
	g = &bigger[profile->n];
	*g = (struct generation){ .number = number };
	r = read_link(dirfd, name, &g->system);
	if (r < 0)
		return r == -EINVAL || r == -ENOENT ? 0 : r; /* no link: not one of Nix's */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		g->since = st.st_mtime;
	g->is_current = current && strcmp(name, current) == 0;
	profile->n++;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	unsigned x = ((const struct generation *)a)->number;
	unsigned y = ((const struct generation *)b)->number;

	return x < y ? -1 : x > y;
}

static int read_directory(struct profile *profile, DIR *dir, const char *base)
{
	_cleanup_free_ char *link = NULL;
	const char *current = NULL;
	struct dirent *entry;
	unsigned number;
	int r = read_link(dirfd(dir), base, &link);

	if (link)
		current = strrchr(link, '/') ? strrchr(link, '/') + 1 : link;
	else if (r < 0 && r != -ENOENT)
		return r;
	r = 0;
	while (r == 0 && (entry = readdir(dir)))
		if ((number = generation_number(base, entry->d_name)) > 0)
			r = add_generation(profile, dirfd(dir), entry->d_name, number, current);
	if (profile->n > 0)
		qsort(profile->generations, profile->n, sizeof(*profile->generations), by_number);
	return r;
}

int profile_read(const char *path, struct profile *ret)
{
	_cleanup_free_ char *directory = strdup(path);
	_cleanup_closedir_ DIR *dir = NULL;
	struct profile profile = { .path = strdup(path) };
	int r = directory && profile.path ? 0 : -ENOMEM;

	if (r == 0) {
		strrchr(directory, '/')[1] = '\0';
		dir = opendir(directory);
		if (dir)
			r = read_directory(&profile, dir, strrchr(path, '/') + 1);
		else if (errno != ENOENT)
			r = -errno;
	}
	if (r < 0)
		profile_done(&profile);
	else
		*ret = profile;
	return r;
}

void profile_done(struct profile *profile)
{
	for (size_t i = 0; i < profile->n; i++)
		free(profile->generations[i].system);
	free(profile->generations);
	free(profile->path);
	*profile = (struct profile){};
}

const struct generation *profile_current(const struct profile *profile)
{
	for (size_t i = 0; i < profile->n; i++)
		if (profile->generations[i].is_current)
			return &profile->generations[i];
	return NULL;
}

const struct generation *profile_find(const struct profile *profile, const char *system)
{
	for (size_t i = profile->n; i > 0; i--)
		if (strcmp(profile->generations[i - 1].system, system) == 0)
			return &profile->generations[i - 1];
	return NULL;
}

/* --- changing ------------------------------------------------------------------------------ */

static int nix_env(const char *verb, char *const *argv)
{
	int r = child_run(&(struct child){ .argv = argv, .stdin_fd = -EBADF, .cwd_fd = -EBADF });

	if (r == -ENOENT)
		log_error("%s: there is no nix-env in PATH: install Nix", verb);
	else if (r < 0)
		log_errno(r, "%s: cannot run nix-env", verb);
	else if (r > 0)
		log_error("%s: nix-env has failed", verb);
	return r > 0 ? -EIO : r;
}

int profile_set(const char *verb, const char *path, const char *system)
{
	char *argv[] = { (char *)"nix-env", (char *)"--profile", (char *)path, (char *)"--set",
		(char *)system, NULL };

	if (begins(path, PROFILES_DIR "/") && mkdir(PROFILES_DIR, 0755) < 0 && errno != EEXIST)
		return log_errno(-errno, "%s: cannot make " PROFILES_DIR, verb);
	return nix_env(verb, argv);
}

int profile_switch(const char *verb, const char *path, unsigned number)
{
	char text[16];
	char *argv[] = { (char *)"nix-env", (char *)"--profile", (char *)path,
		(char *)"--switch-generation", text, NULL };

	(void)snprintf(text, sizeof(text), "%u", number);
	return nix_env(verb, argv);
}

int profile_forget(const char *verb, const char *path, const unsigned *numbers, size_t n)
{
	_cleanup_free_ char **argv = calloc(n + 5, sizeof(*argv));
	_cleanup_free_ char(*texts)[16] = calloc(n + 1, sizeof(*texts));
	size_t i = 0;

	if (!argv || !texts)
		return log_errno(-ENOMEM, "%s", verb);
	if (n == 0)
		return 0;
	argv[i++] = (char *)"nix-env";
	argv[i++] = (char *)"--profile";
	argv[i++] = (char *)path;
	argv[i++] = (char *)"--delete-generations";
	for (size_t j = 0; j < n; j++) {
		(void)snprintf(texts[j], sizeof(texts[j]), "%u", numbers[j]);
		argv[i++] = texts[j];
	}
	return nix_env(verb, argv);
}

int profile_remove(const char *verb, const char *name)
{
	_cleanup_closedir_ DIR *dir = opendir(PROFILES_DIR);
	char lock[NAME_MAX + 1];
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0
				       : log_errno(-errno, "%s: cannot open " PROFILES_DIR, verb);
	(void)snprintf(lock, sizeof(lock), "%s.lock", name);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, name) != 0 && strcmp(entry->d_name, lock) != 0 &&
			generation_number(name, entry->d_name) == 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			r = log_errno(-errno, "%s: cannot remove " PROFILES_DIR "/%s", verb,
				entry->d_name);
	}
	return r;
}
