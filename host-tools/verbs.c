/* SPDX-License-Identifier: MIT */
#include "verbs.h"

#include "log.h"
#include "nearest.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const struct verb *verb_find(const struct verb *verbs, const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

void verb_show(const struct verb *verb)
{
	printf("Usage: narthex %s %s\n\n%s.\n", verb->name, verb->args, verb->help);
	if (verb->more)
		printf("%s\n", verb->more);
	if (!verb->options)
		return;
	printf("\nOptions:\n");
	for (const struct verb_option *o = verb->options; o->name; o++) {
		char letter[] = { ',', ' ', '-', o->letter, '\0' };
		int width = printf("  --%s%s%s%s", o->name, o->arg ? "=" : "", o->arg ?: "",
			o->letter ? letter : "");

		printf("%*s %s\n", width < 31 ? 31 - width : 0, "", o->help);
	}
}

int verb_usage(const struct verb *verb)
{
	log_error("usage: narthex %s %s; more with 'narthex help %s'", verb->name, verb->args,
		verb->name);
	return STATUS_USAGE;
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

/* Fills what getopt_long() takes from the verb's table. */
static void prepare_options(const struct verb *verb, struct option *options, char *letters)
{
	int n = 0;

	if (!verb->interspersed)
		*letters++ = '+';
	*letters++ = ':';
	*options++ = (struct option){ "help", no_argument, NULL, OPTION_HELP };
	for (const struct verb_option *o = verb->options; o && o->name && n < OPTION_MAX;
		o++, n++) {
		*options++ = (struct option){
			.name = o->name,
			.has_arg = o->arg ? required_argument : no_argument,
			.val = OPTION_BASE + n,
		};
		if (!o->letter)
			continue;
		*letters++ = o->letter;
		if (o->arg)
			*letters++ = ':';
	}
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

int verb_parse(const struct verb *verb, int argc, char **argv,
	int (*on_option)(void *userdata, const struct verb_option *option, const char *arg),
	void *userdata, int *ret_first)
{
	struct option options[OPTION_MAX + 2] = {};
	char letters[2 * OPTION_MAX + 3] = "";
	const struct verb_option *option;
	int c, status = 0;

	prepare_options(verb, options, letters);
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while (status == 0 && (c = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		if (c == OPTION_HELP) {
			verb_show(verb);
			return 0;
		}
		if (c == ':') {
			log_error(
				"%s: option '%s' needs an argument", verb->name, argv[optind - 1]);
			return STATUS_USAGE;
		}
		option = c == '?' ? NULL : chosen_option(verb, c);
		if (!option)
			return refuse_option(verb, argv[optind - 1]);
		status = on_option ? on_option(userdata, option, optarg) : 0;
	}
	*ret_first = optind;
	return status != 0 ? status : -1;
}
