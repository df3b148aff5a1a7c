/* SPDX-License-Identifier: MIT */

/*
 * narthex-ctl: those verbs of narthex that need D-Bus, the journal or other libraries. narthex
 * executes it with the verb in argv[0]; so does narthex-launch with a helper of its own.
 */

#include "ctl.h"
#include "kernel.h"
#include "log.h"
#include "register-machine.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const struct verb_option *options;
	int (*run)(const struct verb *verb, int argc, char **argv);
} parts[] = {
	{ "start", NULL, cmd_start },
	{ "stop", NULL, cmd_stop },
	{ "restart", NULL, cmd_restart },
	{ "reboot", NULL, cmd_reboot },
	{ "reload", reload_options, cmd_reload },
	{ "switch", switch_options, cmd_switch },
	{ "rollback", rollback_options, cmd_rollback },
	{ "generations", generations_options, cmd_generations },
	{ "kill", kill_options, cmd_kill },
	{ "enable", enable_options, cmd_enable },
	{ "disable", disable_options, cmd_disable },
	{ "list", list_options, cmd_list },
	{ "status", status_options, cmd_status },
	{ "show-ip", show_ip_options, cmd_show_ip },
	{ "logs", logs_options, cmd_logs },
	{ "create", create_options, cmd_create },
	{ "destroy", destroy_options, cmd_destroy },
	{ "cp", cp_options, cmd_cp },
	{},
};

static bool check_kernel(const char *verb)
{
	const char *call, *since;

	if (kernel_has(KERNEL_OPENAT2 | KERNEL_PIDFD, &call, &since))
		return true;
	log_error("%s: this kernel has no %s: Linux %s is needed", verb, call, since);
	return false;
}

int main(int argc, char **argv)
{
	const struct verb *known = argc > 0 ? verb_find(ctl_verbs, argv[0]) : NULL;

	log_init("narthex");
	if (argc > 0 && strcmp(argv[0], "register-machine") == 0) /* for narthex-launch */
		return register_machine(argc, argv);
	for (size_t i = 0; known && parts[i].name; i++)
		if (strcmp(parts[i].name, known->name) == 0) {
			struct verb verb = *known;

			if (!check_kernel(verb.name))
				return STATUS_FAILED;
			verb.options = parts[i].options;
			verb.run = parts[i].run;
			verb.interspersed = true;
			return verb_end_output(verb.name, verb.run(&verb, argc, argv));
		}
	log_error("narthex-ctl is a part of narthex: run 'narthex VERB'");
	return STATUS_USAGE;
}
