/* SPDX-License-Identifier: MIT */

/*
 * Theory of operation
 *
 * The launcher writes down what it knows, opens its descriptors to the next program, and executes
 * that. The guest and the helpers are children of the same process afterwards, locks belong to the
 * same open files, clients wait on the same sockets: only the program is another.
 *
 * There is no way back from a successful execve(2). So first a child does the same, for a look: the
 * new launcher reads everything, checks it, says that it would take over, and ends. What isn't
 * there, isn't executable, knows another version of the hand-over or hangs shows itself in that
 * child, and the old launcher goes on. It serves the guest meanwhile, and hands over what it knows
 * when the child has ended.
 *
 * Signals are blocked from before the execve(2) until the new launcher hears them.
 */

#include "cleanup.h"
#include "fd.h"
#include "helper.h"
#include "log.h"
#include "supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define TAKES_OVER "takes over: "
#define WORDS_MAX 4096

static const struct timeval check_deadline = { .tv_sec = 20 };

/* --- the answer ------------------------------------------------------------------------------- */

static void answer(int client_consumed, const char *verdict, const char *text)
{
	_cleanup_close_ int client = client_consumed;
	_cleanup_free_ char *message = NULL;

	if (client < 0)
		return;
	if (asprintf(&message, "%s\n%s", verdict, text ? text : "") < 0) {
		message = NULL;
		return;
	}
	if (fd_send_message(client, message, strlen(message), NULL, 0, MSG_DONTWAIT) < 0)
		log_debug("cannot answer on the control socket");
}

/* The old launcher goes on. */
static void finish(struct supervisor *s, bool ok)
{
	struct upgrade *u = &s->upgrade;

	if (!ok)
		log_error("container '%s' keeps its launcher", s->launch->config.name);
	log_copy_to(NULL);
	if (fclose(u->answer) == 0)
		answer(TAKE_FD(u->client), ok ? "ok" : "failed", u->text);
	free(u->text);
	free(u->path);
	close_fdp(&u->client);
	*u = UPGRADE_NULL;
}

/* --- execution -------------------------------------------------------------------------------- */

static int write_down(struct supervisor *s, struct hand_over *h)
{
	int r = hand_over_write(h), end;

	if (r >= 0)
		supervise_hand_over(s, h);
	end = hand_over_end(h);
	r = r < 0 ? r : end;
	return r < 0 ? log_errno(r, "cannot write down what the next launcher has to know (%s)",
			       h->field ? h->field : "all")
		     : 0;
}

/* Executes the new launcher; returns when that fails: -errno. */
static int execute(
	const struct supervisor *s, const char *path, const struct hand_over *h, bool check)
{
	char value[32];
	int r;

	(void)snprintf(value, sizeof(value), "%s%d", check ? "check:" : "", h->fd);
	if (setenv(HAND_OVER_VARIABLE, value, 1) < 0)
		return -errno;
	r = hand_over_keep(h, true);
	if (r >= 0) {
		(void)execv(path, s->launch->argv);
		r = -errno;
	}
	(void)hand_over_keep(h, false);
	(void)unsetenv(HAND_OVER_VARIABLE);
	return r;
}

/* Helpers that the new launcher would not know: they are stopped, and whoever goes on starts them
 * again. */
static void stop_helpers(struct supervisor *s)
{
	if (s->machined.helper_fd >= 0)
		s->machined.boots = 0;
	machined_stop(&s->machined);
	bridge_watch_stop(&s->bridges);
	address_follow_stop(&s->follow);
}

static void start_helpers(struct supervisor *s)
{
	bridge_watch_start(&s->bridges, s->base, &s->launch->config);
	bridge_watch_attach(&s->bridges);
	address_follow_start(&s->follow, s->base, &s->launch->config, s->leader);
	if (s->announced)
		machined_register(&s->machined, s->base, s->launch, s->leader);
}

/* Doesn't return when it succeeds. */
static void replace(struct supervisor *s)
{
	struct hand_over h = HAND_OVER_NULL;
	sigset_t all, before;
	int r;

	stop_helpers(s);
	r = write_down(s, &h);
	if (r >= 0) {
		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, &before);
		r = execute(s, s->upgrade.path, &h, false);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		log_errno(r, "cannot execute '%s'", s->upgrade.path);
	}
	hand_over_done(&h);
	start_helpers(s);
}

/* --- the look --------------------------------------------------------------------------------- */

static void release_check(struct upgrade *u)
{
	supervise_free_event(&u->end_event);
	supervise_free_event(&u->deadline);
	close_fdp(&u->words_fd);
}

/* What the new launcher has said; the version that would take over, NULL: none. Caller frees. */
static char *take_words(struct upgrade *u)
{
	char words[WORDS_MAX + 1], *rest = words, *line, *version = NULL;
	ssize_t n = read(u->words_fd, words, WORDS_MAX);

	words[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, TAKES_OVER, strlen(TAKES_OVER)) != 0)
			log_relay(line);
		else if (!version)
			version = strdup(line + strlen(TAKES_OVER));
	return version;
}

static bool can_replace(const struct supervisor *s)
{
	return (s->phase == STARTING || s->phase == RUNNING) && !s->stop_wanted &&
	       !s->reload.launch;
}

static void on_end(int fd, short what, void *arg)
{
	struct supervisor *s = arg;
	struct upgrade *u = &s->upgrade;
	_cleanup_free_ char *version = NULL;
	bool ok;
	int status;

	(void)fd;
	(void)what;
	status = helper_reap(TAKE_FD(u->pidfd));
	log_copy_to(u->answer);
	version = take_words(u);
	release_check(u);
	ok = status == 0 && version;
	if (!ok)
		log_error("'%s' can't go on with container '%s' (status %d)", u->path,
			s->launch->config.name, status);
	else if (u->dry_run)
		(void)fprintf(u->answer, "would be applied: launcher %s (is %s)\n", version,
			NARTHEX_VERSION);
	else if (!can_replace(s))
		log_error("the container has changed meanwhile: try again");
	else
		replace(s);
	finish(s, ok && u->dry_run);
}

static void on_deadline(int fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	log_copy_to(s->upgrade.answer);
	log_error("'%s' takes too long", s->upgrade.path);
	log_copy_to(NULL);
	/* its end says the rest */
	(void)pidfd_send_signal(s->upgrade.pidfd, SIGKILL, NULL, 0);
}

static _Noreturn void run_check(const struct supervisor *s, const struct hand_over *h, int words_fd)
{
	sigset_t none;
	int r;

	log_copy_to(NULL);
	(void)sigemptyset(&none);
	/* a program that knows nothing of this must not tell systemd of another main process */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unsetenv("NOTIFY_SOCKET") < 0 ||
		setenv("JOURNAL_STREAM", "", 1) < 0 || dup2(words_fd, STDOUT_FILENO) < 0 ||
		dup2(words_fd, STDERR_FILENO) < 0)
		_exit(EXIT_OWN);
	log_init("narthex-launch");
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	r = execute(s, s->upgrade.path, h, true);
	log_errno(r, "cannot execute '%s'", s->upgrade.path);
	_exit(EXIT_OWN);
}

/* Forks the child that looks. 0 or -errno; logs. */
static int start_check(struct supervisor *s)
{
	_cleanup_(hand_over_done) struct hand_over h = HAND_OVER_NULL;
	_cleanup_close_ int theirs = -EBADF;
	struct upgrade *u = &s->upgrade;
	sigset_t all, before;
	int words[2], r = write_down(s, &h);
	pid_t pid;

	if (r < 0)
		return r;
	if (pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0)
		return log_errno(-errno, "cannot make a pipe");
	u->words_fd = words[0];
	theirs = words[1];
	/* the supervisor's handlers are not for its children */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0)
		run_check(s, &h, theirs);
	r = pid < 0 ? -errno : 0;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return log_errno(r, "cannot start '%s'", u->path);
	u->pidfd = pidfd_open(pid, 0);
	if (u->pidfd < 0)
		return log_errno(-errno, "cannot watch '%s'", u->path);
	u->deadline = event_new(s->base, -1, 0, on_deadline, s);
	if (!u->deadline || event_add(u->deadline, &check_deadline) < 0)
		return log_errno(-ENOMEM, "cannot watch '%s'", u->path);
	return supervise_watch(s, &u->end_event, u->pidfd, on_end);
}

static void stop_check(struct upgrade *u)
{
	if (u->pidfd >= 0) {
		(void)pidfd_send_signal(u->pidfd, SIGKILL, NULL, 0);
		(void)helper_reap(TAKE_FD(u->pidfd));
	}
	release_check(u);
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* What stands against it; NULL: nothing. */
static const char *refusal(const struct supervisor *s)
{
	if (s->launch->foreground || !s->launch->has_file)
		return "it was started with options, not from a file: it keeps its launcher until "
		       "it ends";
	if (s->upgrade.path || s->reload.launch)
		return "another change is under way: try again when it has ended";
	if (!can_replace(s))
		return "it is starting or stopping: try again when it runs";
	return NULL;
}

/* 1: that is the program which runs here, 0: another one that may be executed, or -errno. Logs. */
static int look_at(const char *path)
{
	struct stat self, st;

	if (path[0] != '/' || stat(path, &st) < 0)
		return log_errno(path[0] != '/' ? -EINVAL : -errno, "cannot use '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		log_error("'%s' is no file that only root can write to", path);
		return -EPERM;
	}
	return stat("/proc/self/exe", &self) == 0 && self.st_dev == st.st_dev &&
	       self.st_ino == st.st_ino;
}

void supervise_upgrade(struct supervisor *s, const char *path, bool dry_run, int client)
{
	struct upgrade *u = &s->upgrade;
	const char *why = refusal(s);
	int r;

	if (why) {
		char line[256];

		(void)snprintf(line, sizeof(line), "error: container '%s': %s\n",
			s->launch->config.name, why);
		answer(client, "failed", line);
		return;
	}
	u->client = client;
	u->dry_run = dry_run;
	u->path = strdup(path);
	u->answer = open_memstream(&u->text, &u->size);
	if (!u->path || !u->answer) {
		answer(TAKE_FD(u->client), "failed", "error: out of memory\n");
		if (u->answer)
			(void)fclose(u->answer);
		free(u->text);
		free(u->path);
		*u = UPGRADE_NULL;
		return;
	}
	log_copy_to(u->answer);
	r = look_at(path);
	if (r == 0)
		r = start_check(s);
	else if (r > 0)
		r = 1;
	/* what others log meanwhile is no part of it */
	log_copy_to(r < 0 ? u->answer : NULL);
	if (r < 0)
		stop_check(u);
	if (r != 0)
		finish(s, r > 0);
}

void supervise_abort_upgrade(struct supervisor *s)
{
	if (!s->upgrade.path)
		return;
	stop_check(&s->upgrade);
	log_copy_to(s->upgrade.answer);
	log_error("the container has ended while its launcher was to be replaced");
	finish(s, false);
}

/* --- the new launcher ------------------------------------------------------------------------- */

static int take(struct supervisor *s, int fd)
{
	_cleanup_(hand_over_done) struct hand_over h = HAND_OVER_NULL;
	int r = hand_over_read(&h, fd);

	if (r < 0)
		return r;
	supervise_hand_over(s, &h);
	r = hand_over_end(&h);
	if (r < 0)
		return log_errno(
			r, "cannot go on with the container of the running launcher (%s)", h.field);
	return seccomp_change(&s->launch->config, &s->launch->filter);
}

int supervise_take_over(struct supervisor *s, int fd, bool check)
{
	int r = take(s, fd);

	/* nothing of the container's may be touched, nor tidied up */
	if (check) {
		if (r >= 0)
			(void)printf(TAKES_OVER NARTHEX_VERSION "\n");
		(void)fflush(stdout);
		_exit(r < 0 ? EXIT_OWN : 0);
	}
	return r;
}

int supervise_go_on(struct supervisor *s)
{
	struct launch *launch = s->launch;
	char text[128];
	sigset_t none;
	int r = supervise_resume(s);

	if (r < 0)
		return r;
	resolv_watch_start(&s->resolv, s->base, launch);
	start_helpers(s);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	log_info("container '%s' goes on under launcher %s (was %s)", launch->config.name,
		NARTHEX_VERSION, s->upgrade.version);
	(void)snprintf(text, sizeof(text), "applied: launcher %s (was %s)\n", NARTHEX_VERSION,
		s->upgrade.version);
	answer(TAKE_FD(s->upgrade.client), "ok", text);
	free(TAKE_PTR(s->upgrade.version));
	return 0;
}
