/* SPDX-License-Identifier: MIT */

/* What the control socket (control.h) answers. */

#include "supervisor.h"

#include "terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const char *const phase_names[] = {
	[BUILDING] = "starting",
	[STARTING] = "starting",
	[RUNNING] = "running",
	[STOPPING] = "stopping",
	[ENDED] = "stopping",
};

static int answer_status(void *arg, char **ret)
{
	struct supervisor *s = arg;
	static const char *const inits[] = {
		[INIT_OTHER] = "other",
		[INIT_SYSTEMD] = "systemd",
		[INIT_BUSYBOX] = "busybox",
		[INIT_COMMAND] = "command",
	};

	/* nothing here is the guest's, and a name needs no quoting in JSON */
	return asprintf(ret,
		       "{\"name\":\"%s\",\"state\":\"%s\",\"leader\":%d,\"init\":\"%s\",\"boots\":%"
		       "u,"
		       "\"since_usec\":%" PRIu64
		       ",\"uid_base\":%u,\"uid_count\":%u,\"launcher\":%d}",
		       s->launch->config.name, phase_names[s->phase], s->leader, inits[s->init],
		       s->launch->boots, s->since_usec, s->launch->range.base,
		       s->launch->range.count, getpid()) < 0
		       ? -ENOMEM
		       : 0;
}

static int answer_pty(void *arg, int ret_fds[2])
{
	struct supervisor *s = arg;
	int slave;

	if (s->devpts_fd < 0)
		return -EAGAIN;
	ret_fds[0] = terminal_open(s->devpts_fd);
	if (ret_fds[0] < 0)
		return ret_fds[0];
	slave = terminal_slave(ret_fds[0]);
	/* it is the host's root's, for which a user namespace has no number: nobody inside could
	 * open it by its name, nor give it to somebody */
	if (slave >= 0 && fchown(slave, s->launch->range.base, (gid_t)-1) < 0) {
		int r = -errno;

		(void)close(slave);
		slave = r;
	}
	if (slave < 0) {
		(void)close(ret_fds[0]);
		return slave;
	}
	ret_fds[1] = slave;
	return 0;
}

static void answer_reload(void *arg, bool dry_run, int fd)
{
	struct supervisor *s = arg;
	struct reload_guest guest = {
		.is_running = s->phase == RUNNING || s->phase == STARTING,
		.leader = s->leader,
		.leader_fd = s->leader_fd,
		.init = s->init,
		.live_binds = &s->live_binds,
	};

	reload_start(&s->reload, s->base, s->launch, &guest, dry_run, fd);
}

static void answer_upgrade(void *arg, const char *path, bool dry_run, int fd)
{
	supervise_upgrade(arg, path, dry_run, fd);
}

void supervise_set_answers(struct supervisor *s)
{
	s->control.status = answer_status;
	s->control.pty = answer_pty;
	s->control.reload = answer_reload;
	s->control.upgrade = answer_upgrade;
	s->control.arg = s;
}
