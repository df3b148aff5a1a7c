/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Who answers behind a door. The launcher notes each leader (the guest's PID 1) in
 * /run/narthex/NAME/leader, which everybody may read; a client compares it with its peer before the
 * first byte.
 */

#include <stdint.h>
#include <sys/types.h>

#define TRUST_FILE "leader"

struct trust {
	pid_t leader;
	uint64_t leader_inode; /* of its pidfd on pidfs (Linux 6.9), never used twice; 0: none */
	uint32_t uid_base, uid_count; /* the container's users; count 0: not known */
};

/* Fills the leader's part from its pidfd (borrowed). 0 or -errno. */
int trust_note(struct trust *trust, pid_t leader, int pidfd);

/* Writes and reads TRUST_FILE in a directory that no guest can write to. 0 or -errno; reading
 * something else than trust_write() writes is -EBADMSG. dirfd: borrowed. */
int trust_write(int dirfd, const struct trust *trust);
int trust_read(int dirfd, struct trust *ret);

/* The parser of that file's text. 0 or -EBADMSG. */
int trust_parse(const char *text, struct trust *ret);

/*
 * Whether the listener that sock (connected, borrowed) reached is the leader or another process
 * of its pid namespace, and one of the container's users. Where the kernel tells less (before 6.5:
 * no pidfd of a peer; before 6.9: pidfds can't be compared) the users decide alone, which needs a
 * user namespace. 0, or -EPERM with *ret_why (static text).
 */
int trust_check(int sock, const struct trust *trust, const char **ret_why);

/*
 * The same for a container of somebody else: the listener's root directory is root (borrowed,
 * may be O_PATH).
 */
int trust_check_root(int sock, int root, const char **ret_why);

/* And who that is. */
struct trust_peer {
	pid_t pid;
	int pidfd; /* to see whether pid is still its number */
	int root;  /* its root directory in its mount namespace, O_PATH: the same as root */
};

/* The descriptors are the caller's. 0, or -EPERM with *ret_why (static text). */
int trust_find_peer(int sock, int root, struct trust_peer *ret, const char **ret_why);
