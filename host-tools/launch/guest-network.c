/* SPDX-License-Identifier: MIT */

/*
 * A networkd that no file tells about a link leaves it alone, and then nobody says that the network
 * is there: systemd-networkd-wait-online waits for two minutes. A file that is about anything else,
 * like systemd's own for host0, makes it drop the addresses that it finds. So links that have
 * addresses get a file that says to keep them.
 *
 * It yields to what the tree's owner wrote: networkd takes the first file that matches, by its
 * name, from whichever directory. host0's replaces systemd's file of that name in /usr/lib, and one
 * in /etc replaces it in turn.
 */

#include "guest-network.h"

#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NETWORK_DIR "/run/systemd/network"

static int describe(int root, const char *file, const char *interfaces)
{
	char path[128], text[4096];
	int n;

	(void)snprintf(path, sizeof(path), NETWORK_DIR "/%s", file);
	n = snprintf(text, sizeof(text),
		"# Of narthex: the host has given these links their addresses and routes.\n"
		"[Match]\nName=%s\n\n[Network]\nKeepConfiguration=yes\nIPv6AcceptRA=no\n",
		interfaces);
	return n < (int)sizeof(text) ? tree_write(root, path, text, 0644) : -E2BIG;
}

int guest_network_describe(const struct container_config *config, int root)
{
	const char *main = config_main_link_name(config);
	char names[2048] = "";
	size_t used = 0;
	int r = 0;

	if (config->veth && (config->local_address.family || config->local_address6.family)) {
		if (config->nspawn_names)
			r = describe(root, "80-container-host0.network", main);
		else
			used = (size_t)snprintf(names, sizeof(names), "%s", main);
	}
	for (size_t i = 0; i < config->n_links; i++) {
		const struct config_link *link = &config->links[i];

		/* hundreds of links fill the line: networkd is left to itself with the rest */
		if ((link->local_address.family || link->local_address6.family) &&
			used + IFNAMSIZ + 1 < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
				used > 0 ? " " : "", link->guest);
	}
	return r < 0 || used == 0 ? r : describe(root, "zz-narthex.network", names);
}
