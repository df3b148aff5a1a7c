/* SPDX-License-Identifier: MIT */

/* narthex shell: a user's login shell in a running container. */

#include "client/exec-client.h"
#include "client/kept-client.h"
#include "exec-message.h"
#include "log.h"
#include "verbs.h"

#include <string.h>
#include <unistd.h>

const struct verb_option shell_options[] = {
	{ .name = "user",
		.arg = "USER",
		.help = "a user of the container (default: root)",
		.letter = 'u' },
	{ .name = "keep", .help = "leave the session running for 'narthex attach'" },
	{ .name = "record",
		.arg = "FILE",
		.help = "write what is shown to a new FILE (asciicast v2)" },
	{ .name = "root",
		.arg = "DIR",
		.help = "the root directory of a container of somebody else, instead of NAME" },
	{},
};

struct shell_options_taken {
	struct exec_request request;
	bool keep;
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct shell_options_taken *t = userdata;
	struct exec_request *q = &t->request;

	if (strcmp(option->name, "user") == 0) {
		q->user = arg;
		q->flags |= EXEC_PAM;
	} else if (strcmp(option->name, "record") == 0) {
		q->record = arg;
	} else if (strcmp(option->name, "root") == 0) {
		q->place.root = arg;
	} else if (strcmp(option->name, "keep") == 0) {
		t->keep = true;
	}
	return 0;
}

static int keep(const struct verb *verb, const struct exec_request *q)
{
	const char *without = q->place.root ? "--root" : q->record ? "--record" : NULL;

	if (without) {
		log_error("%s: --keep and %s exclude each other", verb->name, without);
		return STATUS_USAGE;
	}
	if (!(q->flags & EXEC_TTY)) {
		log_error("%s: --keep needs a terminal", verb->name);
		return STATUS_USAGE;
	}
	return kept_begin(q->place.name, q->user);
}

int cmd_shell(const struct verb *verb, int argc, char **argv)
{
	char *none[] = { NULL };
	struct shell_options_taken t = { .request = { .flags = EXEC_LOGIN, .argv = none } };
	struct exec_request *q = &t.request;
	int first, status;

	status = verb_parse(verb, argc, argv, on_option, &t, &first);
	if (status >= 0)
		return status;
	if (argc - first != (q->place.root ? 0 : 1))
		return verb_usage(verb);
	if (verb_check_user(verb, q->user) != 0)
		return STATUS_USAGE;
	q->place.name = argv[first];
	/* a script on stdin gets a shell without a terminal, as with ssh */
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		q->flags |= EXEC_TTY;
	if (t.keep)
		return keep(verb, q);
	if (q->record && !(q->flags & EXEC_TTY)) {
		log_error("%s: --record needs a terminal", verb->name);
		return STATUS_USAGE;
	}
	return exec_client(q);
}
