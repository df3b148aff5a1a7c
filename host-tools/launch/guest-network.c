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

#include "cleanup.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETWORK_DIR "/run/systemd/network"
#define HOST0_FILE "80-container-host0.network"
#define LINKS_FILE "zz-narthex.network"

/* Which interfaces each of the files is about: "" for no file. */
struct described {
	char host0[IFNAMSIZ];
	char links[2048];
};

static bool has_address(const struct config_address *a, const struct config_address *b)
{
	return a->family != 0 || b->family != 0;
}

static struct described find_links(const struct container_config *config)
{
	const char *main = config_main_link_name(config);
	struct described d = {};
	size_t used = 0;

	if (config->veth && has_address(&config->local_address, &config->local_address6)) {
		if (config->nspawn_names)
			(void)snprintf(d.host0, sizeof(d.host0), "%s", main);
		else
			used = (size_t)snprintf(d.links, sizeof(d.links), "%s", main);
	}
	for (size_t i = 0; i < config->n_links; i++) {
		const struct config_link *link = &config->links[i];

		/* hundreds of links fill the line: networkd is left to itself with the rest */
		if (has_address(&link->local_address, &link->local_address6) &&
			used + IFNAMSIZ + 1 < sizeof(d.links))
			used += (size_t)snprintf(d.links + used, sizeof(d.links) - used, "%s%s",
				used > 0 ? " " : "", link->guest);
	}
	return d;
}

static int describe(int root, const char *file, const char *interfaces)
{
	char path[128], text[4096];

	if (*interfaces == '\0')
		return 0;
	(void)snprintf(path, sizeof(path), NETWORK_DIR "/%s", file);
	(void)snprintf(text, sizeof(text),
		"# Of narthex: the host has given these links their addresses and routes.\n"
		"[Match]\nName=%s\n\n[Network]\nKeepConfiguration=yes\nIPv6AcceptRA=no\n",
		interfaces);
	return tree_write(root, path, text, 0644);
}

/* Those of an earlier configuration. */
static int forget(int root)
{
	static const char *const files[] = { HOST0_FILE, LINKS_FILE };
	_cleanup_close_ int dir = tree_open(root, NETWORK_DIR, S_IFDIR);

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

int guest_network_describe(const struct container_config *config, int root)
{
	struct described d = find_links(config);
	int r = forget(root);

	if (r >= 0)
		r = describe(root, HOST0_FILE, d.host0);
	return r < 0 ? r : describe(root, LINKS_FILE, d.links);
}

bool guest_network_differs(const struct container_config *a, const struct container_config *b)
{
	struct described x = find_links(a), y = find_links(b);

	return strcmp(x.host0, y.host0) != 0 || strcmp(x.links, y.links) != 0;
}
