/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Keeps sessions where they outlive the agent: in systemd's fd store (sd_pid_notify_with_fds(3)),
 * or, without systemd, in the agent's own descriptors over an exec.
 */

#include "spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define STORE_FDS_MAX 8
#define STORE_NAME_SIZE 32

/*
 * What the descriptors of a session can't tell. The layout is read by later agents: a change needs
 * another STORE_VERSION, and the first two bytes stay what they are.
 */
#define STORE_VERSION 1

enum store_flags {
	STORE_TTY = 1 << 0,
	STORE_DETACHED = 1 << 1,
	STORE_PAM = 1 << 2,
	STORE_CGROUP = 1 << 3,	 /* has a cgroup of its own, named by its id */
	STORE_STARTING = 1 << 4, /* the last descriptor is of spawn_apart()'s report */
};

struct store_record {
	uint8_t version;
	uint8_t door; /* enum door_kind */
	uint16_t flags;
	uint32_t peer_uid;
	int32_t peer_pid;
	int32_t leader;
	uint64_t id;
	uint64_t started; /* CLOCK_MONOTONIC, µs */
	char program[64];
	char user[40];
};

/* One session can be in it at a time. */
struct store_slot {
	LIST_ENTRY(store_slot) entry;
	int in; /* negative: of an earlier agent, its session is the last */
	int out;
	char name[STORE_NAME_SIZE];
};
LIST_HEAD(store_slots, store_slot);

/* What keeps a session, before its leader is known. */
struct store_message {
	struct store_record record;
	/* a struct cmsghdr and what it heads */
	char control[CMSG_SPACE(sizeof(int) * STORE_FDS_MAX)]
		__attribute__((aligned(__alignof__(struct cmsghdr))));
	struct iovec iov;
	struct msghdr header;
};

struct store {
	struct store_slots used, free;
	struct store_message message; /* one at a time */
	size_t n_free;
	bool systemd; /* there is somebody to keep descriptors for us */
};

/* Never fails: what can't be kept lives and dies with the agent. */
void store_init(struct store *store);

/* Frees memory and our descriptors; what systemd has it keeps, for the next agent. */
void store_done(struct store *store);

/*
 * Keeps a session. fds: at most STORE_FDS_MAX, borrowed; by convention the client's socket is the
 * first. NULL: it can't be kept (out of memory or descriptors). Blocks only when PID 1 doesn't
 * read.
 */
struct store_slot *store_keep(
	struct store *store, const struct store_record *record, const int *fds, size_t n);

/*
 * The same in two steps: what is prepared here is sent by store_send(), or by whoever sends
 * store->message.header on slot->in. Until then the record's leader and the descriptors, at
 * store_message_fds(), may change, and no other session can be kept.
 */
struct store_slot *store_prepare(
	struct store *store, const struct store_record *record, const int *fds, size_t n);
int *store_message_fds(struct store *store);
/* For a child that sends it; the second descriptor is its pidfd. */
struct spawn_first store_first(struct store *store, struct store_slot *slot);
/* False: it isn't kept, and *slot becomes NULL. */
bool store_send(struct store *store, struct store_slot **slot);

/* The session has ended. *slot may be NULL, and becomes it. */
void store_release(struct store *store, struct store_slot **slot);

/* Whether a descriptor that systemd passed is one of ours, by its name. */
bool store_is_slot(const char *name);

/*
 * Takes over what an earlier agent kept in fd (consumed). Returns the slot, which has the session
 * still; ret_fds: *ret_n descriptors, O_CLOEXEC, the caller's. NULL: nothing was in it, and it is
 * gone from the store. A record of another version has only version and door, and its descriptors.
 */
struct store_slot *store_take(struct store *store, int fd, const char *name,
	struct store_record *ret, int ret_fds[STORE_FDS_MAX], size_t *ret_n);
