/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Kept sessions (narthex shell --keep). narthex-keep (keep/) holds the terminal of one, and listens
 * at RUN_DIR/NAME/kept/ID for whoever attaches to it. Here is what both sides say, and how such
 * sessions are found. Both sides are the host's root.
 *
 * SOCK_SEQPACKET; a packet is a struct kept_header and what belongs to its type.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KEPT_DIR "kept"
#define KEPT_MAX 64 /* of one container; IDs are 1 to that */
#define KEPT_VERSION 1
#define KEPT_DATA 16384 /* at most, of one packet */
#define KEPT_USER_SIZE 64
#define KEPT_TEXT_SIZE 256

enum kept_type {
	/* to the keeper; the end of input leaves the session */
	KEPT_ATTACH = 1, /* struct kept_size: show it to me, whoever sees it now */
	KEPT_ASK,	 /* is answered by KEPT_STATE and the end */
	KEPT_SIZE,	 /* struct kept_size: the terminal has another size now */
	KEPT_KEYS,	 /* bytes */
	/* to the client; the last three come at the end */
	KEPT_STATE = 65, /* struct kept_state; to the one who began it, too, when it runs */
	KEPT_OUTPUT,	 /* bytes */
	KEPT_LEFT,
	KEPT_TAKEN, /* another has attached */
	KEPT_ENDED, /* struct kept_end */
};

struct kept_header {
	uint8_t version, type;
};

struct kept_size {
	uint16_t rows, columns;
};

struct kept_state {
	uint64_t since_usec; /* CLOCK_REALTIME */
	uint32_t id;
	int32_t status;	  /* of the program, when it has ended; negative: it runs */
	uint8_t attached; /* 0 or 1 */
	bool silent;	  /* nobody answers; only id is known. Not sent */
	char user[KEPT_USER_SIZE];
};

struct kept_end {
	int32_t status;
	char text[KEPT_TEXT_SIZE]; /* what happened, when that isn't the program's own end */
};

struct kept_packet {
	struct kept_header header;
	union {
		char data[KEPT_DATA];
		struct kept_size size;
		struct kept_state state;
		struct kept_end end;
	};
};

/* Sends one packet. flags: send(2)'s, MSG_NOSIGNAL is added. 0 or -errno. */
int kept_send(int sock, enum kept_type type, const void *data, size_t len, int flags);

/*
 * Receives one packet. The length of what follows the header, which fits the type; -ENODATA: the
 * end; -EPROTO: no packet of this version. flags: recv(2)'s.
 */
ssize_t kept_receive(int sock, struct kept_packet *ret, int flags);

/*
 * Takes the lowest ID that is free in container name (valid, running) and listens there. *ret_dir:
 * the directory. The socket, or -errno: -EUSERS when all IDs are taken.
 */
int kept_listen(const char *name, unsigned int *ret_id, int *ret_dir);

/* Connects to the keeper of a session. The socket, or -errno: -ENOENT when there is none. */
int kept_connect(const char *name, unsigned int id);

/*
 * The sessions that are kept in container name (valid), by ID; ret has room for KEPT_MAX. Their
 * number, or -errno: -ENOENT when the container doesn't run, -EACCES for callers other than root.
 */
ssize_t kept_list(const char *name, struct kept_state *ret);
