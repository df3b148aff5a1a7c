/* SPDX-License-Identifier: MIT */

/* narthex-launch: the launcher. See narthex-launch(8), docs/architecture.md. */

#include "../config/config-value.h"
#include "../config/config.h"
#include "../name.h"
#include "cgroup.h"
#include "cleanup.h"
#include "hand-over.h"
#include "kernel.h"
#include "launch.h"
#include "log.h"
#include "mounts.h"
#include "notify.h"
#include "supervise.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
#define BARRIER_MS 5000 /* of a systemd that is very busy: its word is not worth a hang */

static char *arg_name;
static const char *arg_config;
static const char *arg_root;
static const char *arg_cleanup;
static bool arg_foreground, arg_settings;
static char **arg_sets; /* SECTION.KEY=VALUE, in argv's order */
static size_t arg_n_sets;
static char **arg_command;

static void usage(FILE *f)
{
	(void)fputs("narthex-launch NAME\n"
		    "narthex-launch --config FILE [NAME]\n"
		    "narthex-launch [--foreground] --root DIR [--name NAME] [--settings] [--set "
		    "SECTION.KEY=VALUE]… [-- CMD…]\n"
		    "narthex-launch --cleanup NAME\n\n"
		    "Builds a container and runs it until it ends.\n\n"
		    "  --config FILE            read FILE instead of /etc/narthex/NAME.conf\n"
		    "  --root DIR               a directory tree instead of a configuration\n"
		    "  --name NAME              its name; default: the last part of DIR\n"
		    "  --settings               read /etc/systemd/nspawn/NAME.nspawn, for --root\n"
		    "  --set SECTION.KEY=VALUE  a line of a configuration, for --root\n"
		    "  --foreground             stdin, stdout and stderr are the container's\n"
		    "  --cleanup NAME           remove what a crashed launcher left\n"
		    "  --help, --version\n",
		f);
}

static int parse_argv(int argc, char **argv)
{
	enum {
		OPT_CONFIG = 256,
		OPT_ROOT,
		OPT_NAME,
		OPT_SET,
		OPT_SETTINGS,
		OPT_FOREGROUND,
		OPT_CLEANUP,
		OPT_HELP,
		OPT_VERSION
	};
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "root", required_argument, NULL, OPT_ROOT },
		{ "name", required_argument, NULL, OPT_NAME },
		{ "set", required_argument, NULL, OPT_SET },
		{ "settings", no_argument, NULL, OPT_SETTINGS },
		{ "foreground", no_argument, NULL, OPT_FOREGROUND },
		{ "cleanup", required_argument, NULL, OPT_CLEANUP },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{},
	};
	int c;

	arg_sets = calloc((size_t)argc, sizeof(*arg_sets));
	if (!arg_sets)
		return -ENOMEM;
	while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		switch (c) {
		case OPT_CONFIG:
			arg_config = optarg;
			break;
		case OPT_ROOT:
			arg_root = optarg;
			break;
		case OPT_NAME:
			arg_name = optarg;
			break;
		case OPT_SET:
			arg_sets[arg_n_sets++] = optarg;
			break;
		case OPT_SETTINGS:
			arg_settings = true;
			break;
		case OPT_FOREGROUND:
			arg_foreground = true;
			break;
		case OPT_CLEANUP:
			arg_cleanup = optarg;
			break;
		case OPT_HELP:
			usage(stdout);
			exit(0);
		case OPT_VERSION:
			(void)puts("narthex " NARTHEX_VERSION);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	arg_command = argv + optind;
	if (arg_cleanup)
		return optind == argc ? 0 : -EINVAL;
	if (arg_root)
		return arg_config ? -EINVAL : 0;
	arg_command = NULL;
	if (argc - optind > 1 || arg_name || arg_n_sets > 0 || arg_settings)
		return -EINVAL;
	arg_name = argv[optind];
	if (arg_name)
		return 0;
	return arg_config ? config_file_name(arg_config, &arg_name) : -EINVAL;
}

/* The name of a container that was given by its root only: the last part, or the host's name for
 * "/". */
static int default_name(const char *root, char name[NAME_MAX_LEN + 1])
{
	char path[PATH_MAX];
	const char *base;

	if (!realpath(root, path))
		return log_errno(-errno, "cannot find root '%s'", root);
	base = strrchr(path, '/') + 1;
	if (*base == '\0') {
		if (gethostname(name, NAME_MAX_LEN) < 0)
			return log_errno(-errno, "cannot read the host's name");
		name[NAME_MAX_LEN] = '\0';
		return 0;
	}
	if (strlen(base) > NAME_MAX_LEN) {
		log_error("'%s' is too long for a name: use --name", base);
		return -EINVAL;
	}
	memcpy(name, base, strlen(base) + 1);
	return 0;
}

static int read_settings(struct container_config *config)
{
	_cleanup_free_ char *file = NULL;
	int r = config_find_nspawn_file(config->name, &file);

	if (r < 0)
		return log_errno(
			r, "--settings: cannot find /etc/systemd/nspawn/%s.nspawn", config->name);
	return config_read_settings(config, file, NULL, NULL);
}

static int take_command(struct container_config *config)
{
	size_t n = 0;

	while (arg_command[n])
		n++;
	if (n == 0)
		return 0;
	config_list_free(TAKE_PTR(config->parameters));
	config->parameters = calloc(n + 1, sizeof(char *));
	for (size_t i = 0; config->parameters && i < n; i++) {
		config->parameters[i] = strdup(arg_command[i]);
		if (!config->parameters[i])
			return -ENOMEM;
	}
	return config->parameters ? 0 : -ENOMEM;
}

/* As config_load(). */
static int config_from_options(struct container_config *config)
{
	char name[NAME_MAX_LEN + 1], root[PATH_MAX];
	const char *why;
	int r;

	if (!arg_name) {
		r = default_name(arg_root, name);
		if (r < 0)
			return r;
		arg_name = name;
	}
	if (!name_is_valid(arg_name, &why)) {
		log_error("'%s' can't be a container's name: %s", arg_name, why);
		return -EINVAL;
	}
	r = config_default(arg_name, config);
	if (r < 0)
		return log_errno(r, "cannot make a configuration");
	if (!realpath(arg_root, root))
		return log_errno(-errno, "cannot find root '%s'", arg_root);
	r = config_set(config, "--root", "Files", "Root", root);
	if (r >= 0 && arg_settings)
		r = read_settings(config);
	for (size_t i = 0; r >= 0 && i < arg_n_sets; i++)
		r = config_set_line(config, "--set", arg_sets[i]);
	if (r >= 0)
		r = take_command(config);
	return r < 0 ? r : config_check(config, "command line");
}

static int load_config(struct container_config *config)
{
	return arg_root ? config_from_options(config) : config_load(arg_name, arg_config, config);
}

/* The directory that goes to /run/host/narthex: guest/ beside this program, installed or built. */
static int find_bundle(char **ret)
{
	char path[PATH_MAX], agent[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n < 0)
		return log_errno(-errno, "cannot find this program");
	path[n] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	(void)snprintf(agent, sizeof(agent), "%s/guest/doors", path);
	if (access(agent, F_OK) < 0)
		return log_errno(-errno,
			"the guest's half of narthex is missing ('%s'): install it again", agent);
	*strrchr(agent, '/') = '\0';
	*ret = strdup(agent);
	return *ret ? 0 : -ENOMEM;
}

static int check_root(const struct container_config *config)
{
	struct stat st;

	if (stat(config->root, &st) < 0)
		return log_errno(-errno, "cannot use root '%s' (Root=) of container '%s'",
			config->root, config->name);
	if (S_ISDIR(st.st_mode))
		return 0;
	log_error(
		"root '%s' (Root=) of container '%s' is no directory", config->root, config->name);
	return -ENOTDIR;
}

/* What an administrator gives by Capability= may be more than it looks. */
static void warn_of_capabilities(const struct container_config *config)
{
	/* those that open groups of the system call filter (host-tools/seccomp) */
	static const uint64_t opening = UINT64_C(1) << CAP_SYS_MODULE |
					UINT64_C(1) << CAP_SYS_RAWIO | UINT64_C(1) << CAP_SYS_TIME |
					UINT64_C(1) << CAP_SYSLOG | UINT64_C(1) << CAP_SYS_PACCT |
					UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON;
	uint64_t more =
		config_capabilities(config) & ~config_default_capabilities(config->private_network);
	char names[1024];

	if (config->private_users != PRIVATE_USERS_NO)
		more &= opening;
	config_capability_names(more, names, sizeof(names));
	if (more != 0 && config->private_users == PRIVATE_USERS_NO)
		log_warning("Capability= gives container '%s', which has no user namespace, power "
			    "over the host: %s",
			config->name, names);
	else if (more != 0)
		log_warning("Capability= opens system calls to container '%s' that others don't "
			    "have: %s",
			config->name, names);
}

static int check_kernel(void)
{
	const char *call, *since;

	if (kernel_has(KERNEL_OPENAT2 | KERNEL_CLONE3 | KERNEL_PIDFD | KERNEL_MOUNTS |
			       KERNEL_CLOSE_RANGE,
		    &call, &since))
		return 0;
	log_error("this kernel is too old for containers: it has no %s, which came with Linux %s; "
		  "narthex-launch needs 5.12, and is tested with 6.1 and newer",
		call, since);
	return -ENOSYS;
}

/*
 * A main process that is dead when systemd hears of it (cgroup_enter_supervisor()) is none: the
 * status of the one that was started would count, and that has succeeded.
 */
static void await_systemd(const struct launch *launch)
{
	if (launch->service && notify_barrier(BARRIER_MS) < 0)
		log_debug("systemd doesn't say that it knows the main process");
}

/* A tree on disk is shown at once, to others who would run in it; the builder makes a temporary
 * one. */
static int claim_root(struct launch *launch)
{
	const struct container_config *config = &launch->config;
	int r = config_root_is_temporary(config) ? 0
						 : state_link_root(&launch->state, config->root);

	return r < 0 || config_root_is_temporary(config) || config_root_is_read_only(config)
		       ? r
		       : state_check_root(&launch->state, config->root);
}

/*
 * Setuid files that a guest's root makes are root's on disk: users of the host must not get there.
 * tmpfiles.d says the same at each boot; until then whoever made the first tree has made this, too.
 */
static void shut_trees(const struct container_config *config)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (strncmp(config->root, CONTAINERS_DIR "/", strlen(CONTAINERS_DIR "/")) != 0)
		return;
	fd = open(CONTAINERS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & 077) == 0)
		return;
	if (fchmod(fd, 0700) < 0)
		log_errno(-errno,
			"users of this host can reach setuid files of containers in " CONTAINERS_DIR
			", whose mode can't be made 0700");
	else
		log_info(CONTAINERS_DIR " has mode 0700 now, so that users of this host reach no "
					"setuid file of a container's");
}

static int start(struct launch *launch)
{
	shut_trees(&launch->config);
	warn_of_capabilities(&launch->config);
	return supervise(launch);
}

/*
 * Another launcher has executed this one in its place, or only for a look ("check:" before the
 * number). False: this is a start.
 */
static bool take_hand_over(int *ret_fd, bool *ret_check)
{
	const char *value = getenv(HAND_OVER_VARIABLE);

	if (!value)
		return false;
	*ret_check = strncmp(value, "check:", 6) == 0;
	*ret_fd = (int)strtol(*ret_check ? value + 6 : value, NULL, 10);
	(void)unsetenv(HAND_OVER_VARIABLE);
	return true;
}

static int run(char **argv)
{
	struct launch launch = { .state = STATE_NULL, .cgroup = CGROUP_NULL, .notify_fd = -EBADF };
	int status = EXIT_OWN, fd, r = 0;
	bool check;

	launch.argv = argv;
	launch.foreground = arg_foreground;
	launch.has_file = !arg_root;
	launch.config_file = arg_config;
	/* both are systemd's (systemd.exec(5), sd_notify(3)); by hand there is no unit to divide */
	launch.service = !arg_foreground && getenv("INVOCATION_ID") && getenv("NOTIFY_SOCKET");
	if (launch.service)
		launch.credentials = getenv("CREDENTIALS_DIRECTORY");
	if (take_hand_over(&fd, &check)) {
		if (find_bundle(&launch.bundle) < 0)
			_exit(EXIT_OWN);
		status = supervise_next(&launch, fd, check);
	} else if ((r = load_config(&launch.config)) >= 0 && check_root(&launch.config) >= 0 &&
		   find_bundle(&launch.bundle) >= 0 &&
		   seccomp_change(&launch.config, &launch.filter) >= 0 &&
		   cgroup_enter_supervisor(launch.service) >= 0 &&
		   state_acquire(launch.config.name, &launch.state) >= 0 &&
		   claim_root(&launch) >= 0 &&
		   uid_range_acquire(&launch.config, &launch.range) >= 0)
		status = start(&launch);
	else if (r == -EINVAL && arg_root && !arg_settings) /* which may be wrong themselves */
		status = EXIT_USAGE;
	if (launch.state.lock_fd >= 0)
		overlays_forget(&launch.config);
	/* the state's lock goes last: whoever gets it finds the container's usual range free */
	uid_range_release(&launch.range);
	state_release(&launch.state);
	config_done(&launch.config);
	free(launch.bundle);
	free(launch.filter.code);
	free(launch.system);
	await_systemd(&launch);
	return status;
}

static int cleanup(void)
{
	char path[sizeof(RUN_DIR) + 1 + NAME_MAX_LEN + 1];
	struct state state;
	const char *why;
	int r;

	if (!name_is_valid(arg_cleanup, &why)) {
		log_error("'%s' can't be a container's name: %s", arg_cleanup, why);
		return EXIT_USAGE;
	}
	/* the launcher that ended in order left nothing, and systemd runs this after each end */
	if (snprintf(path, sizeof(path), RUN_DIR "/%s", arg_cleanup) > 0 && access(path, F_OK) < 0)
		return 0;
	r = state_acquire(arg_cleanup, &state);
	if (r < 0)
		return EXIT_OWN;
	uid_range_forget(arg_cleanup);
	state_release(&state);
	return 0;
}

/*
 * A caller may have closed some of 0, 1 and 2. Whatever the launcher opened next would be taken for
 * them, and the guest's words would land in it.
 */
static int ensure_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	int status, r;

	log_init("narthex-launch");
	/* a caller that ignores it would leave nothing of a child's end to wait for */
	(void)signal(SIGCHLD, SIG_DFL);
	r = ensure_stdio();
	if (r < 0) {
		log_errno(r, "cannot open /dev/null");
		return EXIT_OWN;
	}
	if (parse_argv(argc, argv) < 0) {
		usage(stderr);
		free(arg_sets);
		return EXIT_USAGE;
	}
	if (geteuid() != 0) {
		log_error("narthex-launch needs root");
		free(arg_sets);
		return EXIT_OWN;
	}
	if (arg_cleanup)
		status = cleanup();
	else
		status = check_kernel() < 0 ? EXIT_OWN : run(argv);
	free(arg_sets);
	return status;
}
