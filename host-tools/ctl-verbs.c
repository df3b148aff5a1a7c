/* SPDX-License-Identifier: MIT */

/* What narthex and narthex-ctl both have to know of the verbs of narthex-ctl. */

#include "verbs.h"

#include <stddef.h>

const struct verb ctl_verbs[] = {
	{
		.name = "start",
		.args = "NAME…",
		.help = "start containers and wait until they are up",
		.more = "Says why one did not start. What has changed in /etc/narthex counts.",
	},
	{
		.name = "stop",
		.args = "NAME…",
		.help = "stop containers in an orderly way",
		.more = "Those in the foreground, too. One that isn't running is no error.",
	},
	{
		.name = "restart",
		.args = "NAME…",
		.help = "stop and start them with their current configuration",
	},
	{
		.name = "reboot",
		.args = "NAME…",
		.help = "ask their init to reboot, and wait until they are up again",
		.more = "Containers whose init can't be asked are restarted.",
	},
	{
		.name = "reload",
		.args = "[--dry-run] [--launcher] NAME…",
		.help = "apply a changed configuration to running containers",
		.more = "Prints what was applied and what needs a restart. All of it is applied, "
			"or nothing.\nThe installed launcher takes the place of the running "
			"one; --launcher does only that.",
	},
	{
		.name = "switch",
		.args = "[--path=SYSTEM] [--reboot] NAME",
		.help = "activate a new configuration in a container, without a reboot",
		.more = "Runs switch-to-configuration of the system that the container's profile "
			"(Path=) leads to, or\nSwitchCommand=, and returns its status. A profile "
			"that "
			"can't be activated goes back.",
	},
	{
		.name = "rollback",
		.args = "[--reboot] NAME",
		.help = "switch back to the generation before",
	},
	{
		.name = "generations",
		.args = "[--json] [--prune] NAME",
		.help = "list the systems that a container's profile has led to",
	},
	{
		.name = "kill",
		.args = "[--signal=SIGNAL] NAME…",
		.help = "stop containers at once, or send their PID 1 a signal",
	},
	{
		.name = "enable",
		.args = "[--now] NAME…",
		.help = "start containers whenever the host starts",
	},
	{
		.name = "disable",
		.args = "[--now] NAME…",
		.help = "don't start them with the host any more",
	},
	{
		.name = "list",
		.args = "[--json]",
		.help = "list the containers, running or not",
	},
	{
		.name = "status",
		.args = "[--json] NAME",
		.help = "show what is known of a container",
		.more = "The exit status is 0 when it is running, 1 when it is not.",
	},
	{
		.name = "show-ip",
		.args = "[--ipv6] NAME",
		.help = "print a container's address",
	},
	{
		.name = "logs",
		.args = "[OPTION…] NAME",
		.help = "show a container's console and what systemd says of it",
	},
	{
		.name = "create",
		.args = "NAME --root=DIR|--from=TARBALL|--from-nspawn=MACHINE|--bootstrap=SUITE|"
			"--path=SYSTEM [OPTION…]",
		.help = "create a container",
		.more = "Writes /etc/narthex/NAME.conf; the tree is /var/lib/containers/NAME, or "
			"DIR. A create that\nfails or is interrupted leaves nothing.",
	},
	{
		.name = "destroy",
		.args = "[--yes] NAME",
		.help = "stop a container and remove it with all its files",
	},
	{
		.name = "cp",
		.args = "[OPTION…] [NAME:]SRC… [NAME:]DST",
		.help = "copy files into a container or out of it",
		.more = "An argument that begins with NAME: is in the container NAME, any other "
			"on the host.",
	},
	{},
};
