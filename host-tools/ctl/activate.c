/* SPDX-License-Identifier: MIT */

/*
 * The guest is entered through its exec door as everybody enters it, so that what runs there is in
 * its cgroups and namespaces, and so that nothing of the host is reachable for it but three
 * descriptors.
 */

#include "activate.h"

#include "../client/exec-client.h"
#include "../launch/state.h"
#include "../launcher-status.h"
#include "../system-links.h"
#include "cleanup.h"
#include "ctl.h"
#include "interrupt.h"
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <systemd/sd-journal.h>

/*
 * For a guest with systemd that nobody knows more of. systemd knows which of its units were read
 * from files that have changed since; asked before it reads them again.
 */
static const char restart_changed[] =
	"changed=$({ systemctl show --property=Id,NeedDaemonReload '*'; echo; } |"
	" while IFS== read -r key value; do case $key in"
	" Id) id=$value need=no ;;"
	" NeedDaemonReload) need=$value ;;"
	" '') [ \"$need\" != yes ] || echo \"$id\"; need=no ;;"
	" esac; done)\n"
	"systemctl daemon-reload || exit\n"
	"[ -n \"$changed\" ] || exit 0\n"
	"echo restarting: $changed\n"
	"exec systemctl try-restart $changed\n";

/* exec_client() owns the process it runs in. */
static int run_in_guest(const char *name, char *const *argv, char *const *env)
{
	pid_t pid = fork();
	int status;

	if (pid < 0) {
		log_errno(-errno, "switch: cannot fork");
		return STATUS_FAILED;
	}
	if (pid == 0) {
		struct exec_request request = {
			.place.name = name,
			.argv = argv,
			.env = env,
		};

		_exit(exec_client(&request));
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return STATUS_FAILED;
		/* a key goes to both; what was sent to us alone, the command is to hear of, too */
		if (interrupt_caught() && interrupt_caught() != SIGINT)
			(void)kill(pid, interrupt_caught());
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int activate_run(const struct container_config *config, const char *system, const char *init)
{
	_cleanup_free_ char *program = NULL, *variable = NULL;
	char *switch_system[] = { NULL, (char *)"test", NULL };
	char *restart[] = { (char *)"/bin/sh", (char *)"-c", (char *)restart_changed, NULL };
	char *env[] = { NULL, NULL };
	char **argv;

	if (system && (asprintf(&program, "%s/bin/switch-to-configuration", system) < 0 ||
			      asprintf(&variable, "NARTHEX_SYSTEM=%s", system) < 0)) {
		log_errno(-ENOMEM, "switch");
		return STATUS_FAILED;
	}
	switch_system[0] = program;
	env[0] = variable;
	if (config->switch_command)
		argv = config->switch_command;
	else
		argv = system ? switch_system : restart;
	if (argv == restart && strcmp(init, "systemd") != 0) {
		log_error(
			"switch: the init of container '%s' is not systemd: say in SwitchCommand= "
			"what activates its configuration",
			config->name);
		return STATUS_FAILED;
	}
	(void)fflush(stdout);
	return run_in_guest(config->name, argv, env);
}

void activate_note(const char *name, const char *from, const char *to, int status)
{
	const char *what = status == 0 ? "switched" : "has not switched";

	(void)sd_journal_send("MESSAGE=container '%s' %s from %s to %s", name, what,
		from ?: "nothing", to, "PRIORITY=%d", status == 0 ? LOG_INFO : LOG_ERR,
		"OBJECT_SYSTEMD_UNIT=container-%s.service", name, "NARTHEX_CONTAINER=%s", name,
		"NARTHEX_FROM=%s", from ?: "", "NARTHEX_TO=%s", to, "NARTHEX_STATUS=%d", status,
		"SYSLOG_IDENTIFIER=narthex", NULL);
}

/* The container's directory, locked against other switches of it. Logs. */
static int lock(const char *verb, const char *name)
{
	_cleanup_close_ int fd = -EBADF;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return log_errno(-errno, "%s: cannot open %s", verb, path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return log_errno(-errno, "%s: cannot lock %s", verb, path);
		log_error("%s: container '%s' is being switched already", verb, name);
		return -EBUSY;
	}
	return TAKE_FD(fd);
}

static int activate(const char *verb, const struct container_config *config, int dir_fd,
	const char *from, const char *to)
{
	int status = activate_run(config, to, ""), r;

	activate_note(config->name, from, to, status);
	if (status != 0)
		return status;
	r = system_link_set(dir_fd, SYSTEM_CURRENT, to);
	if (r < 0) {
		log_errno(r, "%s: cannot write " RUN_DIR "/%s/system", verb, config->name);
		return STATUS_FAILED;
	}
	/* systemctl reload: it is in the journal already */
	if (!getenv("JOURNAL_STREAM"))
		(void)printf("container '%s' switched from %s to %s\n", config->name, from, to);
	return 0;
}

int activate_system(const char *verb, const struct container_config *config, bool *ret_changed)
{
	_cleanup_free_ char *from = NULL, *to = NULL;
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (ret_changed)
		*ret_changed = false;
	if (!config->path)
		return 0;
	to = realpath(config->path, NULL);
	if (!to) {
		log_errno(-errno, "%s: cannot find the system '%s' (Path=) of container '%s'", verb,
			config->path, config->name);
		return STATUS_FAILED;
	}
	fd = lock(verb, config->name);
	if (fd < 0)
		return STATUS_FAILED;
	r = system_link_get(config->name, SYSTEM_CURRENT, &from);
	if (r == -ENOENT) {
		log_info("container '%s' runs its tree's own init: Path= counts from its next boot",
			config->name);
		return 0;
	}
	if (r < 0) {
		log_errno(r, "%s: cannot tell which system container '%s' runs: restart it", verb,
			config->name);
		return STATUS_FAILED;
	}
	if (strcmp(from, to) == 0)
		return 0;
	if (ret_changed)
		*ret_changed = true;
	return activate(verb, config, fd, from, to);
}
