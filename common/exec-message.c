/* SPDX-License-Identifier: MIT */

/*
 * The reader walks a packet with a cursor that can't leave it: every field is taken through
 * take_u32(), take_u64() or take_string(), and once one of them has found too few bytes the cursor
 * is broken and gives zeros. What a type demands of its values is asked afterwards, and the first
 * objection is the answer.
 */

#include "exec-message.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HEADER_SIZE 8
#define SIGNAL_MAX 64
#define ERRNO_MAX 4095 /* of Linux, include/linux/err.h */

struct cursor {
	const char *at;
	size_t left;
	const char *why; /* of the first objection, NULL for none */
};

static void object(struct cursor *c, const char *why)
{
	if (!c->why)
		c->why = why;
	c->left = 0;
}

static const void *take(struct cursor *c, size_t n)
{
	const char *at = c->at;

	if (c->why || c->left < n) {
		object(c, "cut short");
		return NULL;
	}
	c->at += n;
	c->left -= n;
	return at;
}

static uint32_t load_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint32_t take_u32(struct cursor *c)
{
	const void *p = take(c, 4);

	return p ? load_u32(p) : 0;
}

static uint64_t take_u64(struct cursor *c)
{
	const void *p = take(c, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static struct exec_string take_string(struct cursor *c)
{
	uint32_t len = take_u32(c);
	const char *data = take(c, len);

	if (data && memchr(data, '\0', len))
		object(c, "a NUL in a string");
	return data && !c->why ? (struct exec_string){ data, len } : (struct exec_string){ "", 0 };
}

static struct exec_string take_text(struct cursor *c)
{
	struct exec_string text = take_string(c);

	if (text.len > EXEC_TEXT_MAX)
		object(c, "a text that is too long");
	return text;
}

static uint32_t take_within(struct cursor *c, uint32_t min, uint32_t max, const char *why)
{
	uint32_t v = take_u32(c);

	if (!c->why && (v < min || v > max))
		object(c, why);
	return v;
}

static void take_start(struct cursor *c, struct exec_start *start)
{
	start->flags = take_u32(c);
	if (start->flags & ~(uint32_t)EXEC_FLAGS_ALL)
		object(c, "an unknown flag");
	if ((start->flags & EXEC_LOGIN) && (start->flags & EXEC_SHELL))
		object(c, "LOGIN and SHELL");
	if ((start->flags & EXEC_TTY) && (start->flags & EXEC_DETACH))
		object(c, "TTY and DETACH");
	start->argc = take_within(c, 0, EXEC_STRINGS_MAX, "too many arguments");
	start->envc = take_within(c, 0, EXEC_STRINGS_MAX, "too many variables");
	if (start->argc == 0 && !(start->flags & (EXEC_LOGIN | EXEC_SHELL)))
		object(c, "no program");
	start->user = take_string(c);
	start->directory = take_string(c);
	if (start->directory.len > 0 && start->directory.data[0] != '/')
		object(c, "a directory that is not absolute");
	start->strings = c->at;
	for (uint32_t i = 0; i < start->argc && !c->why; i++)
		if (take_string(c).len == 0 && i == 0)
			object(c, "an empty program name");
	for (uint32_t i = 0; i < start->envc && !c->why; i++) {
		struct exec_string s = take_string(c);

		if (s.len == 0 || s.data[0] == '=' || !memchr(s.data, '=', s.len))
			object(c, "a variable that is not NAME=VALUE");
	}
}

static void take_exited(struct cursor *c, struct exec_message *m)
{
	m->exited.how = take_within(c, EXEC_HOW_EXITED, EXEC_HOW_UNKNOWN, "an unknown kind of end");
	m->exited.value = take_u32(c);
	m->exited.user_usec = take_u64(c);
	m->exited.system_usec = take_u64(c);
	m->exited.maxrss = take_u64(c);
	if (m->exited.how == EXEC_HOW_EXITED && m->exited.value > 255)
		object(c, "an exit status above 255");
	if (m->exited.how == EXEC_HOW_KILLED &&
		(m->exited.value == 0 || m->exited.value > SIGNAL_MAX))
		object(c, "a signal that is none");
}

static void take_body(struct cursor *c, struct exec_message *m)
{
	switch (m->type) {
	case EXEC_START:
		take_start(c, &m->start);
		break;
	case EXEC_SIGNAL:
		m->signal = take_within(c, 1, SIGNAL_MAX, "a signal that is none");
		break;
	case EXEC_STARTED:
		m->pid = take_u32(c);
		break;
	case EXEC_FAILED:
		m->failed.step =
			take_within(c, EXEC_STEP_OTHER, EXEC_STEP_PERMISSION, "an unknown step");
		m->failed.error = take_within(c, 0, ERRNO_MAX, "an errno that is none");
		m->failed.text = take_text(c);
		break;
	case EXEC_EXITED:
		take_exited(c, m);
		break;
	case EXEC_ERROR:
		m->error = take_text(c);
		break;
	default:
		object(c, "an unknown type");
	}
}

int exec_message_parse(const void *buf, size_t len, struct exec_message *ret, const char **ret_why)
{
	struct cursor c = { .at = buf, .left = len };
	const unsigned char *header = take(&c, 4);
	uint32_t length = take_u32(&c);
	struct exec_message m = {};

	if (header && header[0] != EXEC_VERSION)
		object(&c, "another version");
	if (header && (header[2] != 0 || header[3] != 0))
		object(&c, "a reserved byte that is set");
	if (length != len || len > EXEC_MESSAGE_MAX)
		object(&c, "a wrong length");
	if (!c.why) {
		m.type = header[1];
		take_body(&c, &m);
	}
	if (c.left > 0)
		object(&c, "bytes behind the end");
	if (c.why) {
		*ret_why = c.why;
		return -EBADMSG;
	}
	*ret = m;
	return 0;
}

struct exec_string exec_string_next(const char **cursor)
{
	struct exec_string s = { *cursor + 4, load_u32(*cursor) };

	*cursor = s.data + s.len;
	return s;
}

/* --- writing ------------------------------------------------------------------------------- */

struct writer {
	char *at;
	size_t left;
	bool full;
};

static void put(struct writer *w, const void *data, size_t n)
{
	if (w->full || w->left < n) {
		w->full = true;
		return;
	}
	if (n > 0)
		memcpy(w->at, data, n);
	w->at += n;
	w->left -= n;
}

static void put_u32(struct writer *w, uint32_t v)
{
	v = htole32(v);
	put(w, &v, sizeof(v));
}

static void put_u64(struct writer *w, uint64_t v)
{
	v = htole64(v);
	put(w, &v, sizeof(v));
}

static void put_bytes(struct writer *w, const char *data, size_t len)
{
	if (len > EXEC_MESSAGE_MAX) {
		w->full = true;
		return;
	}
	put_u32(w, (uint32_t)len);
	put(w, data, len);
}

static void put_string(struct writer *w, const char *s)
{
	put_bytes(w, s, strlen(s));
}

/* The header of a message that ends where the writer is. Returns the length. */
static size_t put_header(char *buf, const struct writer *w, enum exec_type type)
{
	uint32_t length = (uint32_t)(w->at - buf), le = htole32(length);

	buf[0] = EXEC_VERSION;
	buf[1] = (char)type;
	buf[2] = buf[3] = 0;
	memcpy(buf + 4, &le, sizeof(le));
	return length;
}

static size_t count_strings(char *const *strings)
{
	size_t n = 0;

	while (strings && strings[n])
		n++;
	return n;
}

ssize_t exec_message_start(void *buf, size_t size, uint32_t flags, const char *user,
	const char *directory, char *const *argv, char *const *env)
{
	size_t argc = count_strings(argv), envc = count_strings(env);
	struct writer w = { .at = (char *)buf + HEADER_SIZE };

	if (size > EXEC_MESSAGE_MAX)
		size = EXEC_MESSAGE_MAX;
	if (size < HEADER_SIZE || argc > EXEC_STRINGS_MAX || envc > EXEC_STRINGS_MAX)
		return -E2BIG;
	w.left = size - HEADER_SIZE;
	put_u32(&w, flags);
	put_u32(&w, (uint32_t)argc);
	put_u32(&w, (uint32_t)envc);
	put_string(&w, user ?: "");
	put_string(&w, directory ?: "");
	for (size_t i = 0; i < argc; i++)
		put_string(&w, argv[i]);
	for (size_t i = 0; i < envc; i++)
		put_string(&w, env[i]);
	if (w.full)
		return -E2BIG;
	return (ssize_t)put_header(buf, &w, EXEC_START);
}

/* What a program says may hold anything; a NUL ends it. */
static void put_text(struct writer *w, struct exec_string text)
{
	size_t len = text.len > EXEC_TEXT_MAX ? EXEC_TEXT_MAX : text.len;

	put_bytes(w, text.data, len > 0 ? strnlen(text.data, len) : 0);
}

size_t exec_message_write(void *buf, const struct exec_message *message)
{
	struct writer w = {
		.at = (char *)buf + HEADER_SIZE,
		.left = EXEC_TEXT_MAX + 64 - HEADER_SIZE,
	};

	switch (message->type) {
	case EXEC_SIGNAL:
		put_u32(&w, message->signal);
		break;
	case EXEC_STARTED:
		put_u32(&w, message->pid);
		break;
	case EXEC_FAILED:
		put_u32(&w, message->failed.step);
		put_u32(&w, message->failed.error);
		put_text(&w, message->failed.text);
		break;
	case EXEC_EXITED:
		put_u32(&w, message->exited.how);
		put_u32(&w, message->exited.value);
		put_u64(&w, message->exited.user_usec);
		put_u64(&w, message->exited.system_usec);
		put_u64(&w, message->exited.maxrss);
		break;
	case EXEC_ERROR:
		put_text(&w, message->error);
		break;
	case EXEC_START:
		assert(false);
	}
	return put_header(buf, &w, message->type);
}
