/* SPDX-License-Identifier: MIT */

/* narthex list. */

#include "../containers.h"
#include "cleanup.h"
#include "ctl.h"
#include "info.h"
#include "log.h"

#include <string.h>

const struct verb_option list_options[] = {
	{ "json", NULL, NULL, .help = "as one JSON array, for scripts" },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	(void)option;
	(void)arg;
	*(bool *)userdata = true;
	return 0;
}

/* What a cell is about is wider than its heading at times: a NULL cell is "-". */
static void print_row(const char *const cells[9], int name_width)
{
	static const int widths[] = { 0, 10, 7, 8, 15, 12, 8, 4, 0 };

	printf("%-*s", name_width, cells[0]);
	for (size_t i = 1; i < ARRAY_SIZE(widths); i++)
		printf("  %-*s", widths[i], cells[i] ?: "-");
	printf("\n");
}

static void print_container(const struct container_info *info, int name_width)
{
	const char *address = info->addresses[0][0] ? info->addresses[0] : info->addresses[1];
	char leader[16], age[32], sessions[24], kept[24], memory[32];
	const bool up = info->answered;

	(void)snprintf(leader, sizeof(leader), "%d", info->launcher.leader);
	info_format_age(info->launcher.since_usec, age, sizeof(age));
	(void)snprintf(sessions, sizeof(sessions), "%zu", info->n_sessions);
	(void)snprintf(kept, sizeof(kept), "%zd", info->n_kept);
	info_format_bytes(info->memory, memory, sizeof(memory));
	print_row((const char *const[]){ info->name, info->state, up ? info->launcher.init : NULL,
			  up && info->launcher.leader > 0 ? leader : NULL,
			  address[0] ? address : NULL, up ? age : NULL,
			  info->sessions_known ? sessions : NULL, info->n_kept >= 0 ? kept : NULL,
			  info->memory != INFO_UNKNOWN ? memory : NULL },
		name_width);
}

static void show(const struct info_source *source, char **names, struct json *json)
{
	int width = 4;

	for (char **name = names; *name; name++)
		width = (int)strlen(*name) > width ? (int)strlen(*name) : width;
	if (json)
		json_open(json, NULL, '[');
	else if (*names)
		print_row((const char *const[]){ "NAME", "STATE", "INIT", "LEADER", "ADDRESS",
				  "UPTIME", "SESSIONS", "KEPT", "MEMORY" },
			width);
	for (char **name = names; *name; name++) {
		struct container_info info;

		info_collect(source, *name, &info);
		if (json)
			info_write_json(&info, json);
		else
			print_container(&info, width);
		info_done(&info);
	}
	if (json) {
		json_close(json, ']');
		printf("\n");
	}
}

int cmd_list(const struct verb *verb, int argc, char **argv)
{
	_cleanup_(containers_freep) char **names = NULL;
	struct json json = { .f = stdout };
	struct info_source source;
	bool as_json = false;
	int first, status, r;

	status = verb_parse(verb, argc, argv, on_option, &as_json, &first);
	if (status >= 0)
		return status;
	if (first != argc)
		return verb_usage(verb);
	r = containers_list(&names);
	if (r < 0) {
		log_errno(r, "list: cannot find the containers in " CONFIG_DIR);
		return STATUS_FAILED;
	}
	if (info_source_open(&source) < 0)
		return STATUS_FAILED;
	show(&source, names, as_json ? &json : NULL);
	if (!as_json && !*names)
		log_info("there is no container: 'narthex help create', narthex.conf(5)");
	info_source_close(&source);
	return 0;
}
