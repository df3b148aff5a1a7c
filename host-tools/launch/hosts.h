/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * NAME.containers in the host's /etc/hosts, which every program of a host reads. The lines of all
 * containers stand between two comments of ours; what is around them is never changed. The file is
 * replaced as a whole, one container at a time.
 *
 * A hosts file that is a link (as on NixOS, into the store) has another owner and is left alone.
 */

#include "../config/config.h"

/* Puts the container's addresses (LocalAddress=, LocalAddress6=) there, instead of others that it
 * had. A container runs without this: logs, and nothing else. */
void hosts_set(const struct container_config *config);

/* Removes them. Quick when there are none. Logs. 0 or -errno. */
int hosts_remove(const char *name);

/* Hosts=: the launcher's file for the container, with localhost, its own name, and all containers.
 */
#define HOSTS_FILE "hosts" /* in the container's directory */

/* Writes it when it differs. Nothing without Hosts=. dir_fd: borrowed. Logs. 0 or -errno. */
int hosts_refresh(const struct container_config *config, int dir_fd);

/*
 * The text of a hosts file with lines, each with its newline, instead of those that name had in
 * our block. *ret: caller frees. 0 or -ENOMEM.
 */
int hosts_edit(const char *text, const char *name, const char *lines, char **ret);
