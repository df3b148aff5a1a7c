/* SPDX-License-Identifier: MIT */
#pragma once

/* Who root is in this guest, and what a login of root starts with. */

#include <stdbool.h>

struct account {
	char *name, *home, *shell;
	bool fallback; /* shell isn't the account's own: that is missing or not executable */
	int unread;    /* -errno of a passwd that is there and can't be read, or 0 */
};

/*
 * The account with uid 0 in a file of passwd(5) (NULL: /etc/passwd); "root" when there are several.
 * With no such file or entry, or one that can't be read, it is root with home /root. An empty shell
 * means /bin/sh; so does one that can't be executed. 0; -ENOEXEC: not even /bin/sh can; or -errno.
 */
int account_read_root(const char *passwd, struct account *ret);

/*
 * Whether a line of passwd(5) or group(5) is an entry, by its name: those that begin with '+' or
 * '-' ask for NIS (nsswitch.conf(5), "compat"), and their other fields may be NULL or mean nothing.
 */
bool account_is_real(const char *name);

/* Frees what account owns. */
void account_done(struct account *account);

/*
 * A login's environment, NULL-terminated, freed with account_free_environment(): HOME, USER,
 * LOGNAME, SHELL (with an account), PATH, TERM (when term isn't NULL), LANG as the guest has it.
 * NULL: no memory.
 */
char **account_environment(const struct account *account, const char *term);
void account_free_environment(char **environment);

/* PATH of root's, or of another user's sessions in this guest. Static text. */
const char *account_path(bool root);

/* LANG= as set in a file like /etc/default/locale, or NULL. The caller frees it. */
char *account_read_lang(const char *file);
