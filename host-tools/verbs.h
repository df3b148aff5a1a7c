/* SPDX-License-Identifier: MIT */
#pragma once

/* The verbs of `narthex`: one const table (narthex.c) is dispatch and help at once, cmd-VERB.c a
 * verb. Verbs that need D-Bus or other libraries live in narthex-ctl (ctl/), which narthex
 * executes: it links libc only, because it must start fast. */

#include <stdbool.h>

/* Exit statuses of our own; a command's own status goes through unchanged. */
#define STATUS_WRONG 1 /* `check`: something is wrong with what was checked */
#define STATUS_USAGE 2
#define STATUS_FAILED 125

/* One long option: how it is parsed, shown and, where it sets a key of narthex.conf(5), translated.
 */
struct verb_option {
	const char *name;    /* without its dashes */
	const char *arg;     /* how help calls its argument, NULL when it takes none */
	const char *setting; /* SECTION.KEY that it sets, NULL for none */
	const char *help;
	char letter;	  /* its one-letter form, 0 for none */
	bool from_caller; /* an argument without "=" is a variable, and gets the caller's value */
};

struct verb {
	const char *name;
	const char *args;		   /* what follows it on the command line */
	const char *help;		   /* one line */
	const char *more;		   /* further lines for `narthex help VERB`, may be NULL */
	const struct verb_option *options; /* ended by a NULL name; NULL for none */
	int (*run)(
		const struct verb *verb, int argc, char **argv); /* argv[0]: the verb; the status */
	bool interspersed; /* options may follow arguments, up to "--" */
	bool interactive;  /* wants a terminal where its input and output are one */
	bool parses_twice; /* calls verb_parse() again, and remote_run() by itself */
};

/* The verb of that name, NULL when there is none. verbs: ended by a NULL name. */
const struct verb *verb_find(const struct verb *verbs, const char *name);

/* Help for one verb on stdout. */
void verb_show(const struct verb *verb);

/*
 * Parses the options at the front of argv, up to "--" or the first other argument (of an
 * interspersed verb: everywhere, and moves them to the front), calling on_option (may be NULL) for
 * each; its non-zero return value ends the parsing. --help is understood in addition, and --host,
 * which runs the verb there. Returns the status to exit with, after having said why, or -1; then
 * *ret_first is the index of the first argument that is left.
 */
int verb_parse(const struct verb *verb, int argc, char **argv,
	int (*on_option)(void *userdata, const struct verb_option *option, const char *arg),
	void *userdata, int *ret_first);

/* "Try 'narthex help VERB'." on stderr; returns STATUS_USAGE. */
int verb_usage(const struct verb *verb);

/* --user=: one that is empty is refused. The status, 0 when all is well. */
int verb_check_user(const struct verb *verb, const char *user);

/*
 * The last of a verb: what it has written on stdout must have arrived. Returns status, or
 * STATUS_FAILED after having said why. A reader who has left needs no word.
 */
int verb_end_output(const char *verb, int status);

extern const struct verb_option exec_options[], login_options[], run_options[], shell_options[];
int cmd_attach(const struct verb *verb, int argc, char **argv);
int cmd_exec(const struct verb *verb, int argc, char **argv);
int cmd_login(const struct verb *verb, int argc, char **argv);
int cmd_shell(const struct verb *verb, int argc, char **argv);
int cmd_run(const struct verb *verb, int argc, char **argv);
int cmd_check(const struct verb *verb, int argc, char **argv);

/* The verbs of narthex-ctl, to be listed and dispatched; it adds their options and functions. */
extern const struct verb ctl_verbs[];
