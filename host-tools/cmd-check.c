/* SPDX-License-Identifier: MIT */

/* narthex check: says everything that is wrong with configurations. */

#include "cleanup.h"
#include "config/config.h"
#include "log.h"
#include "verbs.h"

#include <string.h>

static int is_configuration(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* 0, STATUS_WRONG or STATUS_FAILED. */
static int check_file(const char *file)
{
	_cleanup_free_ char *name = NULL;
	struct container_config config;
	int r = config_file_name(file, &name);

	if (r == -EINVAL)
		log_error("check: %s: a container's file is called NAME.conf", file);
	if (r == 0)
		r = config_load(name, file, &config);
	if (r < 0)
		return r == -ENOMEM ? STATUS_FAILED : STATUS_WRONG;
	config_done(&config);
	return 0;
}

static int check_all(void)
{
	struct dirent **entries;
	int n, status = 0;

	n = scandir(CONFIG_DIR, &entries, is_configuration, alphasort);
	if (n < 0 && errno != ENOENT) {
		log_errno(-errno, "cannot read " CONFIG_DIR);
		return STATUS_FAILED;
	}
	if (n <= 0)
		printf("there is no configuration in " CONFIG_DIR "\n");
	if (n < 0)
		return 0;
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;
		int one = STATUS_FAILED;

		if (asprintf(&path, CONFIG_DIR "/%s", entries[i]->d_name) < 0)
			path = NULL;
		if (path)
			one = check_file(path);
		status = one > status ? one : status;
		free(entries[i]);
	}
	free(entries);
	return status;
}

int cmd_check(const struct verb *verb, int argc, char **argv)
{
	int first, status;

	status = verb_parse(verb, argc, argv, NULL, NULL, &first);
	if (status >= 0)
		return status;
	if (first == argc)
		return check_all();
	status = 0;
	for (int i = first; i < argc; i++) {
		int one = check_file(argv[i]);

		status = one > status ? one : status;
	}
	return status;
}
