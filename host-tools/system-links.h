/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which NixOS system a running container has: links in /run/narthex/NAME/system, "booted" to the
 * one that its init is of, "current" to the one that was activated last. The garbage collector
 * finds them through /nix/var/nix/gcroots/narthex/NAME. Nothing here logs.
 */

#define SYSTEM_BOOTED "booted"
#define SYSTEM_CURRENT "current"

/* Makes the link point to system, in one step. dir_fd: /run/narthex/NAME, borrowed. 0 or -errno. */
int system_link_set(int dir_fd, const char *link, const char *system);

/* Where the link points to. -ENOENT: the container doesn't run, or no such system. *ret: caller
 * frees.
 */
int system_link_get(const char *name, const char *link, char **ret);

/* Removes both links and their directory, as far as they are there. */
void system_links_remove(int dir_fd);

/* Makes the garbage collector's roots of both links, where there is a Nix. 0 or -errno. */
int system_roots_add(const char *name);

/* Removes them, as far as they are there. */
void system_roots_remove(const char *name);
