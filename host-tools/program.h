/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The path of another program of ours, into a new string: beside this program (a build tree), in
 * ../lib/narthex from it (installed under any prefix), else in PKGLIBDIR, whether it is there or
 * not. 0 or -errno.
 */
int program_find(const char *name, char **ret);
