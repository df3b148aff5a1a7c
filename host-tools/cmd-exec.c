/* SPDX-License-Identifier: MIT */

/* narthex exec: a command in a running container. */

#include "cleanup.h"
#include "client/exec-client.h"
#include "exec-message.h"
#include "log.h"
#include "remote.h"
#include "verbs.h"

#include <string.h>

const struct verb_option exec_options[] = {
	{ .name = "tty", .help = "give the command a terminal", .letter = 't' },
	{ .name = "user",
		.arg = "USER",
		.help = "a user of the container (default: root)",
		.letter = 'u' },
	{ .name = "workdir", .arg = "DIR", .help = "where the command starts", .letter = 'w' },
	{ .name = "env",
		.arg = "NAME[=VALUE]",
		.help = "add a variable to its environment",
		.letter = 'e',
		.from_caller = true },
	{ .name = "login", .help = "run it in a login shell, with a PAM session" },
	{ .name = "detach", .help = "return when it runs; its output is discarded", .letter = 'd' },
	{ .name = "record",
		.arg = "FILE",
		.help = "with --tty, write what is shown to a new FILE (asciicast v2)" },
	{ .name = "root",
		.arg = "DIR",
		.help = "the root directory of a container of somebody else, instead of NAME" },
	{},
};

struct exec_options_taken {
	const char *verb;
	struct exec_request request;
	const char *env[EXEC_STRINGS_MAX + 1];
	size_t n_env;
};

/* It is big, and there is one a process. */
static struct exec_options_taken taken;

static int add_env(struct exec_options_taken *t, const char *arg)
{
	if (*arg == '=' || !*arg) {
		log_error("%s: --env=%s has no name", t->verb, arg);
		return STATUS_USAGE;
	}
	if (t->n_env == EXEC_STRINGS_MAX) {
		log_error("%s: more than %d variables", t->verb, EXEC_STRINGS_MAX);
		return STATUS_USAGE;
	}
	t->env[t->n_env++] = arg;
	return 0;
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct exec_options_taken *t = userdata;
	struct exec_request *q = &t->request;

	if (strcmp(option->name, "tty") == 0)
		q->flags |= EXEC_TTY;
	else if (strcmp(option->name, "login") == 0)
		q->flags |= EXEC_LOGIN | EXEC_PAM;
	else if (strcmp(option->name, "detach") == 0)
		q->flags |= EXEC_DETACH;
	else if (strcmp(option->name, "user") == 0)
		q->user = arg;
	else if (strcmp(option->name, "root") == 0)
		q->place.root = arg;
	else if (strcmp(option->name, "record") == 0)
		q->record = arg;
	else if (strcmp(option->name, "env") == 0)
		return add_env(t, arg);
	else if (strcmp(option->name, "workdir") == 0)
		q->directory = arg;
	return 0;
}

static int check(const struct verb *verb, const struct exec_request *q)
{
	if (verb_check_user(verb, q->user) != 0)
		return STATUS_USAGE;
	if (q->directory && q->directory[0] != '/') {
		log_error("%s: --workdir=%s: must be an absolute path", verb->name, q->directory);
		return STATUS_USAGE;
	}
	if ((q->flags & EXEC_TTY) && (q->flags & EXEC_DETACH)) {
		log_error("%s: --tty and --detach exclude each other", verb->name);
		return STATUS_USAGE;
	}
	if (q->record && !(q->flags & EXEC_TTY)) {
		log_error("%s: --record needs --tty", verb->name);
		return STATUS_USAGE;
	}
	if (!q->argv[0] && !(q->flags & EXEC_LOGIN))
		return verb_usage(verb);
	if (q->argv[0] && !*q->argv[0]) {
		log_error("%s: the command is empty", verb->name);
		return STATUS_USAGE;
	}
	return 0;
}

int cmd_exec(const struct verb *verb, int argc, char **argv)
{
	struct exec_request *q = &taken.request;
	int first, status;

	taken.verb = verb->name;
	status = verb_parse(verb, argc, argv, on_option, &taken, &first);
	if (status >= 0)
		return status;
	/* options may stand before NAME and behind it, but behind the command all is the command's
	 */
	if (!q->place.root) {
		if (first == argc)
			return verb_usage(verb);
		q->place.name = argv[first];
		argv += first;
		argc -= first;
		status = verb_parse(verb, argc, argv, on_option, &taken, &first);
		if (status >= 0)
			return status;
		if (q->place.root) {
			log_error("%s: NAME or --root, not both", verb->name);
			return STATUS_USAGE;
		}
	}
	q->argv = argv + first;
	q->env = (char *const *)taken.env;
	status = check(verb, q);
	if (status != 0)
		return status;
	return remote_is_asked() ? remote_run(q->flags & EXEC_TTY) : exec_client(q);
}
