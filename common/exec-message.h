/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The messages of the exec protocol (docs/exec-protocol.md): one pure function reads any of them,
 * one writes each. Nothing is allocated: what a message points to lies in the buffer that was read.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EXEC_VERSION 1
#define EXEC_MESSAGE_MAX (128 * 1024)
#define EXEC_STRINGS_MAX 4096 /* argv and env, each */
#define EXEC_TEXT_MAX 1024

enum exec_type {
	EXEC_START = 1,
	EXEC_SIGNAL = 2,
	EXEC_STARTED = 129,
	EXEC_FAILED = 130,
	EXEC_EXITED = 131,
	EXEC_ERROR = 132,
};

enum exec_flag {
	EXEC_TTY = 1,
	EXEC_LOGIN = 2,
	EXEC_SHELL = 4,
	EXEC_PAM = 8,
	EXEC_DETACH = 16,
	EXEC_FLAGS_ALL = 31,
};

/* How many descriptors come with a START of these flags: the pty's slave, or stdin, stdout and
 * stderr, or none. */
static inline size_t exec_start_fds(uint32_t flags)
{
	if (flags & EXEC_DETACH)
		return 0;
	return flags & EXEC_TTY ? 1 : 3;
}

enum exec_step {
	EXEC_STEP_OTHER = 1,
	EXEC_STEP_USER,
	EXEC_STEP_DIRECTORY,
	EXEC_STEP_PROGRAM,
	EXEC_STEP_RESOURCES,
	EXEC_STEP_LIMIT,
	EXEC_STEP_PERMISSION,
};

enum exec_how { EXEC_HOW_EXITED = 1, EXEC_HOW_KILLED = 2, EXEC_HOW_UNKNOWN = 3 };

/* Counted bytes inside a message; no NUL among them, none behind. */
struct exec_string {
	const char *data;
	uint32_t len;
};

struct exec_start {
	uint32_t flags;
	uint32_t argc, envc;
	struct exec_string user, directory;
	const char *strings; /* argc + envc counted strings, checked: walk them with
				exec_string_next() */
};

struct exec_message {
	enum exec_type type;
	union {
		struct exec_start start;
		uint32_t signal;
		uint32_t pid;
		struct {
			uint32_t step, error;
			struct exec_string text;
		} failed;
		struct {
			uint32_t how, value;
			uint64_t user_usec, system_usec, maxrss;
		} exited;
		struct exec_string error;
	};
};

/*
 * Reads one packet. Returns 0, or -EBADMSG with *ret_why (static text) saying what is malformed;
 * *ret is untouched then. Pure: reads buf[0…len) only, no side effects.
 */
int exec_message_parse(const void *buf, size_t len, struct exec_message *ret, const char **ret_why);

/* The string at *cursor (from exec_start.strings), and moves the cursor behind it. */
struct exec_string exec_string_next(const char **cursor);

/*
 * Writes a START into buf (size bytes). argv and env: NULL-terminated, env may be NULL; user and
 * directory may be NULL for empty. Returns the length, -E2BIG when it doesn't fit or has too many
 * strings.
 */
ssize_t exec_message_start(void *buf, size_t size, uint32_t flags, const char *user,
	const char *directory, char *const *argv, char *const *env);

/* Writes any other message but START; buf has at least EXEC_TEXT_MAX + 64 bytes; text is cut to
 * EXEC_TEXT_MAX. Returns the length. */
size_t exec_message_write(void *buf, const struct exec_message *message);
