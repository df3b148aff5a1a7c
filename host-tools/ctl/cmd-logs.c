/* SPDX-License-Identifier: MIT */

/* narthex logs. */

#include "../containers.h"
#include "bus.h"
#include "cleanup.h"
#include "ctl.h"
#include "journal.h"
#include "log.h"

#include <limits.h>

const struct verb_option logs_options[] = {
	{ "follow", NULL, NULL, .help = "wait for more", .letter = 'f' },
	{ "lines", "N", NULL, .help = "only the last N lines (with --follow: 10)", .letter = 'n' },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct journal_query *query = userdata;
	unsigned long n;
	char *end;

	if (option->letter == 'f') {
		query->follow = true;
		return 0;
	}
	errno = 0;
	n = strtoul(arg, &end, 10);
	if (errno == 0 && *end == '\0' && arg[0] >= '0' && arg[0] <= '9' && n <= INT_MAX) {
		query->last = true;
		query->lines = (unsigned)n;
		return 0;
	}
	log_error("logs: '%s' is no number of lines", arg);
	return STATUS_USAGE;
}

int cmd_logs(const struct verb *verb, int argc, char **argv)
{
	struct journal_query query = {};
	char unit[UNIT_NAME_SIZE];
	int first, status, r;

	status = verb_parse(verb, argc, argv, on_option, &query, &first);
	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	if (!container_is_known("logs", argv[first]))
		return STATUS_FAILED;
	unit_name(argv[first], unit);
	query.unit = unit;
	if (query.follow && !query.last) {
		query.last = true;
		query.lines = 10;
	}
	r = journal_show(&query, stdout);
	if (r == -EPIPE) {
		clearerr(stdout);
		return 0;
	}
	if (r < 0) {
		log_errno(r, "logs: cannot read the journal");
		return STATUS_FAILED;
	}
	if (query.last && query.lines == 0)
		return 0;
	if (r == 0 && geteuid() != 0)
		log_warning("logs: nothing is there, or you may not read the journal");
	else if (r == 0)
		log_info("logs: the journal has nothing about container '%s'", argv[first]);
	return 0;
}
