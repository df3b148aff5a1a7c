/* SPDX-License-Identifier: MIT */

/* narthex run: the launcher in the foreground. Translates options and becomes narthex-launch. */

#include "cleanup.h"
#include "config/config.h"
#include "log.h"
#include "name.h"
#include "program.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>

const struct verb_option run_options[] = {
	{ "root", "DIR", NULL, .help = "the container's tree (default: that of NAME)" },
	{ "name", "NAME", NULL, .help = "the container's name (default: from DIR)" },
	{ "settings", NULL, NULL,
		.help = "read /etc/systemd/nspawn/NAME.nspawn; options come after it" },
	{ "ephemeral", NULL, "Exec.Ephemeral",
		.help = "forget all changes to the tree at the end" },
	{ "private-users", "WHICH", "Exec.PrivateUsers", .help = "pick, BASE[:COUNT], or no" },
	{ "private-network", NULL, "Network.Private",
		.help = "a network of its own, with only lo" },
	{ "network-veth", NULL, "Network.VirtualEthernet", .help = "and a link to the host in it" },
	{ "host-address", "ADDRESS", "Network.HostAddress",
		.help = "IPv4 address of the host's end" },
	{ "local-address", "ADDRESS", "Network.LocalAddress",
		.help = "IPv4 address of the container's end" },
	{ "host-address6", "ADDRESS", "Network.HostAddress6", .help = "the same for IPv6" },
	{ "local-address6", "ADDRESS", "Network.LocalAddress6", .help = "the same for IPv6" },
	{ "bind", "SRC[:DST[:OPTS]]", "Files.Bind", .help = "show a host's path inside" },
	{ "bind-ro", "SRC[:DST[:OPTS]]", "Files.BindReadOnly", .help = "the same, read-only" },
	{ "tmpfs", "PATH[:OPTIONS]", "Files.TemporaryFileSystem",
		.help = "an empty tmpfs on PATH" },
	{ "setenv", "NAME[=VALUE]", "Exec.Environment",
		.help = "environment of the init or COMMAND", .from_caller = true },
	{ "hostname", "NAME", "Exec.Hostname", .help = "the container's host name" },
	{ "chdir", "DIR", "Exec.WorkingDirectory", .help = "where COMMAND starts" },
	{ "capability", "CAPS", "Exec.Capability",
		.help = "leave it these capabilities, too (CAP_A,CAP_B)" },
	{ "drop-capability", "CAPS", "Exec.DropCapability", .help = "take these from it" },
	{},
};

struct run {
	struct container_config config; /* only to see whether it is right; never freed */
	char **argv; /* of narthex-launch; what it holds lives as long as we do */
	size_t n;
	char *root;
	const char *name;
	bool settings;
};

/* arg: by reference; NULL is an allocation that failed. 0 or the status. */
static int add(struct run *run, const char *arg)
{
	char **bigger = arg ? reallocarray(run->argv, run->n + 2, sizeof(char *)) : NULL;

	if (!bigger) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	bigger[run->n++] = (char *)arg;
	bigger[run->n] = NULL;
	run->argv = bigger;
	return 0;
}

/* Through the parser that the launcher has, too, which would name its own option. where: begins
 * messages, as in config_set(). */
static int add_setting(struct run *run, const char *where, const char *setting, const char *value)
{
	char *text;
	int r;

	if (asprintf(&text, "%s=%s", setting, value) < 0)
		return add(run, NULL);
	r = config_set_line(&run->config, where, text);
	if (r >= 0 && add(run, "--set") == 0)
		return add(run, text);
	free(text);
	return r < 0 && r != -ENOMEM ? STATUS_USAGE : STATUS_FAILED;
}

static int add_option(struct run *run, const struct verb_option *option, const char *value)
{
	char where[80];

	(void)snprintf(where, sizeof(where), "run: --%s", option->name);
	return add_setting(run, where, option->setting, value);
}

/* One word for Environment=, where only quotes protect blanks, and nothing protects a quote but the
 * other. */
static char *quote_word(const char *word)
{
	char *quoted = malloc(strlen(word) * 5 + 3), *out = quoted;

	if (!quoted)
		return NULL;
	*out++ = '"';
	for (; *word; word++)
		if (*word == '"')
			out = stpcpy(out, "\"'\"'\"");
		else
			*out++ = *word;
	*out++ = '"';
	*out = '\0';
	return quoted;
}

static int add_environment(struct run *run, const struct verb_option *option, const char *arg)
{
	_cleanup_free_ char *quoted = quote_word(arg);

	return quoted ? add_option(run, option, quoted) : add(run, NULL);
}

static int add_capabilities(struct run *run, const struct verb_option *option, const char *arg)
{
	_cleanup_free_ char *words = strdup(arg);

	if (!words)
		return add(run, NULL);
	for (char *p = words; *p; p++)
		if (*p == ',')
			*p = ' ';
	return add_option(run, option, words);
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct run *run = userdata;

	if (strcmp(option->name, "root") == 0) {
		free(run->root);
		run->root = realpath(arg, NULL);
		if (run->root)
			return 0;
		log_errno(-errno, "run: cannot use --root=%s", arg);
		return *arg ? STATUS_FAILED : STATUS_USAGE;
	}
	if (strcmp(option->name, "name") == 0) {
		const char *why;

		run->name = arg;
		if (name_is_valid(arg, &why))
			return 0;
		log_error("run: --name=%s: %s", arg, why);
		return STATUS_USAGE;
	}
	if (strcmp(option->name, "settings") == 0) {
		run->settings = true;
		return 0;
	}
	if (strcmp(option->name, "setenv") == 0)
		return add_environment(run, option, arg);
	if (strcmp(option->name, "capability") == 0 || strcmp(option->name, "drop-capability") == 0)
		return add_capabilities(run, option, arg);
	return add_option(run, option, arg ?: "yes");
}

/* What comes before the settings: the tree and the name. */
static int add_place(struct run *run)
{
	int status;

	if (!run->root && asprintf(&run->root, CONTAINERS_DIR "/%s", run->name) < 0)
		run->root = NULL;
	status = add(run, "--root");
	if (status == 0)
		status = add(run, run->root);
	if (status == 0 && run->name)
		status = add(run, "--name");
	if (status == 0 && run->name)
		status = add(run, run->name);
	if (status == 0 && run->settings)
		status = add(run, "--settings");
	return status;
}

static int add_command(struct run *run, char **command)
{
	int status = add_setting(run, "run", "Exec.Boot", "no");

	if (status == 0)
		status = add_setting(run, "run", "Exec.ProcessTwo", "yes");
	run->config.parameters = command;
	if (status == 0)
		status = add(run, "--");
	for (; status == 0 && *command; command++)
		status = add(run, *command);
	return status;
}

/* Options may need each other. What a file says as well, the launcher alone can tell. */
static int check_together(struct run *run)
{
	int r = run->settings ? 0 : config_set(&run->config, "run", "Files", "Root", run->root);

	if (r >= 0 && !run->settings)
		r = config_check(&run->config, "run");
	return r >= 0 ? 0 : r == -ENOMEM ? STATUS_FAILED : STATUS_USAGE;
}

int cmd_run(const struct verb *verb, int argc, char **argv)
{
	/* static: a failure leaves them to the end of the process, and they are no leaks then */
	static struct run run;
	static char *launcher;
	int first, status;

	status = program_find("narthex-launch", &launcher);
	if (status < 0) {
		log_errno(status, "cannot find narthex-launch");
		return STATUS_FAILED;
	}
	status = config_default("run", &run.config) < 0 ? add(&run, NULL) : 0;
	if (status == 0)
		status = add(&run, "narthex-launch");
	if (status == 0)
		status = add(&run, "--foreground");
	if (status != 0)
		return status;
	status = verb_parse(verb, argc, argv, on_option, &run, &first);
	if (status >= 0)
		return status;
	if (!run.root && !run.name) {
		log_error("run: which tree? give --root=DIR or --name=NAME");
		return STATUS_USAGE;
	}
	status = add_place(&run);
	if (status == 0 && first < argc)
		status = add_command(&run, argv + first);
	if (status != 0)
		return status;
	status = check_together(&run);
	if (status != 0)
		return status;
	execv(launcher, run.argv);
	log_errno(-errno, "cannot run %s", launcher);
	return STATUS_FAILED;
}
