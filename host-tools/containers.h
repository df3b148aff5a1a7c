/* SPDX-License-Identifier: MIT */
#pragma once

/* Which containers there are: those with a configuration, and those that run without one. */

#include <stdbool.h>
#include <stddef.h>

/* All names, sorted; a NULL-terminated list, freed by containers_free(). 0 or -errno. */
int containers_list(char ***ret);

/* NULL is fine. */
void containers_free(char **names);
void containers_freep(char ***names);

/* Whether CONFIG_DIR/NAME.conf is there. */
bool container_is_configured(const char *name);

/*
 * Whether there is such a container, configured or running; says so when there is none, with the
 * nearest name. verb: begins the message.
 */
bool container_is_known(const char *verb, const char *name);
