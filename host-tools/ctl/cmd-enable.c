/* SPDX-License-Identifier: MIT */

/*
 * narthex enable, narthex disable: whether a container starts with the host.
 *
 * Its unit is generated, and systemctl enables no generated units; AutoStart= in the configuration
 * is what counts. It is set by a drop-in of our own, NAME.conf.d/90-auto-start.conf, so that no
 * file that somebody wrote is touched; where the rest of the configuration says the same already,
 * that drop-in is removed instead.
 */

#include "../config/config.h"
#include "../containers.h"
#include "cleanup.h"
#include "ctl.h"
#include "fd.h"
#include "lifecycle.h"
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define DROP_IN "90-auto-start.conf"

const struct verb_option enable_options[] = {
	{ "now", NULL, NULL, .help = "start them, too" },
	{},
};

const struct verb_option disable_options[] = {
	{ "now", NULL, NULL, .help = "stop them, too" },
	{},
};

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	(void)option;
	(void)arg;
	*(bool *)userdata = true;
	return 0;
}

/* What the configuration says now; errors of it are logged. */
static int load_auto_start(const char *name)
{
	struct container_config config;
	int r = config_load(name, NULL, &config);

	if (r < 0)
		return r;
	r = config.auto_start;
	config_done(&config);
	return r;
}

/* Replaces the drop-in in the directory dir. */
static int write_drop_in(int dir, bool wanted)
{
	static const char temporary[] = ".auto-start.new";
	const char *text = wanted ? "# narthex enable\n[Exec]\nAutoStart=yes\n"
				  : "# narthex disable\n[Exec]\nAutoStart=no\n";
	_cleanup_close_ int fd = -EBADF;
	int r;

	(void)unlinkat(dir, temporary, 0);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r >= 0 && (fsync(fd) < 0 || renameat(dir, temporary, dir, DROP_IN) < 0))
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, temporary, 0);
	return r;
}

/* Sets it in one configuration. Logs. 1: changed, 0: it was so, or -errno. */
static int set_auto_start(const char *verb, const char *name, bool wanted)
{
	char path[PATH_MAX];
	_cleanup_close_ int dir = -EBADF;
	int r = load_auto_start(name);

	if (r < 0)
		return r;
	if (r == wanted)
		return 0;
	(void)snprintf(path, sizeof(path), CONFIG_DIR "/%s.conf.d", name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return log_errno(-errno, "%s: cannot make %s", verb, path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return log_errno(-errno, "%s: cannot open %s", verb, path);
	if (unlinkat(dir, DROP_IN, 0) < 0 && errno != ENOENT)
		return log_errno(-errno, "%s: cannot remove %s/" DROP_IN, verb, path);
	r = load_auto_start(name);
	if (r >= 0 && r != wanted) {
		r = write_drop_in(dir, wanted);
		if (r < 0)
			return log_errno(r, "%s: cannot write %s/" DROP_IN, verb, path);
		r = load_auto_start(name);
	}
	(void)rmdir(path); /* when it is empty now */
	if (r >= 0 && r != wanted) {
		log_error("%s: a later file in %s sets AutoStart= again", verb, path);
		return -EEXIST;
	}
	return r < 0 ? r : 1;
}

static int run(const struct verb *verb, int argc, char **argv, bool wanted)
{
	bool now = false, changed = false, failed = false;
	int first, status, r = 0;
	sd_bus *bus = NULL;

	status = verb_parse(verb, argc, argv, on_option, &now, &first);
	if (status >= 0)
		return status;
	if (first == argc)
		return verb_usage(verb);
	for (int i = first; i < argc; i++)
		if (!container_is_known(verb->name, argv[i]))
			return STATUS_FAILED;
	for (int i = first; i < argc; i++) {
		r = set_auto_start(verb->name, argv[i], wanted);
		changed |= r > 0;
		failed |= r < 0;
	}
	if (!bus_is_possible() && !now)
		return failed ? STATUS_FAILED : 0;
	r = bus_open(&bus);
	if (r >= 0 && changed)
		r = bus_reload(bus);
	if (r >= 0 && now && !failed)
		r = wanted ? containers_start(bus, "start", "StartUnit", argv + first,
				     (size_t)(argc - first))
			   : containers_stop(
				     bus, "stop", argv + first, (size_t)(argc - first), false);
	sd_bus_flush_close_unref(bus);
	return r < 0 || failed ? STATUS_FAILED : 0;
}

int cmd_enable(const struct verb *verb, int argc, char **argv)
{
	return run(verb, argc, argv, true);
}

int cmd_disable(const struct verb *verb, int argc, char **argv)
{
	return run(verb, argc, argv, false);
}
