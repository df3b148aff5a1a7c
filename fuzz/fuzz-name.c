/* SPDX-License-Identifier: MIT */

/* Names of containers, as the generator takes them from file names: what is valid makes interfaces
 * and units of one name each. */

#include "fuzz.h"
#include "host-tools/config/config.h"
#include "host-tools/name.h"
#include "host-tools/nearest.h"
#include "host-tools/unit.h"

#include <stdio.h>

static const struct unit_programs programs = { "/launcher", "/generator", "/ctl" };

/* Each line that says what is run must be there once. */
static void check_unit(char *text, size_t size, const char *exec_start)
{
	size_t n = 0;

	MUST(strlen(text) == size);
	for (const char *p = text; (p = strstr(p, "\nExecStart=")); p++) {
		if (strncmp(p, "\nExecStart=\n", 12) == 0)
			continue; /* forgets what was before */
		n++;
		MUST(strncmp(p + 1, exec_start, strlen(exec_start)) == 0);
		MUST(p[1 + strlen(exec_start)] == '\n');
	}
	MUST(n == 1);
	free(text);
}

static void check_units(const char *name)
{
	char file[256], line[512], *text;
	struct container_config config;
	size_t size;
	FILE *f;

	(void)snprintf(file, sizeof(file), CONFIG_DIR "/%s.conf", name);
	(void)snprintf(line, sizeof(line), "ExecStart=\"/launcher\" %s", name);
	MUST(config_default(name, &config) == 0);
	f = open_memstream(&text, &size);
	MUST(f);
	unit_write(f, &config, false, file, &programs);
	MUST(fclose(f) == 0);
	check_unit(text, size, line);

	(void)snprintf(
		line, sizeof(line), "ExecStart=\"/generator\" --refuse \"%s\" %s", file, name);
	f = open_memstream(&text, &size);
	MUST(f);
	unit_write(f, &config, true, file, &programs);
	MUST(fclose(f) == 0);
	config_done(&config);
	check_unit(text, size, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = fuzz_text(data, size), interface[IFNAMSIZ], altname[ALTNAME_SIZE];
	const char *why = NULL;

	(void)edit_distance(name, "container");
	MUST(edit_distance(name, name) == 0);
	if (!name_is_valid(name, &why)) {
		MUST(why);
		free(name);
		return 0;
	}
	MUST(!strpbrk(name, "/%\"' \\\n") && name[0] != '.' && name[0] != '-');
	for (size_t i = 0; i < 2; i++) {
		static const char *const prefixes[] = { NAME_PREFIX, "ve-" };
		size_t n = strlen(prefixes[i]);

		(void)name_interface(prefixes[i], name, interface, altname);
		MUST(strncmp(interface, prefixes[i], n) == 0 && strlen(interface) < IFNAMSIZ);
		MUST(strcmp(altname + n, name) == 0);
	}
	check_units(name);
	free(name);
	return 0;
}
