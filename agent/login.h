/* SPDX-License-Identifier: MIT */
#pragma once

/* The guest's login program. */

#include <stddef.h>

/*
 * The command that shows /etc/issue and asks for name and password on its terminal, as this guest
 * has it. terminal: its name, "pts/3". root: prefix of every path looked at (NULL: none; for
 * tests). argv: size entries, filled with strings that the caller frees, NULL-terminated; argv[0]
 * is an absolute path. 0; -ENOENT: the guest has no login program; -ENOMEM.
 */
int login_find(const char *root, const char *terminal, char **argv, size_t size);
