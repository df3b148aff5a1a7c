/* SPDX-License-Identifier: MIT */

/*
 * narthex-network: what the launcher needs libraries for on its container's network, in a program
 * of its own, so that the launcher is small and starts fast.
 *
 *   narthex-network NAME [SECTION/KEY=VALUE]…
 *                                    waits on HELPER_FD for the network namespace, sets it up
 *   narthex-network --change NAME [OLD]… -- [NEW]…
 *                                    waits for it, too, and makes of what is there what is to be
 *   narthex-network --attach NAME [SETTING]…
 *                                    puts its links on bridges that have been made anew
 *   narthex-network --follow NAME [SETTING]…
 *                                    waits for it, too, and has ports lead to the addresses in it
 *   narthex-network --cleanup NAME   removes what a crashed launcher left on the host
 *
 * The assignments are those of the configuration that are about the network, in its order. Started
 * by the launcher alone; says what is wrong on stderr; exit status 0 or 1.
 */

#include "../launch/helper.h"
#include "cleanup.h"
#include "fd.h"
#include "log.h"
#include "network-nat.h"
#include "network.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int read_settings(struct container_config *config, char *const *lines)
{
	int r = 0;

	for (; *lines && r >= 0; lines++)
		r = config_set_line(config, "narthex-network", *lines);
	return r;
}

static int read_config(struct container_config *config, const char *name, char *const *lines)
{
	int r = config_default(name, config);

	return r < 0 ? log_errno(r, "cannot make a configuration") : read_settings(config, lines);
}

/* End of file: the launcher has no use for it any more. */
static int receive_namespace(void)
{
	char tag;
	int netns;
	int r = fd_receive(HELPER_FD, &tag, &netns, 1);

	if (r < 0 && r != -ECONNRESET)
		return log_errno(r, "cannot receive the container's network namespace");
	return r == 1 ? netns : -ECANCELED;
}

/* The packet filter takes longest, and knows interfaces by name: it doesn't wait for them. */
static int set_up(char *const *argv)
{
	struct container_config config = {};
	_cleanup_close_ int netns = -EBADF;
	int r = read_config(&config, argv[1], argv + 2);

	if (r >= 0 && nat_is_needed(&config))
		r = nat_apply(&config);
	if (r >= 0)
		r = netns = receive_namespace();
	if (r >= 0)
		r = network_setup(&config, netns);
	if (r >= 0 && nat_is_needed(&config))
		r = nat_open(&config);
	if (r < 0 && nat_is_needed(&config))
		(void)nat_remove(config.name);
	config_done(&config);
	return r;
}

static int attach(char *const *argv)
{
	struct container_config config = {};
	int r = read_config(&config, argv[2], argv + 3);

	if (r >= 0)
		r = network_attach(&config);
	config_done(&config);
	return r;
}

static int follow(char *const *argv)
{
	struct container_config config = {};
	_cleanup_close_ int netns = -EBADF;
	int r = read_config(&config, argv[2], argv + 3);

	if (r >= 0)
		r = netns = receive_namespace();
	if (r >= 0)
		r = network_follow(&config, netns, HELPER_FD);
	config_done(&config);
	return r;
}

/* Where ports follow the container's address, they don't leave it until somebody looks. */
static int apply_nat(const struct container_config *config, int netns)
{
	struct container_config now = *config; /* what it points to is config's */
	int r = 0;

	if (config_ports_follow(config))
		r = network_find_addresses(config, netns, &now.local_address, &now.local_address6);
	if (r >= 0)
		r = nat_apply(&now);
	return r >= 0 && nat_is_needed(&now) ? nat_open(&now) : r;
}

/* The packet filter changes as a whole or not at all. */
static int change_all(
	const struct container_config *old, const struct container_config *new, int netns)
{
	int r = network_change(old, new, netns);

	if (r < 0 || !(nat_is_needed(old) || nat_is_needed(new)))
		return r;
	r = apply_nat(new, netns);
	if (r >= 0)
		return r;
	(void)apply_nat(old, netns);
	(void)network_change(new, old, netns);
	return r;
}

static int change(char **argv)
{
	struct container_config old = {}, new = {};
	_cleanup_close_ int netns = -EBADF;
	char **between = argv + 3;
	int r;

	while (*between && strcmp(*between, "--") != 0)
		between++;
	if (!*between)
		return log_errno(-EINVAL, "cannot tell the old configuration from the new");
	*between = NULL;
	r = read_config(&old, argv[2], argv + 3);
	if (r >= 0)
		r = read_config(&new, argv[2], between + 1);
	if (r >= 0)
		r = netns = receive_namespace();
	if (r >= 0)
		r = change_all(&old, &new, netns);
	config_done(&old);
	config_done(&new);
	return r;
}

int main(int argc, char **argv)
{
	log_init("narthex-network");
	/* whoever comes too late for this finds the end of file on its socket */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* as every helper (helper.h) */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (argc == 3 && strcmp(argv[1], "--cleanup") == 0)
		return network_cleanup(argv[2]) < 0;
	if (argc >= 3 && strcmp(argv[1], "--attach") == 0)
		return attach(argv) < 0;
	if (argc >= 3 && strcmp(argv[1], "--follow") == 0)
		return follow(argv) < 0;
	if (argc >= 4 && strcmp(argv[1], "--change") == 0)
		return change(argv) < 0;
	if (argc < 2 || argv[1][0] == '-') {
		log_error("narthex-network is for narthex-launch, see narthex-launch(8)");
		return 2;
	}
	return set_up(argv) < 0;
}
