/* SPDX-License-Identifier: MIT */
#include "verbs.h"

#include "log.h"
#include "nearest.h"
#include "remote.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct verb *verb_find(const struct verb *verbs, const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

/* Every verb has it. */
static const struct verb_option host_option = {
	.name = "host",
	.arg = "[USER@]HOST",
	.help = "do that on another host, over ssh",
	.letter = 'H',
};

static void show_option(const struct verb_option *o)
{
	char letter[] = { ',', ' ', '-', o->letter, '\0' };
	int width = printf(
		"  --%s%s%s%s", o->name, o->arg ? "=" : "", o->arg ?: "", o->letter ? letter : "");

	printf("%*s %s\n", width < 31 ? 31 - width : 0, "", o->help);
}

void verb_show(const struct verb *verb)
{
	printf("Usage: narthex %s %s\n\n%s.\n", verb->name, verb->args, verb->help);
	if (verb->more)
		printf("%s\n", verb->more);
	printf("\nOptions:\n");
	for (const struct verb_option *o = verb->options; o && o->name; o++)
		show_option(o);
	show_option(&host_option);
}

int verb_usage(const struct verb *verb)
{
	log_error("usage: narthex %s %s; more with 'narthex help %s'", verb->name, verb->args,
		verb->name);
	return STATUS_USAGE;
}

int verb_check_user(const struct verb *verb, const char *user)
{
	/* a script's variable that is not set must not make its command root's */
	if (!user || *user)
		return 0;
	log_error("%s: --user= is empty: for root, leave it out", verb->name);
	return STATUS_USAGE;
}

int verb_end_output(const char *verb, int status)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return status;
	/* what was written before may have failed: why isn't known any more */
	if (errno != 0)
		log_errno(-errno, "%s: cannot write to standard output", verb);
	else
		log_error("%s: cannot write to standard output", verb);
	return STATUS_FAILED;
}

static int refuse_option(const struct verb *verb, const char *given)
{
	struct nearest nearest;
	char name[64];

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(given + strspn(given, "-"), "="),
		given + strspn(given, "-"));
	nearest = (struct nearest){ .given = name };
	for (const struct verb_option *o = verb->options; o && o->name; o++)
		nearest_offer(&nearest, o->name);
	if (nearest.best)
		log_error("%s: there is no option '%s'; did you mean --%s?", verb->name, given,
			nearest.best);
	else
		log_error("%s: there is no option '%s': see 'narthex help %s'", verb->name, given,
			verb->name);
	return STATUS_USAGE;
}

/* Values of getopt_long() for our options; below are characters and '?', ':'. */
#define OPTION_BASE 256
#define OPTION_HELP (OPTION_BASE - 1)
#define OPTION_MAX 64

/* What getopt_long() is given; zeroed memory to begin with. */
struct getopt_tables {
	struct option options[OPTION_MAX + 3];
	char letters[2 * OPTION_MAX + 5];
};

static void add_letter(char **letters, const struct verb_option *o)
{
	if (!o->letter)
		return;
	*(*letters)++ = o->letter;
	if (o->arg)
		*(*letters)++ = ':';
}

static void prepare_options(const struct verb *verb, struct getopt_tables *tables)
{
	struct option *options = tables->options;
	char *letters = tables->letters;
	int n = 0;

	if (!verb->interspersed)
		*letters++ = '+';
	*letters++ = ':';
	*options++ = (struct option){ "help", no_argument, NULL, OPTION_HELP };
	*options++ =
		(struct option){ host_option.name, required_argument, NULL, host_option.letter };
	add_letter(&letters, &host_option);
	for (const struct verb_option *o = verb->options; o && o->name && n < OPTION_MAX;
		o++, n++) {
		*options++ = (struct option){
			.name = o->name,
			.has_arg = o->arg ? required_argument : no_argument,
			.val = OPTION_BASE + n,
		};
		add_letter(&letters, o);
	}
	optind = 0; /* glibc: start afresh */
	opterr = 0;
}

/*
 * The option that getopt_long() has just complained of, as it was given. A letter is in optopt: how
 * far optind is then, at the last word of a cluster or at its end, differs between libraries.
 */
static const char *wrong_option(char **argv, char letter[3])
{
	bool word = optopt == 0 || (optopt >= OPTION_HELP && optopt < OPTION_BASE + OPTION_MAX);

	if (optopt == host_option.letter) /* which --host has, too */
		word = argv[optind - 1] && strncmp(argv[optind - 1], "--h", 3) == 0;
	letter[0] = '-';
	letter[1] = (char)(optopt < 0x80 ? optopt : '?'); /* musl: what is no character */
	letter[2] = '\0';
	return word ? argv[optind - 1] : letter;
}

static const struct verb_option *chosen_option(const struct verb *verb, int c)
{
	if (c >= OPTION_BASE)
		return &verb->options[c - OPTION_BASE];
	for (const struct verb_option *o = verb->options; o && o->name; o++)
		if (o->letter && o->letter == c)
			return o;
	return NULL;
}

/*
 * Gives "NAME" the caller's value, "NAME=VALUE", for the verb and in the command line, which may be
 * for another host. Status.
 */
static int take_from_caller(const struct verb *verb, const struct verb_option *o, char **argv)
{
	const char *value = getenv(optarg);
	char *word = argv[optind - 1], *text;

	if (!value) {
		log_error("%s: --%s=%s: there is no such variable to pass on", verb->name, o->name,
			optarg);
		return STATUS_USAGE;
	}
	/* what stands before it in its word stays there */
	if (asprintf(&text, "%.*s%s=%s", (int)(optarg - word), word, optarg, value) < 0) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	optarg = text + (optarg - word);
	argv[optind - 1] = text;
	return 0;
}

/*
 * One option of getopt_long()'s, c what it has returned. on_option: NULL for nothing but what
 * concerns another host. Status.
 */
static int take_option(const struct verb *verb, char **argv, int c,
	int (*on_option)(void *userdata, const struct verb_option *option, const char *arg),
	void *userdata)
{
	const struct verb_option *option = c == '?' ? NULL : chosen_option(verb, c);
	char letter[3];
	int status = 0;

	if (c == host_option.letter) {
		remote_take(argv);
		return 0;
	}
	if (option && option->from_caller && *optarg && !strchr(optarg, '='))
		status = take_from_caller(verb, option, argv);
	if (status != 0 || !on_option)
		return status;
	return option ? on_option(userdata, option, optarg)
		      : refuse_option(verb, wrong_option(argv, letter));
}

static int lacks_argument(const struct verb *verb, char **argv)
{
	char letter[3];

	log_error("%s: option '%s' needs an argument", verb->name, wrong_option(argv, letter));
	return STATUS_USAGE;
}

static int no_option(void *userdata, const struct verb_option *option, const char *arg)
{
	(void)userdata;
	(void)option;
	(void)arg;
	return 0;
}

/* Looks for -H alone: what else there is has to be right on that host, not here. Status, or -1 for
 * a verb of this one. */
static int look_for_host(const struct verb *verb, int argc, char **argv)
{
	struct getopt_tables tables = {};
	int c, status = 0;

	prepare_options(verb, &tables);
	while (status == 0 &&
		(c = getopt_long(argc, argv, tables.letters, tables.options, NULL)) >= 0)
		if (c == ':') /* now: its word may stand elsewhere when it is parsed again */
			status = lacks_argument(verb, argv);
		else if (c != '?' && c != OPTION_HELP)
			status = take_option(verb, argv, c, NULL, NULL);
	if (status == STATUS_USAGE)
		return status;
	if (!remote_is_asked())
		return -1;
	return status != 0 ? status : remote_run(verb->interactive && isatty(STDOUT_FILENO));
}

int verb_parse(const struct verb *verb, int argc, char **argv,
	int (*on_option)(void *userdata, const struct verb_option *option, const char *arg),
	void *userdata, int *ret_first)
{
	struct getopt_tables tables = {};
	int c, status;

	remote_begin(argv);
	status = verb->parses_twice ? -1 : look_for_host(verb, argc, argv);
	if (status >= 0)
		return status;
	prepare_options(verb, &tables);
	status = 0;
	while (status == 0 &&
		(c = getopt_long(argc, argv, tables.letters, tables.options, NULL)) >= 0) {
		if (c == OPTION_HELP) {
			verb_show(verb);
			return 0;
		}
		if (c == ':')
			return lacks_argument(verb, argv);
		status = take_option(verb, argv, c, on_option ?: no_option, userdata);
	}
	*ret_first = optind;
	return status != 0 ? status : -1;
}
