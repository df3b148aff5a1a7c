/* SPDX-License-Identifier: MIT */

/* narthex: the user's command. Finds the verb, shows help; everything else is in cmd-VERB.c, and
 * for verbs that need libraries in narthex-ctl. */

#include "cleanup.h"
#include "log.h"
#include "nearest.h"
#include "program.h"
#include "verbs.h"

#include <signal.h>
#include <string.h>

static int cmd_help(const struct verb *verb, int argc, char **argv);

static const struct verb verbs[] = {
	{
		.name = "exec",
		.args = "NAME|--root=DIR [OPTION…] [--] COMMAND [ARG…]",
		.help = "run a command in a container",
		.more = "stdin, stdout, stderr and the exit status are the command's.",
		.options = exec_options,
		.run = cmd_exec,
		.parses_twice = true,
	},
	{
		.name = "shell",
		.args = "[OPTION…] NAME|--root=DIR",
		.help = "a shell in a container",
		.more = "Root's login shell, or USER's. ^] three times within a second leaves it.",
		.options = shell_options,
		.run = cmd_shell,
		.interspersed = true,
		.interactive = true,
	},
	{
		.name = "attach",
		.args = "NAME[/ID]",
		.help = "return to a session of 'shell --keep'",
		.more = "Whoever sees it now is sent away. ^] three times within a second leaves "
			"it "
			"running.",
		.run = cmd_attach,
		.interspersed = true,
		.interactive = true,
	},
	{
		.name = "login",
		.args = "[OPTION…] NAME|--root=DIR",
		.help = "log in to a container with name and password",
		.more = "^] three times within a second leaves the session.",
		.options = login_options,
		.run = cmd_login,
		.interspersed = true,
		.interactive = true,
	},
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

static int refuse_verb(const char *name)
{
	struct nearest nearest = { .given = name };

	for (const struct verb *verb = verbs; verb->name; verb++)
		nearest_offer(&nearest, verb->name);
	for (const struct verb *verb = ctl_verbs; verb->name; verb++)
		nearest_offer(&nearest, verb->name);
	if (nearest.best)
		log_error("there is no verb '%s'; did you mean '%s'?", name, nearest.best);
	else
		log_error("there is no verb '%s': see 'narthex help'", name);
	return STATUS_USAGE;
}

static void list_verbs(FILE *f, const struct verb *verb)
{
	for (; verb->name; verb++)
		fprintf(f, "  %-11s %s\n", verb->name, verb->help);
}

static void show_overview(FILE *f)
{
	fputs("Usage: narthex VERB [ARGUMENT…]\n\nLightweight containers that you can walk "
	      "into.\n\n"
	      "Verbs:\n",
		f);
	list_verbs(f, verbs);
	list_verbs(f, ctl_verbs);
	fputs("\nOptions:\n"
	      "  -H, --host=[USER@]HOST  do that on another host, over ssh; every verb takes it\n"
	      "  --help                  show this text\n"
	      "  --version               show the version\n\n"
	      "'narthex help VERB' tells more about one. See narthex(1).\n",
		f);
}

/* Becomes narthex-ctl, which finds its verb in argv[0]. Returns only when that failed: the status.
 */
static int run_ctl(char **argv)
{
	_cleanup_free_ char *program = NULL;
	int r = program_find("narthex-ctl", &program);

	if (r >= 0)
		execv(program, argv);
	log_errno(r < 0 ? r : -errno, "cannot run narthex-ctl");
	return STATUS_FAILED;
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
	if (verb_find(ctl_verbs, argv[first])) /* narthex-ctl knows its options */
		return run_ctl((char *[]){ argv[first], "--help", NULL });
	verb = verb_find(verbs, argv[first]);
	if (!verb)
		return refuse_verb(argv[first]);
	verb_show(verb);
	return 0;
}

/* Every verb takes -H, but people write it before the verb, too: moves it behind. False: there is
 * no verb. */
static bool move_host(int argc, char **argv)
{
	char *option = argv[1], *host = argv[2];
	int n = strncmp(option, "--host=", 7) == 0 || (option[1] == 'H' && option[2]) ? 1 : 2;

	if (argc <= 1 + n) {
		log_error("-H needs a host and a verb: see 'narthex help'");
		return false;
	}
	argv[1] = argv[1 + n];
	argv[2] = option;
	if (n == 2)
		argv[3] = host;
	return true;
}

static bool is_host(const char *word)
{
	return strncmp(word, "-H", 2) == 0 || strcmp(word, "--host") == 0 ||
	       strncmp(word, "--host=", 7) == 0;
}

static int run(int argc, char **argv)
{
	const struct verb *verb;

	if (argc > 1 && is_host(argv[1]) && !move_host(argc, argv))
		return STATUS_USAGE;
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
	verb = verb_find(verbs, argv[1]);
	if (verb)
		return verb->run(verb, argc - 1, argv + 1);
	if (verb_find(ctl_verbs, argv[1]))
		return run_ctl(argv + 1);
	return refuse_verb(argv[1]);
}

int main(int argc, char **argv)
{
	int status;

	log_init("narthex");
	/* a caller that ignores it would leave nothing of a child's end to wait for */
	(void)signal(SIGCHLD, SIG_DFL);
	status = run(argc, argv);
	return verb_end_output(argc > 1 ? argv[1] : "help", status);
}
