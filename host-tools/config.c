/* SPDX-License-Identifier: MIT */

/* A configuration as a whole: its defaults, and what its keys mean to each other. */

#include "config.h"

#include "cleanup.h"
#include "config-value.h"
#include "log.h"
#include "name.h"

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
	config_list_free(config->lines);
	config_forget_mounts(config);
	free(config->name);
	free(config->path);
	free(config->hostname);
	free(config->machine_id);
	free(config->working_directory);
	free(config->root);
	free(config->store);
	free(config->namespace_path);
	free(config->links);
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
	if (config->path && !config->store)
		r = fault(where, "Path= needs a store for the container to see it: set Store=");
	return r;
}

/* Two mounts on one place: the second would hide the first. */
static int check_targets(const struct container_config *config, const char *where)
{
	size_t n = config->n_binds + config->n_tmpfs;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const char *target = i < config->n_binds
					     ? config->binds[i].target
					     : config->tmpfs[i - config->n_binds].target;

		for (size_t j = 0; j < i; j++) {
			const char *earlier = j < config->n_binds
						      ? config->binds[j].target
						      : config->tmpfs[j - config->n_binds].target;

			if (strcmp(target, earlier) != 0)
				continue;
			log_error("%s: two mounts on %s: remove one of the Bind=, BindReadOnly=, "
				  "TemporaryFileSystem=",
				where, target);
			r = -EINVAL;
			break;
		}
	}
	return r;
}

static int check_files(const struct container_config *config, const char *where)
{
	int r = check_targets(config, where);

	if (config->nix_daemon && !config->store)
		r = fault(where, "NixDaemon= builds into a store that the container doesn't see: "
				 "set Store=");
	if (strcmp(config->root, "/") == 0 && !config->ephemeral)
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
