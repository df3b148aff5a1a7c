/* SPDX-License-Identifier: MIT */

/*
 * narthex-init: the PID 1 of `narthex run -- CMD`. It starts CMD as PID 2, reaps whatever the
 * kernel hands it, forwards signals, and ends with CMD's exit status; the kernel then ends the rest
 * of the PID namespace.
 *
 * Theory of operation. Every signal stays blocked for the whole life of the process and is taken
 * with sigwaitinfo(2): there are no handlers, hence no races with them. A blocked signal is also
 * the only one that reaches a PID 1 at all: the kernel drops an unblocked one that has no handler.
 * There is no heap and nothing to configure. The binary is static, since it runs in any guest.
 *
 * Terminal: a CMD with a terminal for stdin must have it as its controlling terminal, in the
 * foreground, or ^C goes nowhere. Two cases: the launcher left the terminal free, then CMD gets a
 * session of its own and takes it; or the terminal already controls our session, then CMD becomes
 * its foreground process group, as a shell would do it.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum {
	EXIT_OWN_ERROR = 125, /* as of every tool of narthex */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};

/* One line on stderr, "narthex-init: WHAT: strerror(error)", in one write. */
static void complain(const char *what, int error)
{
	const char *text = error != 0 ? strerror(error) : NULL;
	struct iovec parts[] = {
		{ .iov_base = (char *)"narthex-init: ", .iov_len = 14 },
		{ .iov_base = (char *)what, .iov_len = strlen(what) },
		{ .iov_base = (char *)": ", .iov_len = text ? 2 : 0 },
		{ .iov_base = (char *)text, .iov_len = text ? strlen(text) : 0 },
		{ .iov_base = (char *)"\n", .iov_len = 1 },
	};

	if (writev(STDERR_FILENO, parts, sizeof(parts) / sizeof(parts[0])) < 0) {
		/* nowhere to say it */
	}
}

/* Gives the calling child its own process group, and the terminal if there is one. */
static void enter_foreground(void)
{
	if (!isatty(STDIN_FILENO)) {
		(void)setpgid(0, 0);
	} else if (tcgetsid(STDIN_FILENO) == getsid(0)) {
		/* SIGTTOU is still blocked, so a background group may do this */
		(void)setpgid(0, 0);
		(void)tcsetpgrp(STDIN_FILENO, getpid());
	} else {
		(void)setsid();
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	}
}

static _Noreturn void run_command(const char *directory, char **argv)
{
	/* the kernel's struct sigaction on any architecture: SIG_DFL, no flags, an empty mask */
	static const unsigned long by_default[4];
	sigset_t none;

	enter_foreground();
	/* What the launcher's starter ignored is its own affair. Not by signal(3): that refuses the
	 * two that threads use inside the C library, which some starters leave ignored. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, by_default, NULL, (size_t)(NSIG - 1) / 8);
	if (directory && chdir(directory) < 0) {
		complain(directory, errno);
		_exit(EXIT_OWN_ERROR);
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execvp(argv[0], argv);
	int error = errno;

	complain(argv[0], error);
	_exit(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static void forward(pid_t child, int sig)
{
	/* the group is missing for a moment, until the child has made it */
	if (kill(-child, sig) < 0 && errno == ESRCH)
		(void)kill(child, sig);
	/* a stopped process doesn't see that it is asked to end */
	if (sig == SIGTERM || sig == SIGHUP)
		(void)kill(-child, SIGCONT);
}

/* Reaps all that has ended. 1 with the child's wait status in *ret_status, or 0 when it lives. */
static int reap(pid_t child, int *ret_status)
{
	int found = 0;

	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid <= 0)
			return found;
		if (pid == child) {
			*ret_status = status;
			found = 1;
		}
	}
}

static int supervise(pid_t child, const sigset_t *all)
{
	int status = 0;

	while (!reap(child, &status)) {
		int sig = sigwaitinfo(all, NULL);

		switch (sig) {
		case SIGTERM:
		case SIGINT:
		case SIGHUP:
		case SIGQUIT:
		case SIGUSR1:
		case SIGUSR2:
		case SIGWINCH:
			forward(child, sig);
			break;
		default:
			/* how a systemd guest is asked to power off */
			if (sig == SIGRTMIN + 3)
				forward(child, SIGTERM);
			break;
		}
	}
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const char *directory = NULL;
	sigset_t all;
	pid_t child;
	int i = 1;

	if (i + 1 < argc && strcmp(argv[i], "--chdir") == 0) {
		directory = argv[i + 1];
		i += 2;
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
		complain("usage: narthex-init [--chdir DIR] -- CMD [ARG...]", 0);
		return 2;
	}
	argv += i + 1;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	/* an inherited SIG_IGN would make the kernel reap the child and its status for us */
	(void)signal(SIGCHLD, SIG_DFL);
	if (getpid() != 1)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	child = fork();
	if (child < 0) {
		complain("cannot fork", errno);
		return EXIT_OWN_ERROR;
	}
	if (child == 0)
		run_command(directory, argv);
	return supervise(child, &all);
}
