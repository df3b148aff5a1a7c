/* SPDX-License-Identifier: MIT */
#include "system.h"

#include "../system-links.h"
#include "cleanup.h"
#include "log.h"

#include <limits.h>
#include <string.h>

/* Without roots of its own a system is only held by its profile. */
static void hold(const struct launch *launch)
{
	const struct container_config *config = &launch->config;
	size_t n = config->store ? strlen(config->store) : 0;
	int r;

	if (n == 0 || strncmp(launch->system, config->store, n) != 0 || launch->system[n] != '/')
		return;
	r = system_roots_add(config->name);
	if (r < 0)
		log_warning("cannot keep the garbage collector off '%s' of container '%s': %s",
			launch->system, config->name, strerror(-r));
}

int system_resolve(struct launch *launch)
{
	const struct container_config *config = &launch->config;
	char *path;
	int r;

	if (!config->path)
		return 0;
	path = realpath(config->path, NULL);
	if (!path)
		return log_errno(-errno, "cannot find the system '%s' (Path=) of container '%s'",
			config->path, config->name);
	free(launch->system);
	launch->system = path;
	r = system_link_set(launch->state.dir_fd, SYSTEM_BOOTED, path);
	if (r >= 0)
		r = system_link_set(launch->state.dir_fd, SYSTEM_CURRENT, path);
	if (r < 0)
		return log_errno(r, "cannot write " RUN_DIR "/%s/system", config->name);
	hold(launch);
	return 0;
}
