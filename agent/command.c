/* SPDX-License-Identifier: MIT */
#include "command.h"

#include "account.h"
#include "cleanup.h"
#include "login.h"

#include <string.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A shell, as a login shell ("-bash") where there is a terminal. */
static int shell_command(const struct door *door, const char *term, struct command *command)
{
	struct account account = {};
	int r = account_read_root(NULL, &account);

	if (r < 0)
		return r;
	if (asprintf(&command->argv[0], "%s%s", door->pty ? "-" : "", base_name(account.shell)) < 0)
		command->argv[0] = NULL;
	/*
	 * A bash whose stdin is a socket takes itself for a child of rshd and reads ~/.bashrc,
	 * which may print: not byte-exact.
	 */
	if (!door->pty && strcmp(base_name(account.shell), "bash") == 0)
		command->argv[1] = strdup("--norc");
	command->environment = account_environment(&account, door->pty ? term : NULL);
	command->path = TAKE_PTR(account.shell);
	command->cwd = TAKE_PTR(account.home);
	command->program = command->path;
	command->fallback = account.fallback;
	command->unread = account.unread;
	account_done(&account);
	return command->argv[0] && command->environment ? 0 : -ENOMEM;
}

static int login_command(const char *term, const char *terminal, struct command *command)
{
	int r = login_find(NULL, terminal, command->argv, ARRAY_SIZE(command->argv));

	if (r < 0)
		return r;
	command->path = strdup(command->argv[0]);
	command->cwd = strdup("/");
	command->environment = account_environment(NULL, term);
	command->program = "login";
	return command->path && command->cwd && command->environment ? 0 : -ENOMEM;
}

int command_find(
	const struct door *door, const char *term, const char *terminal, struct command *ret)
{
	struct command command = {};
	int r;

	if (door->kind == DOOR_LOGIN)
		r = login_command(term, terminal, &command);
	else
		r = shell_command(door, term, &command);
	if (r < 0) {
		command_done(&command);
		return r;
	}
	*ret = command;
	return 0;
}

void command_done(struct command *command)
{
	free(command->path);
	free(command->cwd);
	for (size_t i = 0; i < ARRAY_SIZE(command->argv); i++)
		free(command->argv[i]);
	account_free_environment(command->environment);
	*command = (struct command){};
}
