/* SPDX-License-Identifier: MIT */

#include "from-nspawn.h"

#include "../config/config-value.h"
#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct collector {
	from_nspawn_setting *add;
	void *userdata;
};

/* text, which is consumed, for as long as the program runs. NULL: no memory, or far too many. */
static const char *keep(char *text)
{
	static char **texts;

	return config_list_append(&texts, text) < 0 ? NULL : text;
}

static int add(const struct collector *c, const char *section, const char *key, const char *value)
{
	const char *kept_value = keep(strdup(value)), *kept_setting;
	char *setting;

	if (asprintf(&setting, "%s.%s", section, key) < 0)
		setting = NULL;
	kept_setting = keep(setting);
	return kept_value && kept_setting ? c->add(c->userdata, kept_setting, kept_value) : -ENOMEM;
}

static int on_line(void *userdata, const char *section, const char *key, const char *value)
{
	return add(userdata, section, key, value);
}

/* systemd-nspawn may have changed the owners of the tree, to a range of its own choice. */
static int add_range(
	const struct collector *c, const struct container_config *config, const char *tree)
{
	char uid[16];
	struct stat st;
	int r = 0;

	if (stat(tree, &st) < 0 || st.st_uid == 0 || config->private_users == PRIVATE_USERS_NO ||
		config->ownership == OWNERSHIP_OFF)
		return 0;
	(void)snprintf(uid, sizeof(uid), "%u", st.st_uid);
	if (config->private_users != PRIVATE_USERS_FIXED)
		r = add(c, "Exec", "PrivateUsers", uid);
	return r < 0 ? r : add(c, "Files", "PrivateUsersOwnership", "off");
}

int from_nspawn(
	const char *machine, const char *tree, from_nspawn_setting *callback, void *userdata)
{
	struct collector collector = { callback, userdata };
	_cleanup_(config_done) struct container_config config = {};
	_cleanup_free_ char *file = NULL;
	int r = config_default(machine, &config);

	if (r < 0)
		return log_errno(r, "create: --from-nspawn=%s", machine);
	r = config_find_nspawn_file(machine, &file);
	if (r >= 0)
		r = config_read_settings(&config, file, on_line, &collector);
	else if (r == -ENOENT)
		r = 0; /* a machine needs none */
	/* the names that its networkd, and the host's, have files for */
	if (r >= 0 && config.veth)
		r = add(&collector, "Network", "Naming", "nspawn");
	return r < 0 ? r : add_range(&collector, &config, tree);
}
