/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Profiles of Nix: a link PROFILE to PROFILE-N-link, its generation N, which is a link to what it
 * holds. They are read here, and changed by nix-env(1), which knows the locks and the store.
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* Where `create` makes a container's profile, and `destroy` removes it. A guest can't write there.
 */
#define PROFILES_DIR "/nix/var/nix/profiles/containers"

struct generation {
	unsigned number;
	char *system; /* what it holds */
	time_t since;
	bool is_current;
};

struct profile {
	char *path;
	struct generation *generations; /* by their numbers */
	size_t n;
};

/* Whether this host has a Nix whose store knows what is in it. */
bool nix_is_here(void);

/*
 * Whether path can be a profile of a container that the host decides about; says why not, with what
 * to do. A profile that isn't there yet can be one. verb: begins the message.
 */
bool profile_is_usable(const char *verb, const char *path);

/* Whether Nix would name a generation of another profile like this: "web-2-link" is web's second.
 */
bool profile_name_is_generation(const char *name);

/* Reads it; one that isn't there has no generations. 0 or -errno. Doesn't log. */
int profile_read(const char *path, struct profile *ret);
void profile_done(struct profile *profile);

/* The generation it leads to, or NULL. */
const struct generation *profile_current(const struct profile *profile);

/* The last generation that holds system, or NULL. */
const struct generation *profile_find(const struct profile *profile, const char *system);

/* Makes a generation that holds system the current one. Logs; verb: begins the message. */
int profile_set(const char *verb, const char *path, const char *system);

/* Makes generation number the current one. Logs. */
int profile_switch(const char *verb, const char *path, unsigned number);

/* Forgets generations. Logs. */
int profile_forget(const char *verb, const char *path, const unsigned *numbers, size_t n);

/* Removes the profile of that name in PROFILES_DIR, with its generations. Logs. 0 or -errno. */
int profile_remove(const char *verb, const char *name);
