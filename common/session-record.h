/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The list of open sessions that an agent keeps for the host: a file of records, each of which is
 * free (blanks) or one session. It lies with the doors, in a tmpfs that host and guest share.
 *
 * A record is a line of SESSION_RECORD_SIZE bytes: the door's name, a blank, when the session began
 * (microseconds since 1970 UTC, decimal), a blank, the user or "-", blanks, a newline.
 */

#include <stddef.h>
#include <stdint.h>

#define SESSION_RECORD_DIR "/run/host/narthex/doors" /* in the guest */
#define SESSION_RECORD_FILE "sessions"
#define SESSION_RECORD_SIZE 80
#define SESSION_RECORDS_MAX 4096 /* what the agent serves at most, unless it is told otherwise */
#define SESSION_USER_SIZE 40

struct session_record {
	char door[16];
	char user[SESSION_USER_SIZE]; /* "": not known, the door asks for it inside */
	uint64_t since_usec;
};

/* A user's name that is empty, too long or not plain printable ASCII becomes "-". */
void session_record_write(char out[SESSION_RECORD_SIZE], const struct session_record *record);

/* A free record. */
void session_record_clear(char out[SESSION_RECORD_SIZE]);

/*
 * Reads SESSION_RECORD_SIZE bytes of anything. 1; 0: free; -EBADMSG: what session_record_write()
 * doesn't write, such as a door that there isn't, or bytes other than printable ASCII.
 */
int session_record_parse(const char in[SESSION_RECORD_SIZE], struct session_record *ret);
