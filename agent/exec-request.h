/* SPDX-License-Identifier: MIT */
#pragma once

/* From a START message of the exec door to what is to be spawned. */

#include "exec-message.h"
#include "exec-user.h"
#include "spawn.h"

#define EXEC_DEFAULTS 5	   /* PATH, HOME, USER, LOGNAME, SHELL */
#define EXEC_WRAPPER_MAX 8 /* words before or instead of the given ones */
#define EXEC_OWNED_MAX 16

/* Big and used again for every message: the agent has one. Zeroes are its null state. */
struct exec_request {
	char buf[EXEC_MESSAGE_MAX + 1]; /* of a packet; strings end in NUL after parsing */
	struct exec_message message;	/* its strings are for exec_request_parse() only */
	uint32_t flags;
	char *user, *directory;
	char *words[EXEC_STRINGS_MAX + 1];
	char *given[EXEC_STRINGS_MAX + 1]; /* variables */
	char *argv[EXEC_WRAPPER_MAX + EXEC_STRINGS_MAX + 1];
	char *env[EXEC_DEFAULTS + EXEC_STRINGS_MAX + 1];
	const char **paths;
	struct spawn_identity identity;
	bool pam; /* runs through the guest's runuser */
	char *owned[EXEC_OWNED_MAX];
	size_t n_owned;
};

/*
 * Reads the packet of len bytes in buf: request->message, and for a START the fields from flags to
 * given. 0, or -EBADMSG and *ret_why (static text).
 */
int exec_request_parse(struct exec_request *request, size_t len, const char **ret_why);

/*
 * Fills what depends on the user and the guest: argv, env, paths, identity, and *ret but stdio and
 * cgroup_fd. *ret points into request and user. root: prefix of the paths looked at (NULL: none;
 * for tests). 0; -ENAMETOOLONG: no directory of PATH can have such a program; or -ENOMEM.
 */
int exec_request_prepare(struct exec_request *request, const struct exec_user *user,
	const char *root, struct spawn_request *ret);

/* Whether the start may be held up by somebody (see spawn_apart()). */
bool exec_request_is_slow(const struct exec_request *request, const struct spawn_request *spawn);

/* Frees what exec_request_prepare() made. */
void exec_request_done(struct exec_request *request);
