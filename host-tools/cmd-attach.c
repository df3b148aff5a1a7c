/* SPDX-License-Identifier: MIT */

/* narthex attach: back to a session of narthex shell --keep. */

#include "client/kept-client.h"
#include "kept.h"
#include "log.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "NAME" or "NAME/ID"; cuts the word. 0: the only session; negative: no ID. */
static int take_id(char *word)
{
	char *slash = strchr(word, '/'), *end;
	long id;

	if (!slash)
		return 0;
	*slash = '\0';
	if (slash[1] < '1' || slash[1] > '9')
		return -1;
	id = strtol(slash + 1, &end, 10);
	return *end || id > KEPT_MAX ? -1 : (int)id;
}

int cmd_attach(const struct verb *verb, int argc, char **argv)
{
	int first, id, status = verb_parse(verb, argc, argv, NULL, NULL, &first);

	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		log_error("%s: needs a terminal", verb->name);
		return STATUS_USAGE;
	}
	id = take_id(argv[first]);
	if (id < 0) {
		log_error("%s: which session? NAME/ID, with a number from 1 to %d", verb->name,
			KEPT_MAX);
		return STATUS_USAGE;
	}
	return kept_attach(argv[first], (unsigned int)id);
}
