/* SPDX-License-Identifier: MIT */

/*
 * ssh does the work: it has the user's keys and settings, carries end of file and exit status, and
 * makes a terminal on the other side when told to. What it can't do is tell its own failure from a
 * command that exits with 255: both are its status 255. So it is asked to let us know, by
 * LocalCommand=, that it has connected; over a connection that was there already (ControlMaster)
 * it has no such moment, and is asked whether there is one. A connection that breaks later is
 * status 255, and ssh has said what happened.
 */

#include "remote.h"

#include "cleanup.h"
#include "client/terminal-raw.h"
#include "fd.h"
#include "log.h"
#include "verbs.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define SSH_FAILED 255

static struct {
	char **argv;
	const char *host;
} remote;

/* A word of argv that is none any more. */
static char taken[] = "";

void remote_begin(char **argv)
{
	if (!remote.argv)
		remote.argv = argv;
}

void remote_take(char **argv)
{
	char *word = argv[optind - 1];

	remote.host = optarg;
	if (optarg == word) { /* -H HOST, -tH HOST, --host HOST */
		argv[optind - 1] = taken;
		word = argv[optind - 2];
		if (word[1] == '-' || !word[2])
			argv[optind - 2] = taken;
		else
			word[strlen(word) - 1] = '\0';
	} else if (word[1] == '-' || optarg == word + 2) { /* --host=HOST, -HHOST */
		argv[optind - 1] = taken;
	} else { /* -tHHOST */
		optarg[-1] = '\0';
	}
}

bool remote_is_asked(void)
{
	return remote.host;
}

/* --- quoting ------------------------------------------------------------------------------- */

static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:,@+";

	return *word && strspn(word, plain) == strlen(word);
}

/* In single quotes all is itself in every shell, but they end at the next, and fish takes a
 * backslash for more: both stand outside. Returns the end. */
static char *add_quoted(char *out, const char *word)
{
	*out++ = '\'';
	for (; *word; word++)
		if (*word == '\'' || *word == '\\') {
			const char outside[] = { '\'', '\\', *word, '\'', '\0' };

			out = stpcpy(out, outside);
		} else {
			*out++ = *word;
		}
	return stpcpy(out, "'");
}

char *remote_quote(char *const *argv)
{
	size_t size = 1;
	char *text, *out;

	for (size_t i = 0; argv[i]; i++)
		size += 4 * strlen(argv[i]) + 3;
	text = out = malloc(size);
	if (!text)
		return NULL;
	*out = '\0';
	for (size_t i = 0; argv[i]; i++) {
		if (argv[i] == taken)
			continue;
		if (out > text)
			*out++ = ' ';
		out = is_plain(argv[i]) ? stpcpy(out, argv[i]) : add_quoted(out, argv[i]);
	}
	return text;
}

/* What the shell there gets; NULL when there is no memory for it. */
static char *command_line(void)
{
	_cleanup_free_ char *words = remote_quote(remote.argv);
	char *text = NULL;

	/* env: not every shell sets a variable for one command in the same way */
	return words && asprintf(&text, "env " REMOTE_VARIABLE "=1 narthex %s", words) >= 0 ? text
											    : NULL;
}

/* --- ssh ----------------------------------------------------------------------------------- */

/* Starts ssh, with signals as they were. Logs. 0 or -errno. */
static int start(const char *const *argv, const sigset_t *mask, bool quiet, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigmask(&attributes, mask);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawn_file_actions_init(&actions);
	for (int fd = 0; quiet && fd <= STDERR_FILENO; fd++)
		(void)posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return r > 0 ? log_errno(-r, "cannot run ssh") : 0;
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for ssh, and hands on what we are told. set: blocked signals, SIGCHLD among them. */
static int await(pid_t pid, const sigset_t *set)
{
	int status;

	for (;;) {
		siginfo_t info;
		int number = sigwaitinfo(set, &info);

		if (number < 0)
			continue;
		/* what comes from a key ssh has got, too */
		if (number != SIGCHLD && info.si_code <= 0)
			(void)kill(pid, number);
		else if (number == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
			return status;
	}
}

/* Whether ssh has a connection to the host that it shares. */
static bool is_shared(const sigset_t *mask, const sigset_t *set)
{
	const char *const argv[] = { "ssh", "-O", "check", "--", remote.host, NULL };
	pid_t pid;

	return start(argv, mask, true, &pid) == 0 && status_of(await(pid, set)) == 0;
}

/* connected: for ssh to write a byte to. Returns the status. */
static int run_ssh(bool terminal, const char *command, const int connected[2])
{
	/* what the user has configured for sessions of his own isn't for this one */
	const char *argv[] = { "ssh", terminal ? "-t" : "-T", "-o", "PermitLocalCommand=yes", "-o",
		NULL, "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes", "--",
		remote.host, command, NULL };
	struct terminal_raw before = {};
	char local[80], byte;
	sigset_t set, mask;
	pid_t pid;
	int status;

	(void)snprintf(local, sizeof(local), "LocalCommand=echo >/proc/%d/fd/%d", (int)getpid(),
		connected[1]);
	argv[5] = local;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, &mask);
	before.active = terminal && tcgetattr(STDIN_FILENO, &before.before) == 0;
	if (start(argv, &mask, false, &pid) < 0)
		return STATUS_FAILED;
	status = await(pid, &set);
	if (WIFSIGNALED(status)) /* it had no time for that */
		terminal_raw_leave(&before);
	status = status_of(status);
	if (status == SSH_FAILED && read(connected[0], &byte, 1) != 1 && !is_shared(&mask, &set)) {
		log_error("ssh can't connect to '%s'", remote.host);
		return STATUS_FAILED;
	}
	return status;
}

int remote_run(bool terminal)
{
	_cleanup_free_ char *command = NULL;
	int connected[2], status;

	if (!*remote.host || *remote.host == '-') {
		log_error("'%s' is no host: -H takes [USER@]HOST", remote.host);
		return STATUS_USAGE;
	}
	command = command_line();
	if (!command || pipe2(connected, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_errno(command ? -errno : -ENOMEM, "cannot run ssh");
		return STATUS_FAILED;
	}
	if (!isatty(STDIN_FILENO))
		terminal = false;
	else if (isatty(STDOUT_FILENO) && isatty(STDERR_FILENO))
		terminal = true; /* nothing has to be kept apart, and keys get there */
	status = run_ssh(terminal, command, connected);
	(void)close(connected[0]);
	(void)close(connected[1]);
	return status;
}
