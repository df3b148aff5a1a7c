/* SPDX-License-Identifier: MIT */
#pragma once

/* What of the host's a container is shown because its configuration says so; in the builder. All
 * log, and return 0 or -errno. */

#include "mounts.h"

/* Timezone=: /etc/localtime. */
int timezone_apply(struct build *build);

/* LinkJournal=: a directory of the host's for the container's journal. */
int journal_apply(struct build *build);

/* The unit's credentials (systemd.exec(5), LoadCredential=) at /run/host/credentials. */
int credentials_apply(struct build *build);

/* BindUser=: home directories, and records of their users for nss-systemd(8). */
int bind_users_apply(struct build *build);
