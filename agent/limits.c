/* SPDX-License-Identifier: MIT */
#include "limits.h"

#include <errno.h>
#include <stdlib.h>

static struct limits_uid *find(struct limits *limits, uid_t uid)
{
	for (size_t i = 0; i < limits->n_uids; i++)
		if (limits->uids[i].uid == uid)
			return &limits->uids[i];
	return NULL;
}

size_t limits_share(size_t max, bool anybody)
{
	return anybody ? max - max / 4 : max;
}

int limits_take(struct limits *limits, uid_t uid, bool anybody)
{
	struct limits_uid *entry = find(limits, uid);
	size_t per_uid = limits_share(limits->max_per_uid, anybody);

	if (limits->count >= limits_share(limits->max, anybody))
		return -EUSERS;
	if (entry ? entry->count >= per_uid : per_uid == 0)
		return -EDQUOT;
	if (!entry) {
		entry = realloc(limits->uids, (limits->n_uids + 1) * sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		limits->uids = entry;
		entry += limits->n_uids++;
		*entry = (struct limits_uid){ .uid = uid };
	}
	entry->count++;
	limits->count++;
	return 0;
}

void limits_release(struct limits *limits, uid_t uid)
{
	struct limits_uid *entry = find(limits, uid);

	if (!entry)
		return;
	limits->count--;
	if (--entry->count == 0)
		*entry = limits->uids[--limits->n_uids];
}

void limits_done(struct limits *limits)
{
	free(limits->uids);
	*limits = (struct limits){};
}
