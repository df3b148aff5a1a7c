/* SPDX-License-Identifier: MIT */

/*
 * Of the modes of its terminal libvterm shows few, but answers when the program asks
 * for them (DECRQM, DECRQSS), and encodes keys by them. So that is how they are found out. Where
 * libvterm has two screens it shows the current one: the first one is drawn when the program
 * returns to it.
 *
 * Not drawn again are what no answer tells: titles, tabulators, character sets between two
 * characters, inserting (IRM), lines of double size.
 */

#include "screen.h"

#include "cleanup.h"
#include "history.h"
#include "sieve.h"

#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#define CANCEL "\x18"
#define STILL_MAX 1000 /* characters in one place, such as accents on a letter */

struct screen {
	VTerm *vt;
	VTermScreen *cells;
	VTermState *state;
	void (*answer)(void *arg, const char *data, size_t len);
	void *arg;
	struct sieve sieve;
	int still;
	bool alternate, returned, cursor_changed;
	bool asking; /* answers are for us: in reply */
	char reply[64];
	size_t n_reply;
	struct bytes line;
	struct history history;
};

bool screen_is_between(const struct screen *s)
{
	return sieve_is_between(&s->sieve);
}

void screen_cancel(struct screen *s)
{
	screen_feed(s, CANCEL, 1);
}

bool screen_has_returned(const struct screen *s)
{
	return s->returned;
}

/* --- cells --------------------------------------------------------------------------------- */

static void add_color(struct bytes *out, const VTermColor *color, bool background)
{
	int base = background ? 40 : 30;

	if (background ? VTERM_COLOR_IS_DEFAULT_BG(color) : VTERM_COLOR_IS_DEFAULT_FG(color))
		return;
	if (VTERM_COLOR_IS_RGB(color))
		bytes_print(out, ";%d;2;%d;%d;%d", base + 8, color->rgb.red, color->rgb.green,
			color->rgb.blue);
	else if (color->indexed.idx < 8)
		bytes_print(out, ";%d", base + color->indexed.idx);
	else
		bytes_print(out, ";%d;5;%d", base + 8, color->indexed.idx);
}

static void add_pen(struct bytes *out, const VTermScreenCell *cell)
{
	static const char *const underlines[] = { "", ";4", ";21", ";4:3" };
	const VTermScreenCellAttrs a = cell->attrs;

	bytes_print(out, "\x1b[0%s%s%s%s%s%s", a.bold ? ";1" : "", a.italic ? ";3" : "",
		underlines[a.underline], a.blink ? ";5" : "", a.reverse ? ";7" : "",
		a.strike ? ";9" : "");
	if (a.font)
		bytes_print(out, ";%d", 10 + a.font);
	add_color(out, &cell->fg, false);
	add_color(out, &cell->bg, true);
	bytes_add(out, "m", 1);
}

static bool same_pen(const VTermScreenCell *a, const VTermScreenCell *b)
{
	const VTermScreenCellAttrs x = a->attrs, y = b->attrs;

	return x.bold == y.bold && x.underline == y.underline && x.italic == y.italic &&
	       x.blink == y.blink && x.reverse == y.reverse && x.strike == y.strike &&
	       x.font == y.font && vterm_color_is_equal(&a->fg, &b->fg) &&
	       vterm_color_is_equal(&a->bg, &b->bg);
}

static bool is_plain(const VTermScreenCell *cell)
{
	const VTermScreenCellAttrs a = cell->attrs;

	return !a.reverse && !a.underline && !a.strike && VTERM_COLOR_IS_DEFAULT_BG(&cell->bg);
}

static bool is_default(const VTermScreenCell *cell)
{
	const VTermScreenCellAttrs a = cell->attrs;

	return is_plain(cell) && !a.bold && !a.italic && !a.blink && !a.font &&
	       VTERM_COLOR_IS_DEFAULT_FG(&cell->fg);
}

/* UTF-8; what could be a control character is none. */
static void add_character(struct bytes *out, uint32_t c)
{
	char text[4];
	size_t n = 0;

	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff)
		c = ' ';
	if (c < 0x80) {
		text[n++] = (char)c;
	} else if (c < 0x800) {
		text[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		text[n++] = (char)(0xe0 | c >> 12);
		text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		text[n++] = (char)(0xf0 | c >> 18);
		text[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		text[n++] = (char)(0x80 | (c & 0x3f));
	bytes_add(out, text, n);
}

static void add_cell(struct bytes *out, const VTermScreenCell *cell)
{
	if (cell->chars[0] == UINT32_MAX)
		return; /* the right half of a wide one */
	if (cell->chars[0] == 0)
		bytes_add(out, " ", 1);
	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->chars[i] != 0; i++)
		add_character(out, cell->chars[i]);
}

/* How many cells there are before the empty ones at its end. */
static int row_length(const VTermScreenCell *cells, int n)
{
	while (n > 0 && cells[n - 1].chars[0] == 0 && is_plain(&cells[n - 1]))
		n--;
	return n;
}

/* In the default pen before and behind. */
static void add_row(struct bytes *out, const VTermScreenCell *cells, int n)
{
	const VTermScreenCell *last = NULL;
	bool styled = false;

	for (int i = 0; i < n; i++) {
		if (last ? !same_pen(last, &cells[i]) : !is_default(&cells[i])) {
			add_pen(out, &cells[i]);
			styled = true;
		}
		last = &cells[i];
		add_cell(out, last);
	}
	if (styled)
		bytes_print(out, "\x1b[0m");
}

static void draw_rows(struct screen *s, struct bytes *out, int rows, int columns)
{
	VTermScreenCell *cells = calloc((size_t)columns, sizeof(*cells));
	int n;

	for (int row = 0; cells && row < rows; row++) {
		for (int column = 0; column < columns; column++)
			(void)vterm_screen_get_cell(
				s->cells, (VTermPos){ row, column }, &cells[column]);
		n = row_length(cells, columns);
		if (n == 0)
			continue;
		bytes_print(out, "\x1b[%dH", row + 1);
		add_row(out, cells, n);
	}
	free(cells);
}

/* --- modes --------------------------------------------------------------------------------- */

/* What libvterm answers to a question. */
static const char *ask(struct screen *s, const char *question)
{
	s->asking = true;
	s->n_reply = 0;
	(void)vterm_input_write(s->vt, question, strlen(question));
	s->asking = false;
	s->reply[s->n_reply] = '\0';
	return s->reply;
}

/* DECRQM: ESC [ ? NUMBER ; 1 $ y */
static bool has_mode(struct screen *s, int number)
{
	char question[16], yes[16];

	(void)snprintf(question, sizeof(question), "\x1b[?%d$p", number);
	(void)snprintf(yes, sizeof(yes), "\x1b[?%d;1$y", number);
	return strcmp(ask(s, question), yes) == 0;
}

/* Keys of the number block are encoded by it, and that is all there is to see of it. */
static bool has_keypad_mode(struct screen *s)
{
	s->asking = true;
	s->n_reply = 0;
	vterm_keyboard_key(s->vt, VTERM_KEY_KP_0, VTERM_MOD_NONE);
	s->asking = false;
	return s->n_reply == 3;
}

/* Cursor keys, autowrap, mouse, focus, pasting. The screen's inversion is in its cells.
 */
static const int modes[] = { 1, 7, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004 };

static void draw_modes(struct screen *s, struct bytes *out)
{
	int shape;

	/* of several for the mouse each that is taken away takes all */
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!has_mode(s, modes[i]))
			bytes_print(out, "\x1b[?%dl", modes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (has_mode(s, modes[i]))
			bytes_print(out, "\x1b[?%dh", modes[i]);
	bytes_print(out, has_keypad_mode(s) ? "\x1b=" : "\x1b>");
	if (s->cursor_changed && sscanf(ask(s, "\x1bP$q q\x1b\\"), "\x1bP1$r%d q", &shape) == 1)
		bytes_print(out, "\x1b[%d q", shape);
}

static VTermValue pen(const struct screen *s, VTermAttr attribute)
{
	VTermValue value = {};

	(void)vterm_state_get_penattr(s->state, attribute, &value);
	return value;
}

/* Of an attribute that is no color. */
static unsigned int pen_number(const struct screen *s, VTermAttr attribute)
{
	return (unsigned int)pen(s, attribute).number;
}

static void draw_pen(struct screen *s, struct bytes *out)
{
	const VTermScreenCell cell = {
		.attrs = {
			.bold = pen_number(s, VTERM_ATTR_BOLD) & 1,
			.underline = pen_number(s, VTERM_ATTR_UNDERLINE) & 3,
			.italic = pen_number(s, VTERM_ATTR_ITALIC) & 1,
			.blink = pen_number(s, VTERM_ATTR_BLINK) & 1,
			.reverse = pen_number(s, VTERM_ATTR_REVERSE) & 1,
			.strike = pen_number(s, VTERM_ATTR_STRIKE) & 1,
			.font = pen_number(s, VTERM_ATTR_FONT) & 15,
		},
		.fg = pen(s, VTERM_ATTR_FOREGROUND).color,
		.bg = pen(s, VTERM_ATTR_BACKGROUND).color,
	};

	add_pen(out, &cell);
}

/* Region, then origin: each moves the cursor, which therefore comes last. */
static void draw_cursor(struct screen *s, struct bytes *out)
{
	bool visible = has_mode(s, 25), origin = has_mode(s, 6);
	int top = 1, bottom = 0, rows, columns;
	VTermPos at;

	vterm_get_size(s->vt, &rows, &columns);
	if (sscanf(ask(s, "\x1bP$qr\x1b\\"), "\x1bP1$r%d;%dr", &top, &bottom) == 2 &&
		(top != 1 || bottom != rows))
		bytes_print(out, "\x1b[%d;%dr", top, bottom);
	if (origin)
		bytes_print(out, "\x1b[?6h");
	vterm_state_get_cursorpos(s->state, &at);
	bytes_print(out, "\x1b[%d;%dH", at.row + 1 - (origin ? top - 1 : 0), at.col + 1);
	if (visible)
		bytes_print(out, "\x1b[?25h");
}

void screen_draw(struct screen *s, bool history, struct bytes *out)
{
	static const char known[] = "\x1b[0m\x1b(B\x1b[?6l\x1b[r\x1b[4l\x1b[?7l\x1b[?25l";
	int rows, columns;

	vterm_get_size(s->vt, &rows, &columns);
	if (history) {
		/* the lines before go where the terminal has its own; those may wrap */
		bytes_print(out, "\x1b[?7h");
		history_write(&s->history, out);
		bytes_add(out, known, sizeof(known) - 1);
		bytes_print(out, "\x1b[%dH", rows);
		for (int i = 0; i < rows; i++)
			bytes_add(out, "\n", 1);
		if (s->alternate)
			bytes_print(out, "\x1b[?1049h");
	} else {
		bytes_add(out, known, sizeof(known) - 1);
	}
	bytes_print(out, "\x1b[H\x1b[2J");
	draw_rows(s, out, rows, columns);
	draw_modes(s, out);
	draw_pen(s, out);
	draw_cursor(s, out);
	s->returned = false;
}

void screen_leave(struct screen *s, struct bytes *out)
{
	int rows, columns;

	vterm_get_size(s->vt, &rows, &columns);
	if (!screen_is_between(s))
		bytes_print(out, CANCEL);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (modes[i] != 7)
			bytes_print(out, "\x1b[?%dl", modes[i]);
	if (s->alternate)
		bytes_print(out, "\x1b[?1049l");
	if (s->cursor_changed)
		bytes_print(out, "\x1b[0 q");
	bytes_print(out, "\x1b>\x1b[0m\x1b(B\x1b[?6l\x1b[r\x1b[4l\x1b[?7h\x1b[?25h");
	bytes_print(out, "\x1b[%dH\r\n", rows);
}

/* --- libvterm ------------------------------------------------------------------------------ */

static void on_answer(const char *data, size_t len, void *arg)
{
	struct screen *s = arg;

	if (!s->asking) {
		s->answer(s->arg, data, len);
		return;
	}
	if (len > sizeof(s->reply) - 1 - s->n_reply)
		len = sizeof(s->reply) - 1 - s->n_reply;
	memcpy(s->reply + s->n_reply, data, len);
	s->n_reply += len;
}

static int on_property(VTermProp property, VTermValue *value, void *arg)
{
	struct screen *s = arg;

	if (property == VTERM_PROP_ALTSCREEN) {
		s->returned |= s->alternate && !value->boolean;
		s->alternate = value->boolean;
	} else if (property == VTERM_PROP_CURSORSHAPE || property == VTERM_PROP_CURSORBLINK) {
		s->cursor_changed = true;
	}
	return 1;
}

/* libvterm remembers all accents on a letter, though it shows few; it shall not without end. */
static void on_piece(void *arg, const char *data, size_t len)
{
	struct screen *s = arg;
	VTermPos before, after;

	if ((data[0] & 0x80) == 0) {
		s->still = 0;
		(void)vterm_input_write(s->vt, data, len);
	} else if (s->still < STILL_MAX) {
		vterm_state_get_cursorpos(s->state, &before);
		(void)vterm_input_write(s->vt, data, len);
		vterm_state_get_cursorpos(s->state, &after);
		s->still = vterm_pos_cmp(before, after) == 0 ? s->still + 1 : 0;
	}
}

/* A line leaves the first screen at its top. */
static int on_line(int columns, const VTermScreenCell *cells, void *arg)
{
	struct screen *s = arg;

	add_row(&s->line, cells, row_length(cells, columns));
	if (!s->line.failed)
		history_add(&s->history, s->line.data ? bytes_front(&s->line) : "", s->line.n);
	s->line.start = s->line.n = 0;
	s->line.failed = false;
	return 1;
}

static const VTermScreenCallbacks callbacks = {
	.settermprop = on_property,
	.sb_pushline = on_line,
};

static int within(int n, int least, int most)
{
	return n < least ? least : n > most ? most : n;
}

static int rows_within(int rows)
{
	return within(rows, 1, SCREEN_ROWS_MAX);
}

/* libvterm 0.1 dies of a wide character where there is no room for one. */
static int columns_within(int columns)
{
	return within(columns, 4, SCREEN_COLUMNS_MAX);
}

struct screen *screen_new(
	int rows, int columns, void (*answer)(void *arg, const char *data, size_t len), void *arg)
{
	struct screen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->vt = vterm_new(rows_within(rows), columns_within(columns));
	if (!s->vt) {
		free(s);
		return NULL;
	}
	s->answer = answer;
	s->arg = arg;
	s->sieve.pass = on_piece;
	s->sieve.arg = s;
	vterm_set_utf8(s->vt, 1);
	vterm_output_set_callback(s->vt, on_answer, s);
	s->state = vterm_obtain_state(s->vt);
	s->cells = vterm_obtain_screen(s->vt);
	vterm_screen_set_callbacks(s->cells, &callbacks, s);
	vterm_screen_enable_altscreen(s->cells, 1);
	vterm_screen_reset(s->cells, 1);
	s->cursor_changed = s->returned = false;
	return s;
}

void screen_free(struct screen *s)
{
	if (!s)
		return;
	vterm_free(s->vt);
	bytes_done(&s->line);
	free(s);
}

static void set_cursor(struct screen *s, VTermPos at)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "\x1b[%d;%dH", within(at.row + 1, 1, SCREEN_ROWS_MAX),
		within(at.col + 1, 1, SCREEN_COLUMNS_MAX));
	screen_feed(s, text, strlen(text));
}

/*
 * Without margins, as terminals do when they change: libvterm 0.1 would go on with those that are
 * outside of its new size. It also moves the cursor with the text, even out of the screen.
 */
void screen_resize(struct screen *s, int rows, int columns)
{
	static const char none[] = "\x1b[?69l\x1b[r";
	int old_rows, old_columns;
	VTermPos at;

	rows = rows_within(rows);
	columns = columns_within(columns);
	vterm_get_size(s->vt, &old_rows, &old_columns);
	if (rows == old_rows && columns == old_columns)
		return;
	if (!screen_is_between(s))
		screen_cancel(s);
	vterm_state_get_cursorpos(s->state, &at);
	screen_feed(s, none, sizeof(none) - 1);
	set_cursor(s, at);
	vterm_set_size(s->vt, rows, columns);
	vterm_state_get_cursorpos(s->state, &at);
	set_cursor(s, at);
}

void screen_feed(struct screen *s, const char *data, size_t len)
{
	sieve_feed(&s->sieve, data, len);
}
