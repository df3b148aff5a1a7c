/* SPDX-License-Identifier: MIT */

/* TemporaryFileSystem=: options as mount(8) takes them, some for the mount and some for tmpfs(5).
 */

#include "mounts.h"

#include "cleanup.h"
#include "log.h"
#include "mnt.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPTIONS_MAX 16
#define TEXT_MAX 1024

struct tmpfs_plan {
	struct mnt_option list[OPTIONS_MAX + 1];
	size_t n;
	uint64_t attributes;
	char text[TEXT_MAX]; /* what the list points into */
	char uid[16], gid[16];
};

/* The configuration has checked the names; the last of two that contradict each other counts. */
static bool take_attribute(struct tmpfs_plan *plan, const char *word)
{
	static const struct {
		const char *name;
		uint64_t clear, set;
	} names[] = {
		{ "ro", 0, MOUNT_ATTR_RDONLY },
		{ "rw", MOUNT_ATTR_RDONLY, 0 },
		{ "noexec", 0, MOUNT_ATTR_NOEXEC },
		{ "exec", MOUNT_ATTR_NOEXEC, 0 },
		{ "nosuid", 0, MOUNT_ATTR_NOSUID },
		{ "suid", MOUNT_ATTR_NOSUID, 0 },
		{ "nodev", 0, MOUNT_ATTR_NODEV },
		{ "dev", MOUNT_ATTR_NODEV, 0 },
		{ "atime", MOUNT_ATTR__ATIME, 0 },
		{ "relatime", MOUNT_ATTR__ATIME, 0 },
		{ "noatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME },
		{ "strictatime", MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME },
		{ "diratime", MOUNT_ATTR_NODIRATIME, 0 },
		{ "nodiratime", 0, MOUNT_ATTR_NODIRATIME },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(word, names[i].name) == 0) {
			plan->attributes = (plan->attributes & ~names[i].clear) | names[i].set;
			return true;
		}
	return false;
}

/* uid= and gid= are the guest's. */
static const char *shift_id(const struct uid_range *range, const char *text, char out[16])
{
	unsigned long id = text ? strtoul(text, NULL, 10) : ULONG_MAX;

	if (!text || (range->base != 0 && id >= range->count))
		return NULL;
	(void)snprintf(out, 16, "%lu", range->base + id);
	return out;
}

static int take_option(struct tmpfs_plan *plan, const struct uid_range *range, char *word)
{
	char *value = strchr(word, '=');
	const char *text = value;

	if (take_attribute(plan, word))
		return 0;
	if (value) {
		*value = '\0';
		text = value + 1;
	}
	if (strcmp(word, "uid") == 0 || strcmp(word, "gid") == 0) {
		text = shift_id(range, text, *word == 'u' ? plan->uid : plan->gid);
		if (!text)
			return -ERANGE;
	}
	if (plan->n >= OPTIONS_MAX)
		return -E2BIG;
	plan->list[plan->n++] = (struct mnt_option){ .key = word, .value = text };
	return 0;
}

static int make_plan(
	struct tmpfs_plan *plan, const struct uid_range *range, const struct config_tmpfs *tmpfs)
{
	char *state = NULL;
	int r = 0;

	plan->attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	(void)snprintf(plan->uid, sizeof(plan->uid), "%" PRIu32, range->base);
	(void)snprintf(plan->gid, sizeof(plan->gid), "%" PRIu32, range->base);
	plan->list[plan->n++] = (struct mnt_option){ .key = "source", .value = "tmpfs" };
	plan->list[plan->n++] = (struct mnt_option){ .key = "mode", .value = "0755" };
	plan->list[plan->n++] = (struct mnt_option){ .key = "uid", .value = plan->uid };
	plan->list[plan->n++] = (struct mnt_option){ .key = "gid", .value = plan->gid };
	if (!tmpfs->options)
		return 0;
	if (snprintf(plan->text, sizeof(plan->text), "%s", tmpfs->options) >= TEXT_MAX)
		return -E2BIG;
	for (char *word = strtok_r(plan->text, ",", &state); word && r >= 0;
		word = strtok_r(NULL, ",", &state))
		r = take_option(plan, range, word);
	return r;
}

int tmpfs_add(struct build *build, const struct config_tmpfs *tmpfs)
{
	struct tmpfs_plan plan = {};
	char why[256];
	int mount, r = make_plan(&plan, &build->launch->range, tmpfs);

	if (r < 0)
		return log_errno(r, "cannot take the options of TemporaryFileSystem=%s:%s",
			tmpfs->target, tmpfs->options);
	mount = mnt_new("tmpfs", plan.list, plan.attributes, why, sizeof(why));
	if (mount < 0)
		return log_errno(mount, "cannot make TemporaryFileSystem=%s%s%s", tmpfs->target,
			why[0] ? ": " : "", why);
	return mount_at(build, mount, tmpfs->target, S_IFDIR);
}
