/* SPDX-License-Identifier: MIT */

/* A container's configuration, and the unit that is made of it. What is taken is right in the eyes
 * of the next reader, too; no value leads to more lines in the unit than it is. */

#include "fuzz.h"
#include "host-tools/config/config.h"
#include "host-tools/unit.h"
#include "ini.h"

#include <stdio.h>

static int count_line(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	size_t *n = userdata;

	(void)key, (void)value, (void)line;
	MUST(strcmp(section, "Unit") == 0 || strcmp(section, "Service") == 0);
	(*n)++;
	return 0;
}

static int on_error(void *userdata, unsigned line, const char *what)
{
	(void)userdata, (void)line, (void)what;
	__builtin_trap();
}

static size_t unit_lines(const struct container_config *config, bool wrong)
{
	static const struct ini_callbacks callbacks = {
		.assignment = count_line,
		.error = on_error,
	};
	static const struct unit_programs programs = { "/launcher", "/generator", "/ctl" };
	size_t size, n = 0;
	char *text;
	FILE *f = open_memstream(&text, &size);

	MUST(f);
	unit_write(f, config, wrong, "/etc/narthex/fuzz.conf", &programs);
	MUST(fclose(f) == 0);
	MUST(ini_parse(text, size, &callbacks, &n) == 0);
	free(text);
	return n;
}

static size_t take_lines(struct container_config *config, enum unit_section section)
{
	size_t n = 0;

	for (char *p = config->unit_text[section]; *p; p++)
		n += *p == '\n';
	config->unit_text[section][0] = '\0';
	return n;
}

/* What is passed on are whole lines of its section, whatever they say. */
static void check_unit(struct container_config *config, bool wrong)
{
	size_t n = unit_lines(config, wrong);
	size_t passed_on = take_lines(config, UNIT_UNIT) + take_lines(config, UNIT_SERVICE);

	MUST(n == unit_lines(config, wrong) + passed_on);
}

static void check_path(const char *path)
{
	MUST(!path || (path[0] == '/' && !strstr(path, "/../") && !strstr(path, "//")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct container_config config = {};

	if (config_load_usable("fuzz", fuzz_file(0, data, size), &config) < 0) {
		check_unit(&config, true);
		config_done(&config);
		return 0;
	}
	MUST(config_check(&config, "again") == 0);
	MUST(config.root);
	check_path(config.root);
	check_path(config.store);
	check_path(config.path);
	for (size_t i = 0; i < config.n_binds; i++) {
		check_path(config_bind_source(&config.binds[i]));
		check_path(config.binds[i].target);
	}
	for (size_t i = 0; i < config.n_tmpfs; i++)
		check_path(config.tmpfs[i].target);
	for (size_t i = 0; i < config.n_overlays; i++) {
		check_path(config.overlays[i].target);
		for (char **layer = config.overlays[i].layers; *layer; layer++)
			if (**layer)
				check_path(*layer + (**layer == '+'));
	}
	for (char **path = config.inaccessible; path && *path; path++)
		check_path(*path);
	check_unit(&config, false);
	config_done(&config);
	return 0;
}
