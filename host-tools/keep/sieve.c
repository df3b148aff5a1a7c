/* SPDX-License-Identifier: MIT */

/*
 * libvterm 0.1 believes what it reads. It writes behind its arrays when a control sequence has more
 * numbers than 16, when a character is cut off by the end of a call and the next one is none, when
 * there are lines of double width (ESC #), when several wide combining characters make one wider
 * than the screen, and when a cursor comes back (ESC 8) to where the screen no longer is. It goes
 * out of the screen by a character of width -1 (C1 in UTF-8), reads behind its input when a call
 * ends within the end of a string, and never returns from repeating (REP) what has no width.
 *
 * So it gets whole pieces only, and of those what a screen is made of: valid characters, one a
 * call; the controls that move; sequences with few and small numbers; questions for the state of
 * the terminal. Saving and restoring the cursor become those that stay within the screen, and what
 * is to be repeated is written as often. Strings, such as titles, are not passed on: nothing is
 * made of them.
 */

#include "sieve.h"

#include "cleanup.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX 9999
#define QUESTION_MAX 8

#define CANCEL 0x18
#define SUBSTITUTE 0x1a
#define ESCAPE 0x1b
#define DELETE 0x7f

static void pass_text(struct sieve *s, const char *text)
{
	s->pass(s->arg, text, strlen(text));
}

static void pass_character(struct sieve *s, const char *data, size_t n)
{
	memcpy(s->last, data, n);
	s->n_last = n;
	s->pass(s->arg, data, n);
}

static void go(struct sieve *s, int place)
{
	s->place = place;
	s->n = 0;
	s->unfit = false;
}

static void keep(struct sieve *s, unsigned char c, size_t most)
{
	if (s->n < most)
		s->text[s->n++] = (char)c;
	else
		s->unfit = true;
}

/* Those that move the cursor or change the character set. */
static void on_control(struct sieve *s, unsigned char c)
{
	const char one = (char)c;

	if (c >= '\b' && c <= 0x0f)
		s->pass(s->arg, &one, 1);
}

/* --- characters ---------------------------------------------------------------------------- */

static void pass_unknown(struct sieve *s)
{
	pass_character(s, "\xef\xbf\xbd", 3);
}

static bool begin_character(struct sieve *s, unsigned char c)
{
	if (c < 0xc2 || c > 0xf4) {
		pass_unknown(s);
		return false;
	}
	go(s, SIEVE_CHARACTER);
	s->need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	keep(s, c, s->need);
	return true;
}

static void end_character(struct sieve *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = (unsigned char)s->text[0] & (0x7fU >> s->need);

	for (size_t i = 1; i < s->need; i++)
		c = c << 6 | ((unsigned char)s->text[i] & 0x3fU);
	if (c < least[s->need] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		pass_unknown(s);
	else if (c >= 0xa0)
		pass_character(s, s->text, s->need);
	go(s, SIEVE_BETWEEN);
}

/* --- sequences ----------------------------------------------------------------------------- */

static const char *take_number(const char *at, unsigned *ret)
{
	unsigned number = 0;

	for (; *at >= '0' && *at <= '9'; at++)
		if (number <= NUMBER_MAX)
			number = number * 10 + (unsigned)(*at - '0');
	*ret = number > NUMBER_MAX ? NUMBER_MAX : number;
	return at;
}

/* The numbers of a control sequence; those that are left out stay so. Returns what is behind. */
static const char *write_numbers(const char *at, char out[SIEVE_SEQUENCE])
{
	size_t n = 0;

	static_assert(SIEVE_NUMBERS * 5 < SIEVE_SEQUENCE, "room for all numbers");
	out[0] = '\0';
	for (int count = 1;; count++, at++) {
		unsigned number;

		if (*at >= '0' && *at <= '9') {
			at = take_number(at, &number);
			if (count <= SIEVE_NUMBERS)
				n += (size_t)snprintf(out + n, SIEVE_SEQUENCE - n, "%u", number);
		}
		if (*at != ';' && *at != ':')
			return at;
		if (count < SIEVE_NUMBERS) {
			out[n++] = *at;
			out[n] = '\0';
		}
	}
}

static void repeat(struct sieve *s, const char *numbers)
{
	unsigned count;

	(void)take_number(numbers, &count);
	if (count == 0)
		count = 1;
	for (unsigned i = 0; s->n_last > 0 && i < count && i < SIEVE_REPEAT; i++)
		s->pass(s->arg, s->last, s->n_last);
}

static bool is_leader(char c)
{
	return c >= '<' && c <= '?';
}

static bool is_intermediate(unsigned char c)
{
	return c >= 0x20 && c <= 0x2f;
}

/* ESC [, which kind ('?' …), numbers, one more character ('$' …), its end */
static void end_control(struct sieve *s, unsigned char end)
{
	char numbers[SIEVE_SEQUENCE], out[SIEVE_SEQUENCE + 8];
	const char *at = s->text, *kind, *more;
	int n_kind = 0, n_more = 0;

	s->text[s->n] = '\0';
	kind = at;
	for (; is_leader(*at); at++)
		n_kind++;
	at = write_numbers(at, numbers);
	more = at;
	for (; is_intermediate((unsigned char)*at); at++)
		n_more++;
	if (*at != '\0' || n_kind > 1 || n_more > 1 || s->unfit)
		return;
	if (end == 'b' && n_kind == 0 && n_more == 0) {
		repeat(s, numbers);
		return;
	}
	(void)snprintf(
		out, sizeof(out), "\x1b[%.*s%s%.*s%c", n_kind, kind, numbers, n_more, more, end);
	pass_text(s, out);
}

/* Of strings, those that ask for what libvterm knows (DECRQSS). */
static void end_string(struct sieve *s)
{
	static const char *const questions[] = { "P$qm", "P$qr", "P$qs", "P$q q", "P$q\"q" };
	char out[QUESTION_MAX + 4];

	s->text[s->n] = '\0';
	for (size_t i = 0; !s->unfit && i < ARRAY_SIZE(questions); i++) {
		if (strcmp(s->text, questions[i]) != 0)
			continue;
		(void)snprintf(out, sizeof(out), "\x1b%s\x1b\\", questions[i]);
		pass_text(s, out);
	}
	go(s, SIEVE_BETWEEN);
}

/* Behind ESC, and maybe characters between: which set of characters where. */
static void end_escape(struct sieve *s, unsigned char c)
{
	char out[] = { ESCAPE, (char)c, (char)c, '\0' };

	if (s->n == 0 && c == '7') {
		pass_text(s, "\x1b[?1048h");
	} else if (s->n == 0 && c == '8') {
		pass_text(s, "\x1b[?1048l");
	} else if (s->n == 0) {
		out[2] = '\0';
		pass_text(s, out);
	} else if (s->n == 1 && s->text[0] >= '(' && s->text[0] <= '+') {
		out[1] = s->text[0];
		pass_text(s, out);
	}
	go(s, SIEVE_BETWEEN);
}

static void on_escape(struct sieve *s, unsigned char c)
{
	if (is_intermediate(c)) {
		keep(s, c, 2);
	} else if (s->n == 0 && c == '[') {
		go(s, SIEVE_CONTROL);
	} else if (s->n == 0 && strchr("]PX^_", c)) {
		go(s, SIEVE_STRING);
		keep(s, c, 1);
	} else {
		end_escape(s, c);
	}
}

/* --- bytes --------------------------------------------------------------------------------- */

/* In a string only its end counts. */
static void on_string(struct sieve *s, unsigned char c)
{
	if (c == ESCAPE)
		s->place = SIEVE_STRING_ESCAPE;
	else if (c == '\a')
		end_string(s);
	else
		keep(s, c, c < 0x20 || c > 0x7e ? 0 : QUESTION_MAX);
}

/* In a sequence, and no control. */
static void on_sequence(struct sieve *s, unsigned char c)
{
	if (s->place == SIEVE_ESCAPE) {
		on_escape(s, c);
	} else if (c < 0x40) {
		keep(s, c, sizeof(s->text) - 1);
	} else {
		end_control(s, c);
		go(s, SIEVE_BETWEEN);
	}
}

static void on_byte(struct sieve *s, unsigned char c)
{
	if (s->place == SIEVE_CHARACTER) {
		if ((c & 0xc0) == 0x80) {
			keep(s, c, s->need);
			if (s->n == s->need)
				end_character(s);
			return;
		}
		pass_unknown(s);
		go(s, SIEVE_BETWEEN);
	}
	if (c == CANCEL || c == SUBSTITUTE) {
		go(s, SIEVE_BETWEEN);
	} else if (s->place == SIEVE_STRING) {
		on_string(s, c);
	} else if (s->place == SIEVE_STRING_ESCAPE && c == '\\') {
		end_string(s);
	} else if (c == ESCAPE || s->place == SIEVE_STRING_ESCAPE) {
		go(s, SIEVE_ESCAPE);
		if (c != ESCAPE)
			on_byte(s, c);
	} else if (c < 0x20) {
		on_control(s, c);
	} else if (c >= 0x80) { /* ends a sequence, which then is none */
		go(s, SIEVE_BETWEEN);
		(void)begin_character(s, c);
	} else if (c != DELETE && s->place == SIEVE_BETWEEN) {
		pass_character(s, &(const char){ (char)c }, 1);
	} else if (c != DELETE) {
		on_sequence(s, c);
	}
}

void sieve_feed(struct sieve *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t start = i;

		while (s->place == SIEVE_BETWEEN && i < len && data[i] >= 0x20 && data[i] < DELETE)
			i++;
		if (i > start) {
			s->last[0] = data[i - 1];
			s->n_last = 1;
			s->pass(s->arg, data + start, i - start);
		}
		if (i < len)
			on_byte(s, (unsigned char)data[i]);
	}
}

bool sieve_is_between(const struct sieve *s)
{
	return s->place == SIEVE_BETWEEN;
}
