/* SPDX-License-Identifier: MIT */

/* narthex shell: a user's login shell in a running container. */

#include "exec-client.h"
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
	{ .name = "record",
		.arg = "FILE",
		.help = "write what is shown to a new FILE (asciicast v2)" },
	{ .name = "root",
		.arg = "DIR",
		.help = "the root directory of a container of somebody else, instead of NAME" },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct exec_request *q = userdata;

	if (strcmp(option->name, "user") == 0) {
		q->user = arg;
		q->flags |= EXEC_PAM;
	} else if (strcmp(option->name, "record") == 0) {
		q->record = arg;
	} else if (strcmp(option->name, "root") == 0) {
		q->place.root = arg;
	}
	return 0;
}

int cmd_shell(const struct verb *verb, int argc, char **argv)
{
	char *none[] = { NULL };
	struct exec_request q = { .flags = EXEC_LOGIN, .argv = none };
	int first, status;

	status = verb_parse(verb, argc, argv, on_option, &q, &first);
	if (status >= 0)
		return status;
	if (argc - first != (q.place.root ? 0 : 1))
		return verb_usage(verb);
	q.place.name = argv[first];
	/* a script on stdin gets a shell without a terminal, as with ssh */
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		q.flags |= EXEC_TTY;
	if (q.record && !(q.flags & EXEC_TTY)) {
		log_error("%s: --record needs a terminal", verb->name);
		return STATUS_USAGE;
	}
	return exec_client(&q);
}
