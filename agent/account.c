/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "cleanup.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

/*
 * The file is read directly. getpwuid() would load the guest's NSS modules into our own libc, which
 * may be another one, and may ask daemons that aren't up yet.
 */

#define FALLBACK_SHELL "/bin/sh"
/* root's PATH as Debian's login gives it; NixOS has its programs elsewhere */
#define ROOT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NIXOS_PATH "/run/wrappers/bin:/run/current-system/sw/bin"
#define USER_PATH "/usr/local/bin:/usr/bin:/bin"
#define ENVIRONMENT_MAX 8

static bool is_program(const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

static int account_set(
	struct account *account, const char *name, const char *home, const char *shell)
{
	struct account fresh = {
		.name = strdup(name),
		.home = strdup(home),
		.shell = strdup(shell),
	};

	if (!fresh.name || !fresh.home || !fresh.shell) {
		account_done(&fresh);
		return -ENOMEM;
	}
	account_done(account);
	*account = fresh;
	return 0;
}

bool account_is_real(const char *name)
{
	return name[0] != '\0' && name[0] != '+' && name[0] != '-';
}

int account_read_root(const char *passwd, struct account *ret)
{
	_cleanup_fclose_ FILE *file = fopen(passwd ? passwd : "/etc/passwd", "re");
	struct account account = {};
	int unread = file || errno == ENOENT ? 0 : -errno;
	int r = account_set(&account, "root", "/root", FALLBACK_SHELL);

	for (bool found = false; file && r == 0;) {
		const struct passwd *entry = fgetpwent(file);

		if (!entry) {
			unread = ferror(file) ? -errno : 0;
			break;
		}
		if (!account_is_real(entry->pw_name) || entry->pw_uid != 0 ||
			(found && strcmp(entry->pw_name, "root") != 0))
			continue;
		found = true;
		r = account_set(&account, entry->pw_name,
			entry->pw_dir[0] == '/' ? entry->pw_dir : "/",
			entry->pw_shell[0] ? entry->pw_shell : FALLBACK_SHELL);
		if (strcmp(entry->pw_name, "root") == 0)
			break;
	}
	if (r == 0 && !is_program(account.shell)) {
		account.fallback = true;
		if (!is_program(FALLBACK_SHELL))
			r = -ENOEXEC;
		else
			r = account_set(&account, account.name, account.home, FALLBACK_SHELL);
		account.fallback = true;
	}
	if (r < 0) {
		account_done(&account);
		return r;
	}
	account.unread = unread;
	*ret = account;
	return 0;
}

void account_done(struct account *account)
{
	free(account->name);
	free(account->home);
	free(account->shell);
	*account = (struct account){};
}

char *account_read_lang(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		char *value = line + strlen("LANG="), *end;

		if (strncmp(line, "LANG=", strlen("LANG=")) != 0)
			continue;
		value += *value == '"' || *value == '\'';
		end = value + strcspn(value, "\"' \t\n");
		if (end == value)
			continue;
		return strndup(value, (size_t)(end - value));
	}
	return NULL;
}

static bool add(char **environment, size_t *n, const char *key, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", key, value) < 0)
		return false;
	environment[(*n)++] = text;
	return true;
}

const char *account_path(bool root)
{
	if (access("/run/current-system/sw/bin", F_OK) == 0)
		return root ? NIXOS_PATH ":" ROOT_PATH : NIXOS_PATH ":" USER_PATH;
	return root ? ROOT_PATH : USER_PATH;
}

char **account_environment(const struct account *account, const char *term)
{
	char **environment = calloc(ENVIRONMENT_MAX + 1, sizeof(*environment));
	_cleanup_free_ char *lang = NULL;
	size_t n = 0;
	bool ok = environment != NULL;

	lang = account_read_lang("/etc/default/locale");
	if (!lang)
		lang = account_read_lang("/etc/locale.conf");
	if (account)
		ok = ok && add(environment, &n, "HOME", account->home) &&
		     add(environment, &n, "USER", account->name) &&
		     add(environment, &n, "LOGNAME", account->name) &&
		     add(environment, &n, "SHELL", account->shell);
	ok = ok && add(environment, &n, "PATH", account_path(true)) &&
	     (!term || add(environment, &n, "TERM", term)) &&
	     (!lang || add(environment, &n, "LANG", lang));
	if (!ok) {
		account_free_environment(environment);
		return NULL;
	}
	return environment;
}

void account_free_environment(char **environment)
{
	for (char **p = environment; p && *p; p++)
		free(*p);
	free(environment);
}
