/* SPDX-License-Identifier: MIT */

/*
 * narthex-network: what the launcher needs libraries for on its container's network, in a program
 * of its own, so that the launcher is small and starts fast.
 *
 *   narthex-network NAME [SECTION/KEY=VALUE]…
 *                                    waits on HELPER_FD for the network namespace, sets it up
 *   narthex-network --cleanup NAME   removes what a crashed launcher left on the host
 *
 * The assignments are those of the configuration that are about the network, in its order. Started
 * by the launcher alone; says what is wrong on stderr; exit status 0 or 1.
 */

#include "../launch/helper.h"
#include "../launch/network.h"
#include "cleanup.h"
#include "fd.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int read_settings(struct container_config *config, char *const *lines)
{
	int r = 0;

	for (; *lines && r >= 0; lines++) {
		_cleanup_free_ char *section = strdup(*lines);
		char *key = section ? strchr(section, '/') : NULL;
		char *value = key ? strchr(key, '=') : NULL;

		if (!value)
			return log_errno(section ? -EINVAL : -ENOMEM, "cannot read '%s'", *lines);
		*key = *value = '\0';
		r = config_set(config, "narthex-network", section, key + 1, value + 1);
	}
	return r;
}

static int set_up(char *const *argv)
{
	struct container_config config = {};
	_cleanup_close_ int netns = -EBADF;
	char tag;
	int r = config_default(argv[1], &config);

	if (r < 0)
		return log_errno(r, "cannot make a configuration");
	r = read_settings(&config, argv + 2);
	/* end of file: the launcher has no use for it any more */
	if (r >= 0 && fd_receive(HELPER_FD, &tag, &netns, 1) == 1)
		r = network_setup(&config, netns);
	else
		r = r < 0 ? r : -ECANCELED;
	config_done(&config);
	return r;
}

int main(int argc, char **argv)
{
	log_init("narthex-network");
	/* whoever comes too late for this finds the end of file on its socket */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc == 3 && strcmp(argv[1], "--cleanup") == 0)
		return network_cleanup(argv[2]) < 0;
	if (argc < 2 || argv[1][0] == '-') {
		log_error("narthex-network is for narthex-launch, see narthex-launch(8)");
		return 2;
	}
	return set_up(argv) < 0;
}
