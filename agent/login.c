/* SPDX-License-Identifier: MIT */
#include "login.h"

#include "cleanup.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Theory of operation
 *
 * agetty(8) sleeps a second before its prompt on anything that isn't a virtual console: it waits
 * for noise on a serial line to pass. Only its own prompt does so; what it prints before
 * (agetty --show-issue, with all escapes of the issue files) takes 3 ms, and the prompt that
 * follows is login's own, "HOST login: ", for shadow's and util-linux's login alike. So a shell
 * prints the one and becomes the other, and login is the leader of the session. With --show-issue
 * agetty believes that every terminal is tty1 (\l in the issue file), so the shell puts the name
 * right.
 *
 * busybox's getty sleeps a tenth of a second; its login shows no issue file, and nothing else of
 * busybox expands one. There getty is run as it is.
 */

/* $1: agetty, $2: login, $3: name of the terminal */
#define SCRIPT                                                                                     \
	"i=$(\"$1\" --show-issue; echo .)\n"                                                       \
	"i=${i%.}\n"                                                                               \
	"case $i in *tty1*) i=${i%%tty1*}$3${i#*tty1} ;; esac\n"                                   \
	"printf %s \"$i\"\n"                                                                       \
	"exec \"$2\""

static const char *const directories[] = {
	"/usr/sbin",
	"/sbin",
	"/usr/bin",
	"/bin",
	"/run/wrappers/bin",
	"/run/current-system/sw/bin",
};

enum need {
	NEED_LOGIN = 1 << 0, /* a login of its own */
	NEED_AGETTY = 1 << 1,
	NEED_GETTY = 1 << 2,
};

/* The first row whose needs are met is taken. %L, %A, %G: the paths of
 * login, agetty, getty; %T: the terminal. */
static const struct {
	unsigned int needs;
	const char *argv[8];
} ways[] = {
	{
		.needs = NEED_LOGIN | NEED_AGETTY,
		.argv = { "/bin/sh", "-c", SCRIPT, "login", "%A", "%L", "%T" },
	},
	{
		/* "-": the terminal is stdin; baud rate 0: leave it */
		.needs = NEED_GETTY,
		.argv = { "%G", "-L", "0", "-" },
	},
	{
		.needs = NEED_LOGIN,
		.argv = { "%L" },
	},
};

/* Whether root/path is a program; *ret_busybox: one of busybox's. */
static bool is_program(const char *root, const char *path, bool *ret_busybox)
{
	char full[PATH_MAX], target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return false;
	n = readlink(full, target, sizeof(target) - 1);
	if (n > 0) {
		const char *name;

		target[n] = '\0';
		name = strrchr(target, '/');
		name = name ? name + 1 : target;
		if (strncmp(name, "busybox", strlen("busybox")) == 0) {
			*ret_busybox = true;
			return true;
		}
	}
	*ret_busybox = false;
	return stat(full, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

static bool find_program(
	const char *root, const char *name, char *ret, size_t size, bool *ret_busybox)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		(void)snprintf(ret, size, "%s/%s", directories[i], name);
		if (is_program(root, ret, ret_busybox))
			return true;
	}
	return false;
}

int login_find(const char *root, const char *terminal, char **argv, size_t size)
{
	char login[64], agetty[64], getty[64];
	unsigned int have = 0;
	bool busybox;

	if (!root)
		root = "";
	if (find_program(root, "login", login, sizeof(login), &busybox) && !busybox)
		have |= NEED_LOGIN;
	if (find_program(root, "agetty", agetty, sizeof(agetty), &busybox) && !busybox)
		have |= NEED_AGETTY;
	if (find_program(root, "getty", getty, sizeof(getty), &busybox) && busybox)
		have |= NEED_GETTY;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		size_t n = 0;

		if ((ways[i].needs & ~have) != 0)
			continue;
		for (; n + 1 < size && n < ARRAY_SIZE(ways[i].argv) && ways[i].argv[n]; n++) {
			const char *word = ways[i].argv[n];

			if (strcmp(word, "%L") == 0)
				word = login;
			else if (strcmp(word, "%A") == 0)
				word = agetty;
			else if (strcmp(word, "%G") == 0)
				word = getty;
			else if (strcmp(word, "%T") == 0)
				word = terminal;
			argv[n] = strdup(word);
			if (!argv[n])
				return -ENOMEM;
		}
		argv[n] = NULL;
		return 0;
	}
	return -ENOENT;
}
