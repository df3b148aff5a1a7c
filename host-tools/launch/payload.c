/* SPDX-License-Identifier: MIT */

/*
 * The order matters. While the tree is built, everything is done that needs no tree. The bounding
 * set counts from the execve(2) on, so it is cut then, too, and so is the filter installed, if it
 * is the usual one for a payload with CAP_SYS_ADMIN: that one allows what is left to do. Any other
 * comes last of all, with CAP_SYS_ADMIN for it, which the execve(2) takes away: the bounding set
 * hasn't got it.
 *
 * The mount namespace is a copy that belongs to the container's user namespace, and that the kernel
 * has locked.
 */

#include "payload.h"

#include "caps.h"
#include "cleanup.h"
#include "fd.h"
#include "guest-user.h"
#include "guest.h"
#include "seccomp.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef KEYCTL_JOIN_SESSION_KEYRING
#define KEYCTL_JOIN_SESSION_KEYRING 1 /* linux/keyctl.h */
#endif

static int leader_error_fd = -EBADF;
static int fail_status = 125; /* anything of narthex's own */

static _Noreturn void fail(int r, const char *what, const char *subject)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s%s%s%s: %s", what, subject ? " '" : "",
		subject ? subject : "", subject ? "'" : "", strerror(-r));

	(void)fd_write_all(
		leader_error_fd, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	_exit(fail_status);
}

int tie_to_launcher(int error_fd)
{
	struct pollfd p = { .fd = error_fd };
	int n;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* a dying process closes its files before it signals its children: who was too late for the
	 * signal finds the pipe without a reader (POLLERR) */
	n = poll(&p, 1, 0);
	if (n < 0)
		return -errno;
	return n == 0 ? 0 : -ESRCH;
}

static void become_root(void)
{
	int r;

	/* a new user namespace starts without an identity; the host's groups must go in any case */
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		fail(-errno, "cannot become the container's root", NULL);
	/* after the change of ids, which clears it: without its launcher the container ends */
	r = tie_to_launcher(leader_error_fd);
	if (r < 0)
		fail(r, "cannot tie the container to its launcher", NULL);
}

/* Of the devices in a new network namespace only lo exists, and it is down. */
static void bring_up_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &request) < 0)
		fail(-errno, "cannot bring up lo in the container", NULL);
	(void)close(s);
}

/* Half of what it takes to make namespaces goes to the network's: the builder doesn't wait. */
static void take_quiet_namespaces(const struct launch *launch, int socket)
{
	const struct container_config *config = &launch->config;
	int r;

	if (unshare(CLONE_NEWIPC | CLONE_NEWUTS | (config->private_network ? CLONE_NEWNET : 0)) < 0)
		fail(-errno, "cannot create the container's namespaces", NULL);
	if (config->private_network)
		bring_up_loopback();
	r = fd_send(socket, BUILD_UNSHARED, NULL, 0);
	if (r < 0)
		fail(r, "cannot report to the launcher", NULL);
	(void)close(socket);
}

static void set_hostname(const struct launch *launch)
{
	const char *name = launch->config.hostname ? launch->config.hostname : launch->config.name;

	if (sethostname(name, strlen(name)) < 0)
		fail(-errno, "cannot set the host name", name);
}

/* keys of the host's session stay outside; without keyrings in the kernel there is nothing to do */
static void take_keyring(void)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		fail(-errno, "cannot make a session keyring", NULL);
}

static void take_tree(const struct launch *launch)
{
	/* the cgroup namespace starts where the process is; clone3() would take the builder's place
	 */
	if (unshare(CLONE_NEWNS | (launch->cgroup.fd >= 0 ? CLONE_NEWCGROUP : 0)) < 0)
		fail(-errno, "cannot unshare the mount namespace", NULL);
	/* the guest's services get their own mounts from PID 1's: its init expects them to follow
	 */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		fail(-errno, "cannot share the mounts inside the container", NULL);
}

static void take_stdio(const struct payload_stdio *stdio)
{
	int fds[3], console = -EBADF;

	if (stdio->fds[0] < 0) {
		console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (console < 0)
			fail(-errno, "cannot open", "/dev/console");
		(void)ioctl(console, TIOCSCTTY, 0);
	}
	for (int i = 0; i < 3; i++)
		fds[i] = console >= 0 ? console : stdio->fds[i];
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			fail(-errno, "cannot place stdio", NULL);
}

void signals_reset(void)
{
	/* the kernel's struct sigaction on any architecture: SIG_DFL, no flags, an empty mask */
	static const unsigned long by_default[4];
	sigset_t none;

	(void)sigemptyset(&none);
	/* not by signal(3): it refuses the two that threads use inside the C library */
	for (int i = 1; i < NSIG; i++)
		(void)syscall(SYS_rt_sigaction, i, by_default, NULL, (size_t)(NSIG - 1) / 8);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void install_filter(const struct launch *launch, uint64_t caps)
{
	int r = 0;

	/* first: the last may forbid to add one */
	if (launch->config.suppress_sync)
		r = seccomp_suppress_sync();
	if (r >= 0 && launch->config.address_families.restricted)
		r = seccomp_restrict_families(config_address_families(&launch->config));
	if (r >= 0)
		r = launch->filter.len > 0 ? seccomp_apply_program(&launch->filter)
					   : seccomp_apply(caps);

	if (r < 0)
		fail(r, "cannot install the system call filter", NULL);
}

static void cut_bounding_set(uint64_t caps)
{
	int r = caps_bound(caps);

	if (r < 0)
		fail(r, "cannot cut the bounding set", NULL);
}

static void cut_capabilities(uint64_t caps, uint64_t ambient)
{
	int r = caps_apply(caps, ambient);

	if (r < 0)
		fail(r, "cannot cut the capabilities", NULL);
}

static void find_user(const struct container_config *config, struct guest_user *user)
{
	int r = guest_user_find(config->user, user);

	if (r == -ENOENT)
		fail(r, "the container's /etc/passwd has no User=", config->user);
	if (r < 0)
		fail(r, "cannot look up User=", config->user);
}

/* The capabilities stay, for what is still to do; without a place in the ambient set they don't
 * survive the execve(2). */
static void become_user(const struct guest_user *user, bool console)
{
	int r;

	/* it must be able to open /dev/console, and what /dev/stdout is */
	if (console && fchown(STDIN_FILENO, user->uid, (gid_t)-1) < 0)
		fail(-errno, "cannot give the console to User=", user->name);
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(user->n_groups, user->groups) < 0 ||
		setresgid(user->gid, user->gid, user->gid) < 0 ||
		setresuid(user->uid, user->uid, user->uid) < 0)
		fail(-errno, "cannot become User=", user->name);
	r = tie_to_launcher(leader_error_fd); /* the change of ids untied it */
	if (r < 0)
		fail(r, "cannot tie the container to its launcher", NULL);
}

static void set_process_attributes(const struct container_config *config)
{
	if (config->personality != CONFIG_PERSONALITY_HOST &&
		personality((unsigned long)config->personality) < 0)
		fail(-errno, "cannot set Personality=", NULL);
	if (config->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(-errno, "cannot set NoNewPrivileges=", NULL);
}

/* Every name once: which of two counts differs from program to program. */
static void set_variable(char **list, size_t *n, char *assignment)
{
	size_t len = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < *n; i++)
		if (strncmp(list[i], assignment, len) == 0) {
			list[i] = assignment;
			return;
		}
	list[(*n)++] = assignment;
}

static char *assignment(const char *variable, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", variable, value) < 0)
		fail(-ENOMEM, "cannot make the environment", NULL);
	return text;
}

/* The environment of the init, which frees nothing: it is executed with it. user: of a command. */
static char **make_environment(const struct launch *launch, const struct guest_user *user)
{
	const struct container_config *config = &launch->config;
	static char uuid[sizeof("container_uuid=") + 32] = "container_uuid=";
	size_t n = 0, count = 0;
	char **list;

	while (config->environment && config->environment[count])
		count++;
	list = calloc(count + 12, sizeof(*list));
	if (!list)
		fail(-ENOMEM, "cannot make the environment", NULL);
	guest_uuid(config, uuid + strlen("container_uuid="));
	list[n++] = (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	list[n++] = (char *)"container=narthex";
	list[n++] = uuid;
	if (launch->credentials)
		list[n++] = (char *)"CREDENTIALS_DIRECTORY=" CREDENTIALS_INSIDE;
	if (config->boot || config->notify_ready == YES)
		list[n++] = (char *)"NOTIFY_SOCKET=/run/host/notify";
	if (!config->boot) {
		list[n++] = user ? assignment("HOME", user->home) : (char *)"HOME=/root";
		list[n++] = user ? assignment("USER", user->name) : (char *)"USER=root";
		if (user) {
			list[n++] = assignment("LOGNAME", user->name);
			list[n++] = assignment("SHELL", user->shell);
		}
		list[n++] = (char *)"TERM=linux";
	}
	for (size_t i = 0; i < count; i++)
		set_variable(list, &n, config->environment[i]);
	return list;
}

static size_t count_strings(char **list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static void execute_init(const struct launch *launch, char **environment)
{
	static const char *const inits[] = { "/sbin/init", "/usr/lib/systemd/systemd",
		"/lib/systemd/systemd" };
	const struct container_config *config = &launch->config;
	size_t n = count_strings(config->parameters);
	char path[PATH_MAX], **argv = calloc(n + 2, sizeof(*argv));

	if (!argv)
		fail(-ENOMEM, "cannot start the init", NULL);
	if (n > 0)
		memcpy(argv + 1, config->parameters, n * sizeof(*argv));
	if (launch->system) {
		(void)snprintf(path, sizeof(path), "%s/init", launch->system);
		argv[0] = path;
		(void)execve(path, argv, environment);
		fail(-errno, "cannot execute", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(inits); i++) {
		argv[0] = (char *)inits[i];
		(void)execve(inits[i], argv, environment);
		if (errno != ENOENT)
			fail(-errno, "cannot execute", inits[i]);
	}
	fail(-ENOENT,
		"the container's root has no init (/sbin/init): install one, or run a command "
		"(Boot=no, narthex run -- CMD)",
		NULL);
}

static void execute_command(const struct launch *launch, char **environment)
{
	const struct container_config *config = &launch->config;
	size_t n = count_strings(config->parameters);
	char **argv = calloc(n + 3, sizeof(*argv));

	if (!argv)
		fail(-ENOMEM, "cannot start the command", NULL);
	if (n == 0)
		fail(-EINVAL, "no command: Boot=no needs Parameters=", NULL);
	memcpy(argv + 2, config->parameters, n * sizeof(*argv));
	if (config->process_two) {
		argv[0] = (char *)"narthex-init";
		argv[1] = (char *)"--";
		(void)execve("/run/host/narthex/narthex-init", argv, environment);
		fail(-errno, "cannot execute", "/run/host/narthex/narthex-init");
	}
	environ = environment; /* its PATH is the one that counts */
	(void)execvpe(argv[2], argv + 2, environment);
	fail_status = errno == ENOENT ? 127 : 126; /* as every shell has it */
	fail(-errno, "cannot execute", argv[2]);
}

static void change_directory(const struct container_config *config, const char *home)
{
	const char *wanted = config->working_directory ? config->working_directory : home;
	char cwd[PATH_MAX];

	if (chdir(wanted) < 0) {
		/* a user of the system's has often none: nobody, www-data */
		if (config->working_directory || (errno != ENOENT && errno != ENOTDIR))
			fail(-errno, "cannot change to WorkingDirectory", wanted);
		if (chdir("/") < 0)
			fail(-errno, "cannot change to WorkingDirectory", "/");
	}
	/* a directory outside of the root would show as "(unreachable)…" (CVE-2024-21626) */
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
		fail(-errno, "cannot find out the working directory", NULL);
	if (cwd[0] != '/')
		fail(-EXDEV, "the working directory is outside of the container", NULL);
}

static void close_the_rest(void)
{
	/* nothing of the launcher's is open in the init, error_fd included: its closing says "done"
	 */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		fail(-errno, "cannot close the launcher's descriptors", NULL);
}

static void wait_for_builder(int go)
{
	char byte;
	ssize_t n = read(go, &byte, 1);

	if (n < 0)
		fail(-errno, "cannot hear of the builder", NULL);
	if (n == 0)
		_exit(125); /* it has failed, and said why */
}

_Noreturn void payload_run(const struct launch *launch, const struct payload_stdio *stdio,
	const struct payload_fds *fds)
{
	const struct container_config *config = &launch->config;
	uint64_t caps = config_capabilities(config), for_filter = UINT64_C(1) << CAP_SYS_ADMIN;
	bool filter_allows_the_rest = caps & for_filter && launch->filter.len == 0;
	struct guest_user user = { .home = (char *)"/" };
	char **environment = NULL;

	leader_error_fd = fds->error;
	/* what needs no tree is done while it is built */
	take_quiet_namespaces(launch, fds->socket);
	if (setsid() < 0)
		fail(-errno, "cannot make a session", NULL);
	set_hostname(launch);
	signals_reset();
	take_keyring();
	cut_bounding_set(caps);
	if (filter_allows_the_rest)
		install_filter(launch, caps);
	if (!config->user)
		environment = make_environment(launch, NULL);
	wait_for_builder(fds->go);
	become_root();
	take_tree(launch);
	if (launch->config.n_binds > 0) {
		int r = fd_write_all(fds->go, "", 1);

		if (r < 0 && r != -EPIPE)
			fail(r, "cannot report to the builder", NULL);
		wait_for_builder(fds->go);
	}
	take_stdio(stdio);
	(void)umask(022);
	if (config->user) {
		find_user(config, &user);
		environment = make_environment(launch, &user);
	}
	change_directory(config, user.home);
	set_process_attributes(config);
	if (config->user)
		become_user(&user, stdio->fds[0] < 0);
	cut_capabilities(
		filter_allows_the_rest ? caps : caps | for_filter, config->capability_ambient);
	close_the_rest();
	if (!filter_allows_the_rest)
		install_filter(launch, caps);
	if (config->boot)
		execute_init(launch, environment);
	execute_command(launch, environment);
	_exit(125);
}
