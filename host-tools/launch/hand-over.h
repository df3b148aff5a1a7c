/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What one launcher leaves to the next when it executes it in its own place: a memfd with fields in
 * a fixed order, NAME=VALUE each with a NUL behind it, and descriptors that stay open under their
 * numbers.
 *
 * One function describes each part of it, for both ways: the field functions return the value that
 * they are given after having written it, or the one that they have read. The first error stays and
 * is looked at in the end; from there on nothing is written, and what is read is 0, -EBADF or NULL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The environment variable that tells the next launcher the memfd's number. */
#define HAND_OVER_VARIABLE "NARTHEX_HAND_OVER"

/* To be raised with every change of the fields. Other versions are refused. */
#define HAND_OVER_VERSION 1

struct hand_over {
	bool reading;
	int error;	   /* 0 or -errno */
	const char *field; /* which one it was */
	int fd;		   /* the memfd */
	FILE *file;	   /* writing */
	char *text;	   /* reading: all of it, */
	size_t at, size;   /* and what comes next */
	int *fds;	   /* the descriptors among the fields, and the memfd */
	size_t n_fds;
};

#define HAND_OVER_NULL ((struct hand_over){ .fd = -EBADF })

/* Begins to write. 0 or -errno. hand_over_done() in any case. */
int hand_over_write(struct hand_over *h);

/*
 * Begins to read what fd (consumed) has. Logs what is wrong with it, a version among that. 0 or
 * -errno. hand_over_done() in any case.
 */
int hand_over_read(struct hand_over *h, int fd);

uint64_t hand_over_number(struct hand_over *h, const char *name, uint64_t value);

/* Borrowed when written, the caller's when read, with O_CLOEXEC; negative: none. */
int hand_over_fd(struct hand_over *h, const char *name, int fd);

/* Borrowed when written, the caller's to free when read; NULL: none. No text has a NUL. */
char *hand_over_text(struct hand_over *h, const char *name, char *text);

/* Any bytes, len of them: written from data, or read into it, at most max. Returns how many. */
size_t hand_over_bytes(struct hand_over *h, const char *name, char *data, size_t len, size_t max);

/* The same for what must not be cut or added: a number that is at most max. */
size_t hand_over_count(struct hand_over *h, const char *name, size_t n, size_t max);

/* Ends the writing or reading. 0, or -errno with h->field being what could not be done. */
int hand_over_end(struct hand_over *h);

/* Whether the descriptors stay open over an exec. 0 or -errno. */
int hand_over_keep(const struct hand_over *h, bool keep);

/* Frees it and closes the memfd, no other descriptor. Safe on the null state, which it leaves. */
void hand_over_done(struct hand_over *h);
