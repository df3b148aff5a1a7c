/* SPDX-License-Identifier: MIT */
#pragma once

/* Inside the configuration: the table of keys and the parsers of their values. */

#include "config.h"

/* One value on its way into a configuration. */
struct config_value {
	struct container_config *config;
	void *field;	  /* the key's place in config */
	const char *text; /* what stands behind '='; "" resets */
	char why[256]; /* what is wrong and what would be right, when the parser returned -EINVAL */
};

/* 0, -EINVAL with why set, -ENOMEM. The configuration is untouched on failure. */
typedef int config_parser(struct config_value *value);

struct config_key {
	const char *section, *key;
	config_parser *parse; /* NULL: known to systemd.nspawn(5), not supported here yet */
	size_t offset;
};

/* The table, ended by a NULL section. */
extern const struct config_key config_keys[];

/* Whether it is a section with keys of ours; those that go into the unit are not. */
bool config_section_is_known(const char *section);
void config_log_unknown_section(const char *where, const char *section);

/* Nobody writes that many words or mounts; searching them stays quick. */
#define CONFIG_LIST_MAX 4096

/* Sets value->why and returns -EINVAL. */
int config_refuse(struct config_value *value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Appends to a NULL-terminated list; item is consumed, also on failure. NULL item: -ENOMEM. -E2BIG
 * past CONFIG_LIST_MAX.
 */
int config_list_append(char ***list, char *item);
void config_list_free(char **list);

/* Whether value->text is right for a key of [Install]. 0, -EINVAL with why set, -ENOMEM. */
int config_check_install(struct config_value *value, const char *key);

/*
 * Splits text into words as systemd-nspawn does for Parameters= and Environment=: blanks separate,
 * '…' and "…" keep blanks together, also within a word; a backslash is nothing special.
 */
int config_split(struct config_value *value, char ***ret);

/* An absolute path without "..", superfluous slashes and dots removed, into a new string. */
int config_clean_path(struct config_value *value, const char *text, char **ret);

/*
 * Takes what stands before the next ':' off *p, without its backslashes; "\:" is a colon that
 * separates nothing. *p is NULL after the last part.
 */
int config_next_part(struct config_value *value, const char **p, char **ret);

/* Refuses places in a container that the launcher furnishes itself; their insides are free, but for
 * its own. */
int config_check_target(struct config_value *value, const char *target);

void config_overlay_done(struct config_overlay *overlay);

/* Whether the kernel takes it as the name of an interface, and no tool stumbles over it. */
bool config_interface_name_is_valid(const char *name);

/*
 * The link that is called name inside the container, undeclared when there was none. *ret is valid
 * until the next call. 0, -ENOMEM, or -E2BIG past CONFIG_LIST_MAX.
 */
int config_link_get(struct container_config *config, const char *name, struct config_link **ret);

/* config_check() of [Network] and [Link NAME]. Logs. 0 or -EINVAL. */
int config_check_network(const struct container_config *config, const char *where);

/* yes, true, on, 1, y, t and their opposites, as systemd has them: 1, 0 or -EINVAL. */
int config_boolean(const char *text);

/* A decimal number of at most max. 0 or -EINVAL. */
int config_number(const char *text, uint64_t max, uint64_t *ret);

/* *ret: DEFAULT_STORE where there is one, else NULL. 0 or -ENOMEM. */
#define DEFAULT_STORE "/nix/store"
int config_default_store(char **ret);

/* Frees all binds, tmpfs, overlays and masks. */
void config_forget_mounts(struct container_config *config);

config_parser config_parse_bool, config_parse_tristate, config_parse_path;
config_parser config_parse_boot, config_parse_private, config_parse_veth;
config_parser config_parse_parameters, config_parse_environment, config_parse_hostname,
	config_parse_machine_id, config_parse_capabilities, config_parse_private_users,
	config_parse_signal;
config_parser config_parse_user, config_parse_pivot_root, config_parse_ambient_capabilities,
	config_parse_personality, config_parse_oom_score_adjust, config_parse_cpu_affinity,
	config_parse_limit, config_parse_system_calls, config_parse_address_families,
	config_parse_command;
config_parser config_parse_root, config_parse_store, config_parse_bind, config_parse_bind_read_only,
	config_parse_tmpfs;
config_parser config_parse_timezone, config_parse_resolv_conf, config_parse_link_journal,
	config_parse_bind_user;
config_parser config_parse_volatile, config_parse_ownership, config_parse_ownership_chown,
	config_parse_inaccessible, config_parse_overlay, config_parse_overlay_read_only;
config_parser config_parse_address4, config_parse_address6, config_parse_mac, config_parse_mtu,
	config_parse_vlan, config_parse_interface, config_parse_zone, config_parse_veth_extra,
	config_parse_macvlan, config_parse_ipvlan, config_parse_moved, config_parse_naming,
	config_parse_port;
