/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static const char head[] =
	"# Made by narthex-generator; 'systemctl daemon-reload' makes it anew.\n";

/*
 * Everything that mounts and starts a container is done by the launcher; systemd gives it a cgroup
 * of its own to divide (Delegate=), watches it, and cuts off devices. DevicePolicy= comes before
 * any namespace: even a guest without a user namespace can make a node of a disk and not open it.
 */
static const char service_head[] =
	"Type=notify\n"
	/* the launcher moves on into a cgroup below the unit's and says MAINPID= */
	"NotifyAccess=all\n";

static const char service_rest[] =
	"KillMode=mixed\n"
	"Slice=machine.slice\n"
	"Delegate=yes\n"
	"TasksMax=16384\n"
	"LimitNOFILE=1024:524288\n"
	"TimeoutStartSec=90s\n"
	/* more than the launcher waits for its guest before it kills it */
	"TimeoutStopSec=100s\n"
	"Restart=on-failure\n"
	"RestartSec=1s\n"
	"DevicePolicy=closed\n"
	"DeviceAllow=/dev/null rwm\n"
	"DeviceAllow=/dev/zero rwm\n"
	"DeviceAllow=/dev/full rwm\n"
	"DeviceAllow=/dev/random rwm\n"
	"DeviceAllow=/dev/urandom rwm\n"
	"DeviceAllow=/dev/tty rwm\n"
	"DeviceAllow=/dev/ptmx rwm\n"
	"DeviceAllow=char-pts rw\n";

/* A value up to the end of its line: only specifiers mean something there. */
static void write_plain(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '%')
			putc('%', f);
		putc(*text, f);
	}
}

/*
 * One of several paths. systemd takes backslashes in such lists as they are, so a quote can't be
 * escaped: "a"'"'"b" it must be.
 */
static void write_path_word(FILE *f, const char *path)
{
	fputs(" \"", f);
	for (; *path; path++) {
		if (*path == '"')
			fputs("\"'\"'", f);
		if (*path == '%')
			putc('%', f);
		putc(*path, f);
	}
	putc('"', f);
}

/* One word of a command line: systemd.service(5), "Command lines". */
static void write_command_word(FILE *f, const char *word)
{
	putc('"', f);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			putc('\\', f);
		if (*word == '%' || *word == '$')
			putc(*word, f);
		putc(*word, f);
	}
	putc('"', f);
}

static void write_unit_section(
	FILE *f, const struct container_config *config, bool wrong, const char *source)
{
	fprintf(f, "%s\n[Unit]\nDescription=Container %s%s\n", head, config->name,
		wrong ? " (its configuration is wrong)" : "");
	fputs("Documentation=man:narthex(1) man:narthex.conf(5)\nSourcePath=", f);
	write_plain(f, source);
	fputs("\nPartOf=machines.target\nBefore=machines.target\nAfter=network.target\n"
	      "RequiresMountsFor=",
		f);
	write_path_word(f, config->root);
	for (size_t i = 0; i < config->n_binds; i++)
		if (!config->binds[i].optional && config_bind_source(&config->binds[i]))
			write_path_word(f, config->binds[i].source);
	for (size_t i = 0; i < config->n_overlays; i++)
		for (char **layer = config->overlays[i].layers; *layer; layer++)
			if (**layer == '/')
				write_path_word(f, *layer);
	/* a container that can't start gives up after some twenty seconds */
	fputs("\nStartLimitIntervalSec=60s\nStartLimitBurst=20\n", f);
	fputs(config->unit_text[UNIT_UNIT], f);
}

/* A device that is bound by itself is meant to be used. What lies in a directory isn't: it is not
 * known yet. */
static void write_devices(FILE *f, const struct container_config *config)
{
	for (size_t i = 0; i < config->n_binds; i++) {
		const struct config_bind *bind = &config->binds[i];
		struct stat st;

		if (!config_bind_source(bind) || strncmp(bind->source, "/dev/", 5) != 0 ||
			(stat(bind->source, &st) == 0 && S_ISDIR(st.st_mode)))
			continue;
		fputs("DeviceAllow=", f);
		write_path_word(f, bind->source);
		fprintf(f, " %s\n", bind->read_only ? "r" : "rw");
	}
}

/* Behind all that the configuration says of [Service]: no start gets past it. */
static void write_refusal(FILE *f, const struct container_config *config, const char *source,
	const struct unit_programs *programs)
{
	fputs("ExecCondition=\nExecStartPre=\nExecStartPost=\nExecStart=\nExecStart=", f);
	write_command_word(f, programs->generator);
	fputs(" --refuse ", f);
	write_command_word(f, source);
	fprintf(f, " %s\nRestartPreventExitStatus=%d\n", config->name, EX_CONFIG);
}

void unit_write(FILE *f, const struct container_config *config, bool wrong, const char *source,
	const struct unit_programs *programs)
{
	write_unit_section(f, config, wrong, source);
	fprintf(f, "\n[Service]\n%s", service_head);
	if (!wrong) {
		fputs("ExecStart=", f);
		write_command_word(f, programs->launcher);
		fprintf(f, " %s\n", config->name);
	}
	fputs("ExecReload=@", f);
	write_command_word(f, programs->ctl);
	fprintf(f, " reload %s\nExecStopPost=", config->name);
	write_command_word(f, programs->launcher);
	fprintf(f, " --cleanup %s\n%s", config->name, service_rest);
	write_devices(f, config);
	fputs(config->unit_text[UNIT_SERVICE], f);
	if (wrong)
		write_refusal(f, config, source, programs);
}

void unit_write_machines_target(FILE *f)
{
	fprintf(f,
		"%s\n[Unit]\nDescription=Containers\nDocumentation=man:systemd.special(7)\n"
		"Before=multi-user.target\n",
		head);
}
