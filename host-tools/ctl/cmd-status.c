/* SPDX-License-Identifier: MIT */

/* narthex status, narthex show-ip. */

#include "../containers.h"
#include "../name.h"
#include "cleanup.h"
#include "ctl.h"
#include "escape.h"
#include "info.h"
#include "log.h"

#include <limits.h>
#include <string.h>
#include <time.h>

const struct verb_option status_options[] = {
	{ "json", NULL, NULL, .help = "as one JSON object, for scripts" },
	{},
};

const struct verb_option show_ip_options[] = {
	{ "ipv6", NULL, NULL, .help = "its IPv6 address", .letter = '6' },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	(void)option;
	(void)arg;
	*(bool *)userdata = true;
	return 0;
}

static void print_path(const char *heading, const char *path)
{
	char escaped[4 * PATH_MAX];

	(void)escape_text(escaped, sizeof(escaped), path, strlen(path));
	printf("%10s: %s\n", heading, escaped);
}

static void print_launcher(const struct launcher_status *l)
{
	if (l->leader > 0)
		printf("%10s: %s, process %d", "Init", l->init, l->leader);
	else
		printf("%10s: %s", "Init", l->init);
	if (l->boots > 1)
		printf(", rebooted %u time%s", l->boots - 1, l->boots > 2 ? "s" : "");
	printf("\n%10s: process %d\n", "Launcher", l->launcher);
	if (l->uid_base > 0)
		printf("%10s: %u to %u of the host\n", "Users", l->uid_base,
			l->uid_base + l->uid_count - 1);
	else
		printf("%10s: the host's own (PrivateUsers=no)\n", "Users");
}

static void print_state(const struct container_info *info)
{
	char date[64] = "", age[32];
	time_t since = (time_t)(info->launcher.since_usec / 1000000);
	struct tm tm;

	printf("%s: %s", info->name, info->state);
	if (info->foreground)
		printf(" in the foreground");
	if (info->answered && localtime_r(&since, &tm)) {
		(void)strftime(date, sizeof(date), "%a %Y-%m-%d %H:%M:%S %Z", &tm);
		info_format_age(info->launcher.since_usec, age, sizeof(age));
		printf(" since %s (%s)", date, age);
	}
	printf("\n");
}

/* A door's name, and a user's, are printable ASCII: the list is read no other way. */
static void print_sessions(const struct container_info *info)
{
	char age[32];

	printf("%10s: %zu open\n", "Sessions", info->n_sessions);
	for (size_t i = 0; i < info->n_sessions; i++) {
		const struct session_record *session = &info->sessions[i];

		info_format_age(session->since_usec, age, sizeof(age));
		printf("%12s%-10s  %-10s  %s\n", "", session->door,
			session->user[0] ? session->user : "-", age);
	}
}

static void print_kept(const struct container_info *info)
{
	char age[32], user[4 * KEPT_USER_SIZE], name[NAME_MAX_LEN + 8], state[32];

	printf("%10s: %zd\n", "Kept", info->n_kept);
	for (ssize_t i = 0; i < info->n_kept; i++) {
		const struct kept_state *kept = &info->kept[i];

		(void)snprintf(name, sizeof(name), "%s/%u", info->name, kept->id);
		if (kept->silent) {
			printf("%12s%-10s  does not answer\n", "", name);
			continue;
		}
		(void)snprintf(state, sizeof(state), "ended with status %d", kept->status);
		info_format_age(kept->since_usec, age, sizeof(age));
		(void)escape_text(user, sizeof(user), kept->user, strlen(kept->user));
		printf("%12s%-10s  %-10s  %-10s  %s\n", "", name, user, age,
			kept->status >= 0 ? state
			: kept->attached  ? "attached"
					  : "detached");
	}
}

static void print_info(const struct container_info *info)
{
	char bytes[32];

	print_state(info);
	if (info->configured)
		printf("%10s: container-%s.service%s\n", "Unit", info->name,
			info->config_usable && info->config.auto_start ? ", started at boot" : "");
	if (info->config_usable)
		print_path("Root", info->config.root);
	if (info->config_usable && info->config.ephemeral)
		printf("%10s: changes are forgotten\n", "Ephemeral");
	if (info->answered)
		print_launcher(&info->launcher);
	for (size_t i = 0; i < ARRAY_SIZE(info->addresses); i++)
		if (info->addresses[i][0])
			printf("%10s: %s\n", "Address", info->addresses[i]);
	if (info->memory != INFO_UNKNOWN) {
		info_format_bytes(info->memory, bytes, sizeof(bytes));
		printf("%10s: %s\n", "Memory", bytes);
	}
	if (info->disk != INFO_UNKNOWN) {
		info_format_bytes(info->disk, bytes, sizeof(bytes));
		printf("%10s: %s\n", "Disk", bytes);
	}
	if (info->sessions_known)
		print_sessions(info);
	if (info->n_kept > 0)
		print_kept(info);
}

int cmd_status(const struct verb *verb, int argc, char **argv)
{
	struct json json = { .f = stdout };
	struct container_info info;
	struct info_source source;
	bool as_json = false;
	int first, status;

	status = verb_parse(verb, argc, argv, on_option, &as_json, &first);
	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	if (!container_is_known("status", argv[first]) || info_source_open(&source) < 0)
		return STATUS_FAILED;
	info_collect(&source, argv[first], &info);
	info_measure(&info);
	if (as_json) {
		info_write_json(&info, &json);
		printf("\n");
	} else {
		print_info(&info);
	}
	status = strcmp(info.state, "running") == 0 ? 0 : STATUS_WRONG;
	info_done(&info);
	info_source_close(&source);
	return status;
}

static void log_no_address(const struct container_info *info, const char *family)
{
	if (info->config_usable && !info->config.private_network)
		log_error("show-ip: container '%s' shares the host's network", info->name);
	else if (info->answered)
		log_error("show-ip: container '%s' has no %saddress", info->name, family);
	else
		log_error("show-ip: the configuration of container '%s' has no %saddress for it, "
			  "and what it has given itself is known %s",
			info->name, family,
			strcmp(info->state, "running") == 0 ? "to root only"
							    : "only while it runs");
}

int cmd_show_ip(const struct verb *verb, int argc, char **argv)
{
	static const struct info_source nothing;
	struct container_info info;
	bool v6 = false;
	const char *address;
	int first, status;

	status = verb_parse(verb, argc, argv, on_option, &v6, &first);
	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	if (!container_is_known("show-ip", argv[first]))
		return STATUS_FAILED;
	info_collect(&nothing, argv[first], &info);
	address = v6 || !info.addresses[0][0] ? info.addresses[1] : info.addresses[0];
	if (address[0])
		printf("%s\n", address);
	else
		log_no_address(&info, v6 ? "IPv6 " : "");
	status = address[0] ? 0 : STATUS_FAILED;
	info_done(&info);
	return status;
}
