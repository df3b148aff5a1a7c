/* SPDX-License-Identifier: MIT */
#include "exec-request.h"

#include "account.h"
#include "cleanup.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

/*
 * Theory of operation
 *
 * A message's strings are counted and lie one behind the other, each after its length. They become
 * C strings where they are: once the length behind a string has been read, its first byte is
 * overwritten with the NUL. The last string's NUL has a byte of its own behind the message.
 *
 * The program is looked for by the child, with its user's rights: it tries every directory of PATH
 * in turn, from a list that is made here.
 *
 * A PAM session is left to the guest's runuser(1): it is on every system that has util-linux and
 * PAM, needs neither terminal nor password, and is PAM's client in the guest's own libc. It stays
 * as the parent of what it starts, and closes the PAM session at the end. Where it is missing
 * (busybox), there is no PAM either.
 */

static const char *const runusers[] = {
	"/usr/sbin/runuser",
	"/sbin/runuser",
	"/run/current-system/sw/bin/runuser",
};

/* --- reading --------------------------------------------------------------------------------- */

static char *terminate(struct exec_request *request, struct exec_string s)
{
	char *text = request->buf + (s.data - request->buf);

	text[s.len] = '\0';
	return text;
}

int exec_request_parse(struct exec_request *request, size_t len, const char **ret_why)
{
	const struct exec_start *start = &request->message.start;
	struct exec_string s, next;
	const char *cursor;
	char **slot = &request->directory;
	int r = exec_message_parse(request->buf, len, &request->message, ret_why);

	if (r < 0 || request->message.type != EXEC_START)
		return r;
	request->flags = start->flags;
	request->user = terminate(request, start->user);
	cursor = start->strings;
	s = start->directory;
	for (uint32_t i = 0; i < start->argc + start->envc; i++, s = next) {
		next = exec_string_next(&cursor);
		*slot = terminate(request, s);
		slot = i < start->argc ? &request->words[i] : &request->given[i - start->argc];
	}
	*slot = terminate(request, s);
	request->words[start->argc] = NULL;
	request->given[start->envc] = NULL;
	return 0;
}

/* --- what is made ---------------------------------------------------------------------------- */

/* text: consumed. Returns it, or NULL when there is no memory. */
static char *own(struct exec_request *request, char *text)
{
	if (text)
		request->owned[request->n_owned++] = text;
	return text;
}

__attribute__((format(printf, 2, 3))) static char *make(
	struct exec_request *request, const char *format, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	return n < 0 ? NULL : own(request, text);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Puts a variable where its name is already, or at the end. */
static void put_variable(char **env, size_t *n, char *variable)
{
	size_t len = (size_t)(strchr(variable, '=') - variable) + 1, i = 0;

	while (i < *n && strncmp(env[i], variable, len) != 0)
		i++;
	env[i] = variable;
	if (i == *n)
		(*n)++;
}

static int make_environment(struct exec_request *request, const struct exec_user *user)
{
	char *defaults[EXEC_DEFAULTS] = {
		make(request, "PATH=%s", account_path(user->uid == 0)),
		make(request, "HOME=%s", user->home),
		make(request, "USER=%s", user->name),
		make(request, "LOGNAME=%s", user->name),
		make(request, "SHELL=%s", user->shell),
	};
	size_t n = 0;

	for (; n < EXEC_DEFAULTS; n++) {
		if (!defaults[n])
			return -ENOMEM;
		request->env[n] = defaults[n];
	}
	for (size_t i = 0; request->given[i]; i++)
		put_variable(request->env, &n, request->given[i]);
	request->env[n] = NULL;
	return 0;
}

static const char *get_variable(char *const *env, const char *name_and_sign)
{
	size_t len = strlen(name_and_sign);

	for (; *env; env++)
		if (strncmp(*env, name_and_sign, len) == 0)
			return *env + len;
	return "";
}

/* The places where a program may be, for the child to try: one block of pointers and texts. */
static int make_paths(struct exec_request *request, const char *program)
{
	const char *search = get_variable(request->env, "PATH=");
	size_t n = 1, len;
	char *text;

	if (!program)
		return -EINVAL;
	len = strlen(program);
	if (strchr(program, '/'))
		search = "";
	else if (len > NAME_MAX) /* no directory has it, and each gets a copy of the name */
		return -ENAMETOOLONG;
	for (const char *p = search; *p; p++)
		n += *p == ':';
	request->paths = calloc(1, (n + 1) * sizeof(char *) + strlen(search) + n * (len + 2));
	if (!request->paths || !own(request, (char *)request->paths))
		return -ENOMEM;
	text = (char *)(request->paths + n + 1);
	for (size_t i = 0; i < n; i++) {
		size_t part = strcspn(search, ":");

		request->paths[i] = text;
		memcpy(text, search, part);
		text += part;
		if (part > 0 && text[-1] != '/')
			*text++ = '/';
		memcpy(text, program, len + 1);
		text += len + 1;
		search += part + (search[part] == ':');
	}
	return 0;
}

static char *put_quoted(char *p, const char *word)
{
	*p++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			p = stpcpy(p, "'\\'");
		*p++ = *word;
	}
	*p++ = '\'';
	return p;
}

/* The words as one text for a shell, each in quotes; behind "cd -- DIR && " with a directory. */
static char *quote(struct exec_request *request, const char *directory, char *const *words)
{
	size_t size = sizeof("cd -- '' && ") + (directory ? 4 * strlen(directory) : 0);
	char *text, *p;

	for (size_t i = 0; words[i]; i++)
		size += 4 * strlen(words[i]) + sizeof("'' ");
	text = p = own(request, malloc(size));
	if (!text)
		return NULL;
	if (directory)
		p = stpcpy(put_quoted(stpcpy(p, "cd -- "), directory), " && ");
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			*p++ = ' ';
		p = put_quoted(p, words[i]);
	}
	*p = '\0';
	return text;
}

/* --- what is run ----------------------------------------------------------------------------- */

/* The user's shell; for root another one where that is missing. */
static int shell_argv(struct exec_request *request, const struct exec_user *user)
{
	bool login = request->flags & EXEC_LOGIN;
	size_t n = 0;

	request->argv[n++] = make(request, "%s%s", login ? "-" : "", base_name(user->shell));
	if (request->words[0]) {
		request->argv[n++] = (char *)"-c";
		request->argv[n++] = quote(request, NULL, request->words);
		if (!request->argv[n - 1])
			return -ENOMEM;
	}
	request->argv[n] = NULL;
	request->paths = calloc(3, sizeof(char *));
	if (!request->argv[0] || !request->paths || !own(request, (char *)request->paths))
		return -ENOMEM;
	request->paths[0] = user->shell;
	if (user->uid == 0)
		request->paths[1] = "/bin/sh";
	return 0;
}

static int program_argv(struct exec_request *request)
{
	size_t n = 0;

	for (; request->words[n]; n++)
		request->argv[n] = request->words[n];
	request->argv[n] = NULL;
	return make_paths(request, request->argv[0]);
}

static const char *find_runuser(const char *root)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(runusers); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", root ? root : "", runusers[i]);
		if (access(path, X_OK) == 0)
			return runusers[i];
	}
	return NULL;
}

/* The names of the given variables with commas between: what runuser -l is not to clear. */
static char *given_names(struct exec_request *request)
{
	size_t size = 1;
	char *text, *p;

	for (size_t i = 0; request->given[i]; i++)
		size += strlen(request->given[i]) + 1;
	text = p = own(request, malloc(size));
	for (size_t i = 0; text && request->given[i]; i++) {
		size_t len = strcspn(request->given[i], "=");

		if (i > 0)
			*p++ = ',';
		p = mempcpy(p, request->given[i], len);
	}
	if (text)
		*p = '\0';
	return text;
}

/* runuser's words, as said in docs/agent.md. */
static int runuser_argv(
	struct exec_request *request, const char *runuser, const struct exec_user *user)
{
	bool login = request->flags & EXEC_LOGIN, shell = request->flags & EXEC_SHELL;
	/* runuser -l goes to the user's home */
	const char *directory = login && request->directory[0] ? request->directory : NULL;
	char **argv = request->argv, *stay[] = { NULL, NULL, NULL };
	char *const *words = request->words;
	size_t n = 0;

	request->paths = calloc(2, sizeof(char *));
	if (!request->paths || !own(request, (char *)request->paths))
		return -ENOMEM;
	request->paths[0] = runuser;
	argv[n++] = (char *)"runuser";
	if (login)
		argv[n++] = (char *)"-l";
	if (login && request->given[0]) {
		argv[n++] = (char *)"-w";
		argv[n++] = given_names(request);
	}
	if (directory && !words[0]) {
		stay[0] = user->shell;
		stay[1] = (char *)"-l";
		words = stay;
	}
	if (!login && !shell) {
		argv[n++] = (char *)"-u";
	} else if (words[0]) {
		/* -c would start a session of its own, without the terminal */
		argv[n++] = (char *)"--session-command";
		argv[n++] = quote(request, directory, words);
	}
	if (!argv[n - 1])
		return -ENOMEM;
	if (login || shell)
		argv[n++] = (char *)"--";
	argv[n++] = user->name;
	if (!login && !shell) {
		argv[n++] = (char *)"--";
		while (*words)
			argv[n++] = *words++;
	}
	argv[n] = NULL;
	return 0;
}

static bool is_plain_root(const struct exec_user *user)
{
	return user->uid == 0 && user->gid == 0 && user->n_groups <= 1;
}

int exec_request_prepare(struct exec_request *request, const struct exec_user *user,
	const char *root, struct spawn_request *ret)
{
	const uint32_t shell = request->flags & (EXEC_LOGIN | EXEC_SHELL);
	const char *runuser =
		(request->flags & EXEC_PAM) && user->known ? find_runuser(root) : NULL;
	bool cwd_given = request->directory[0];
	int r = make_environment(request, user);

	request->pam = runuser;
	if (r == 0 && runuser)
		r = runuser_argv(request, runuser, user);
	else if (r == 0)
		r = shell ? shell_argv(request, user) : program_argv(request);
	if (r < 0) {
		exec_request_done(request);
		return r;
	}
	request->identity = (struct spawn_identity){
		.uid = user->uid,
		.gid = user->gid,
		.groups = user->groups,
		.n_groups = user->n_groups,
	};
	*ret = (struct spawn_request){
		.paths = (const char *const *)request->paths,
		.argv = request->argv,
		.envp = request->env,
		.cwd = cwd_given	   ? request->directory
		       : shell && !runuser ? user->home
					   : "/",
		.cwd_only = cwd_given,
		.tty = request->flags & EXEC_TTY,
		.identity = runuser || is_plain_root(user) ? NULL : &request->identity,
		.cgroup_fd = -EBADF,
	};
	if (runuser && (request->flags & EXEC_LOGIN)) {
		ret->cwd = "/";
		ret->cwd_only = false;
	}
	return 0;
}

bool exec_request_is_slow(const struct exec_request *request, const struct spawn_request *spawn)
{
	return (spawn->identity && spawn->identity->uid != 0) || request->directory[0];
}

void exec_request_done(struct exec_request *request)
{
	while (request->n_owned > 0)
		free(request->owned[--request->n_owned]);
	request->paths = NULL;
}
