/* SPDX-License-Identifier: MIT */
#include "terminal-raw.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

int terminal_raw_enter(struct terminal_raw *terminal)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
		return errno == ENOTTY ? 0 : -errno;
	raw = terminal->before;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -errno;
	terminal->active = true;
	return 0;
}

void terminal_raw_leave(struct terminal_raw *terminal)
{
	sigset_t ttou, before;

	if (!terminal->active)
		return;
	(void)sigemptyset(&ttou);
	(void)sigaddset(&ttou, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &ttou, &before);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal->before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	terminal->active = false;
}

void terminal_raw_suspend(struct terminal_raw *terminal)
{
	terminal->suspended = terminal->active;
	terminal_raw_leave(terminal);
	(void)raise(SIGSTOP);
}

void terminal_raw_resume(struct terminal_raw *terminal)
{
	/* a shell that has stopped us, or seen it, has modes of its own there */
	if (!terminal->active && !terminal->suspended)
		return;
	/* continued in the background: reading will stop us, and the next SIGCONT is the one */
	if (tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	if (terminal->active) {
		struct termios raw = terminal->before;

		cfmakeraw(&raw);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	} else {
		(void)terminal_raw_enter(terminal);
	}
	terminal->suspended = false;
}

int terminal_size(struct winsize *ret)
{
	static const int from[] = { STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO };
	struct winsize size;

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		if (ioctl(from[i], TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
			*ret = size;
			return 0;
		}
	return -ENOTTY;
}

int terminal_copy_size(int master)
{
	struct winsize size;
	int r = terminal_size(&size);

	if (r < 0)
		return r;
	return ioctl(master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

bool terminal_escape_seen(
	struct terminal_escape *escape, const char *data, size_t len, int64_t now_ms)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != ESCAPE_KEY) {
			escape->times = 0;
			continue;
		}
		if (escape->times == 0 || now_ms - escape->first_ms > ESCAPE_MS) {
			escape->times = 0;
			escape->first_ms = now_ms;
		}
		if (++escape->times == ESCAPE_TIMES)
			return true;
	}
	return false;
}
