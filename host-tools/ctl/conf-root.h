/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What Root= of a container's configuration and its drop-ins in directory says, right or wrong as
 * the rest may be; NULL where nothing does, or no file is there. 0 or -errno. *ret: caller frees.
 * Doesn't log.
 */
int conf_root(const char *directory, const char *name, char **ret);
