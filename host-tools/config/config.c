/* SPDX-License-Identifier: MIT */

/* A configuration as a whole: its defaults, and what its keys mean to each other. */

#include "config.h"

#include "../name.h"
#include "cleanup.h"
#include "config-value.h"
#include "log.h"

#include <string.h>
#include <sys/stat.h>

int config_default_store(char **ret)
{
	struct stat st;

	*ret = NULL;
	if (stat(DEFAULT_STORE, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	*ret = strdup(DEFAULT_STORE);
	return *ret ? 0 : -ENOMEM;
}

int config_default(const char *name, struct container_config *ret)
{
	struct container_config config = {
		.boot = true,
		.private_users = PRIVATE_USERS_PICK,
		.notify_ready = AUTO,
		.personality = CONFIG_PERSONALITY_HOST,
		.boot_written = AUTO,
		.private_written = AUTO,
		.veth_written = AUTO,
	};
	bool complete = true;

	config.name = strdup(name);
	if (asprintf(&config.root, CONTAINERS_DIR "/%s", name) < 0)
		config.root = NULL;
	if (!config.name || !config.root || config_default_store(&config.store) < 0)
		complete = false;
	for (size_t i = 0; i < UNIT_SECTION_MAX_; i++) {
		config.unit_text[i] = strdup("");
		if (!config.unit_text[i])
			complete = false;
	}
	if (!complete) {
		config_done(&config);
		return -ENOMEM;
	}
	*ret = config;
	return 0;
}

void config_done(struct container_config *config)
{
	if (!config)
		return;
	config_list_free(config->parameters);
	config_list_free(config->environment);
	config_list_free(config->system_calls);
	config_list_free(config->bind_users);
	config_list_free(config->switch_command);
	config_list_free(config->lines);
	config_forget_mounts(config);
	free(config->name);
	free(config->path);
	free(config->hostname);
	free(config->machine_id);
	free(config->working_directory);
	free(config->user);
	free(config->pivot_root);
	free(config->pivot_root_old);
	free(config->root);
	free(config->store);
	free(config->namespace_path);
	free(config->links);
	free(config->ports);
	for (size_t i = 0; i < UNIT_SECTION_MAX_; i++)
		free(config->unit_text[i]);
	*config = (struct container_config){};
}

static int fault(const char *where, const char *text)
{
	log_error("%s: %s", where, text);
	return -EINVAL;
}

static int check_name(const struct container_config *config, const char *where)
{
	const char *why;

	if (!name_is_valid(config->name, &why)) {
		log_error("%s: not a container's name: %s", where, why);
		return -EINVAL;
	}
	/* podman keeps its images and its cache there */
	if (strcmp(config->root, CONTAINERS_DIR "/storage") == 0 ||
		strcmp(config->root, CONTAINERS_DIR "/cache") == 0) {
		log_error("%s: %s belongs to podman: choose another name, or set Root=", where,
			config->root);
		return -EINVAL;
	}
	return 0;
}

/* What an ambient capability is to be must be in the bounding set. */
static int check_capabilities(const struct container_config *config, const char *where)
{
	uint64_t missing = config->capability_ambient & ~config_capabilities(config);
	char names[256];

	if (missing == 0)
		return 0;
	config_capability_names(missing, names, sizeof(names));
	log_error("%s: AmbientCapability= has %s, which the container's bounding set doesn't: add "
		  "it to Capability=, or take it out of DropCapability=",
		where, names);
	return -EINVAL;
}

static int check_exec(const struct container_config *config, const char *where)
{
	int r = 0;

	if (config->boot && config->process_two)
		r = fault(where, "Boot=yes and ProcessTwo=yes exclude each other: an init must be "
				 "PID 1");
	if (!config->boot && !config->parameters)
		r = fault(where, config->process_two
					 ? "ProcessTwo=yes needs Parameters=, the command to run"
					 : "Boot=no needs Parameters=, the command to run");
	if (!config->boot && config->path)
		r = fault(where, "Path= names a system to boot, Boot=no says not to: remove one");
	if (config->boot && config->user)
		r = fault(where, "User= is for a command: an init must be root; set Boot=no, or "
				 "remove it");
	if (config->boot && config->capability_ambient)
		r = fault(where,
			"AmbientCapability= is for a command: an init is root, and has the "
			"whole bounding set; set Boot=no, or remove it");
	if (check_capabilities(config, where) < 0)
		r = -EINVAL;
	if (config->path && !config->store)
		r = fault(where, "Path= needs a store for the container to see it: set Store=");
	return r;
}

/* The n-th of all mounts that the configuration adds, in no particular order; NULL after the last.
 */
static const char *target_of(const struct container_config *config, size_t n)
{
	if (n < config->n_binds)
		return config->binds[n].target;
	n -= config->n_binds;
	if (n < config->n_tmpfs)
		return config->tmpfs[n].target;
	n -= config->n_tmpfs;
	if (n < config->n_overlays)
		return config->overlays[n].target;
	n -= config->n_overlays;
	return config->inaccessible ? config->inaccessible[n] : NULL;
}

/* Two mounts on one place: the second would hide the first. */
static int check_targets(const struct container_config *config, const char *where)
{
	const char *target;
	int r = 0;

	for (size_t i = 0; (target = target_of(config, i)); i++)
		for (size_t j = 0; j < i; j++) {
			const char *earlier = target_of(config, j);

			if (!earlier || strcmp(target, earlier) != 0)
				continue;
			log_error("%s: two mounts on %s: remove one of the Bind=, BindReadOnly=, "
				  "TemporaryFileSystem=, Overlay=, OverlayReadOnly=, Inaccessible=",
				where, target);
			r = -EINVAL;
			break;
		}
	return r;
}

bool config_root_is_read_only(const struct container_config *config)
{
	return config->read_only || config->volatile_mode == VOLATILE_STATE;
}

bool config_root_is_temporary(const struct container_config *config)
{
	return config->ephemeral || config->volatile_mode == VOLATILE_YES ||
	       config->volatile_mode == VOLATILE_OVERLAY;
}

/* What says twice, and differently, how long the tree's changes live. */
static int check_volatile(const struct container_config *config, const char *where)
{
	int r = 0;

	if (config->ephemeral && config->volatile_mode != VOLATILE_NO)
		r = fault(where, "Ephemeral=yes and Volatile= exclude each other: Ephemeral=yes is "
				 "Volatile=overlay");
	if (config->volatile_mode == VOLATILE_YES && config->path)
		r = fault(where, "Volatile=yes starts from the tree's /usr, Path= from the store: "
				 "remove one");
	if (config->volatile_mode == VOLATILE_YES && config->pivot_root)
		r = fault(where, "Volatile=yes has an empty root, in which PivotRoot= finds "
				 "nothing: remove one");
	return r;
}

/* What would be written to a tree that is not to be written to. */
static int check_read_only(const struct container_config *config, const char *where)
{
	if (!config_root_is_read_only(config))
		return 0;
	if (config->resolv_action == RESOLV_COPY || config->resolv_action == RESOLV_REPLACE ||
		config->resolv_action == RESOLV_DELETE)
		return fault(where,
			"ResolvConf= is to change /etc/resolv.conf in a tree that is read-only: "
			"use bind-host, or off");
	if (config->timezone != TIMEZONE_COPY && config->timezone != TIMEZONE_SYMLINK &&
		config->timezone != TIMEZONE_DELETE)
		return 0;
	return fault(where,
		"Timezone= is to change /etc/localtime in a tree that is read-only: use "
		"bind, or off");
}

static int check_files(const struct container_config *config, const char *where)
{
	int r = check_targets(config, where);

	if (config->nix_daemon && !config->store)
		r = fault(where, "NixDaemon= builds into a store that the container doesn't see: "
				 "set Store=");
	if (check_volatile(config, where) < 0 || check_read_only(config, where) < 0)
		r = -EINVAL;
	if (config->bind_users && config->private_users == PRIVATE_USERS_NO)
		r = fault(where, "BindUser= needs a user namespace: remove it, or PrivateUsers=no");
	if (strcmp(config->root, "/") == 0 && !config_root_is_temporary(config))
		r = fault(where, "Root=/ is the host's own tree: it needs Ephemeral=yes");
	for (size_t i = 0; i < config->n_binds; i++)
		if (config->binds[i].ids != BIND_IDS_HOST &&
			config->private_users == PRIVATE_USERS_NO) {
			log_error("%s: idmap for %s needs a user namespace: remove it, or "
				  "PrivateUsers=no",
				where, config->binds[i].target);
			r = -EINVAL;
		}
	return r;
}

int config_check(const struct container_config *config, const char *where)
{
	int r = check_name(config, where);

	if (check_exec(config, where) < 0)
		r = -EINVAL;
	if (check_files(config, where) < 0)
		r = -EINVAL;
	if (config_check_network(config, where) < 0)
		r = -EINVAL;
	return r;
}
