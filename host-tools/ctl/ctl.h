/* SPDX-License-Identifier: MIT */
#pragma once

/* The verbs of narthex-ctl, one or two a file. The text of their help is in ../ctl-verbs.c. */

#include "../verbs.h"

int cmd_start(const struct verb *verb, int argc, char **argv);
int cmd_stop(const struct verb *verb, int argc, char **argv);
int cmd_restart(const struct verb *verb, int argc, char **argv);
int cmd_reboot(const struct verb *verb, int argc, char **argv);
extern const struct verb_option reload_options[];
int cmd_reload(const struct verb *verb, int argc, char **argv);
extern const struct verb_option switch_options[], rollback_options[];
int cmd_switch(const struct verb *verb, int argc, char **argv);
int cmd_rollback(const struct verb *verb, int argc, char **argv);
extern const struct verb_option generations_options[];
int cmd_generations(const struct verb *verb, int argc, char **argv);
extern const struct verb_option kill_options[];
int cmd_kill(const struct verb *verb, int argc, char **argv);
extern const struct verb_option logs_options[];
int cmd_logs(const struct verb *verb, int argc, char **argv);
extern const struct verb_option enable_options[], disable_options[];
int cmd_enable(const struct verb *verb, int argc, char **argv);
int cmd_disable(const struct verb *verb, int argc, char **argv);
extern const struct verb_option list_options[];
int cmd_list(const struct verb *verb, int argc, char **argv);
extern const struct verb_option status_options[];
int cmd_status(const struct verb *verb, int argc, char **argv);
extern const struct verb_option show_ip_options[];
int cmd_show_ip(const struct verb *verb, int argc, char **argv);
extern const struct verb_option create_options[];
int cmd_create(const struct verb *verb, int argc, char **argv);
extern const struct verb_option destroy_options[];
int cmd_destroy(const struct verb *verb, int argc, char **argv);
extern const struct verb_option cp_options[];
int cmd_cp(const struct verb *verb, int argc, char **argv);

/* What other verbs do, too. Both log. 0 or -errno. */

/*
 * Applies a changed configuration to the running container, and shows what was applied. quiet: says
 * nothing where nothing has changed. *ret_needs_restart: whether there are changes that it didn't
 * apply.
 */
int container_reload(const char *name, bool dry_run, bool quiet, bool *ret_needs_restart);

/* Asks its init to reboot and waits until it is up again. */
int container_reboot(const char *name);
