/* SPDX-License-Identifier: MIT */

/* narthex: the user's command. Finds the verb, shows help; everything else is in cmd-VERB.c. */

#include "cleanup.h"
#include "log.h"
#include "nearest.h"
#include "verbs.h"

#include <getopt.h>
#include <string.h>

static int cmd_help(const struct verb *verb, int argc, char **argv);

static const struct verb verbs[] = {
	{
		.name = "run",
		.args = "[OPTION…] [--] [COMMAND [ARG…]]",
		.help = "run a container in the foreground",
		.more = "Boots the tree's init; with COMMAND, runs that instead and returns its "
			"status.",
		.options = run_options,
		.run = cmd_run,
	},
	{
		.name = "check",
		.args = "[FILE…]",
		.help = "verify configuration, by default all in /etc/narthex",
		.run = cmd_check,
	},
	{
		.name = "help",
		.args = "[VERB]",
		.help = "show this text, or more about a verb",
		.run = cmd_help,
	},
	{},
};

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

static int refuse_verb(const char *name)
{
	struct nearest nearest = { .given = name };

	for (const struct verb *verb = verbs; verb->name; verb++)
		nearest_offer(&nearest, verb->name);
	if (nearest.best)
		log_error("there is no verb '%s'; did you mean '%s'?", name, nearest.best);
	else
		log_error("there is no verb '%s': see 'narthex help'", name);
	return STATUS_USAGE;
}

static void show_overview(FILE *f)
{
	fputs("Usage: narthex VERB [ARGUMENT…]\n\nLightweight containers that you can walk "
	      "into.\n\n"
	      "Verbs:\n",
		f);
	for (const struct verb *verb = verbs; verb->name; verb++)
		fprintf(f, "  %-8s %s\n", verb->name, verb->help);
	fputs("\nOptions:\n"
	      "  --help     show this text\n"
	      "  --version  show the version\n\n"
	      "'narthex help VERB' tells more about one. See narthex(1).\n",
		f);
}

static void show_verb(const struct verb *verb)
{
	printf("Usage: narthex %s %s\n\n%s.\n", verb->name, verb->args, verb->help);
	if (verb->more)
		printf("%s\n", verb->more);
	if (!verb->options)
		return;
	printf("\nOptions:\n");
	for (const struct verb_option *o = verb->options; o->name; o++) {
		int width = printf("  --%s%s%s", o->name, o->arg ? "=" : "", o->arg ?: "");

		printf("%*s %s\n", width < 31 ? 31 - width : 0, "", o->help);
	}
}

static int cmd_help(const struct verb *self, int argc, char **argv)
{
	const struct verb *verb;
	int first;
	int status = verb_parse(self, argc, argv, NULL, NULL, &first);

	if (status >= 0)
		return status;
	if (argc - first > 1)
		return verb_usage(self);
	if (argc == first) {
		show_overview(stdout);
		return 0;
	}
	verb = find_verb(argv[first]);
	if (!verb)
		return refuse_verb(argv[first]);
	show_verb(verb);
	return 0;
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
#define OPTION_MAX 64

int verb_parse(const struct verb *verb, int argc, char **argv,
	int (*on_option)(void *userdata, const struct verb_option *option, const char *arg),
	void *userdata, int *ret_first)
{
	struct option options[OPTION_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
	const struct verb_option *option;
	int c, n = 0, status = 0;

	for (; verb->options && verb->options[n].name && n < OPTION_MAX; n++)
		options[n + 1] = (struct option){
			.name = verb->options[n].name,
			.has_arg = verb->options[n].arg ? required_argument : no_argument,
			.val = OPTION_BASE + n,
		};
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while (status == 0 && (c = getopt_long(argc, argv, "+:", options, NULL)) >= 0)
		if (c == 'h') {
			show_verb(verb);
			return 0;
		} else if (c == ':') {
			log_error(
				"%s: option '%s' needs an argument", verb->name, argv[optind - 1]);
			return STATUS_USAGE;
		} else if (c < OPTION_BASE) {
			return refuse_option(verb, argv[optind - 1]);
		} else {
			option = &verb->options[c - OPTION_BASE];
			status = on_option ? on_option(userdata, option, optarg) : 0;
		}
	*ret_first = optind;
	return status != 0 ? status : -1;
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	log_init("narthex");
	if (argc < 2) {
		show_overview(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		show_overview(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("narthex " NARTHEX_VERSION);
		return 0;
	}
	verb = find_verb(argv[1]);
	if (!verb)
		return refuse_verb(argv[1]);
	return verb->run(verb, argc - 1, argv + 1);
}
