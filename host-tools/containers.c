/* SPDX-License-Identifier: MIT */
#include "containers.h"

#include "cleanup.h"
#include "config/config.h"
#include "launch/state.h"
#include "log.h"
#include "name.h"
#include "nearest.h"

#include <string.h>

struct list {
	char **names;
	size_t n;
};

/* Takes a name of len bytes, unless it is none. */
static int add(struct list *list, const char *text, size_t len)
{
	_cleanup_free_ char *name = strndup(text, len);
	char **bigger = realloc(list->names, (list->n + 2) * sizeof(char *));

	if (bigger)
		list->names = bigger;
	if (!name || !bigger)
		return -ENOMEM;
	list->names[list->n] = NULL;
	if (!name_is_valid(name, NULL))
		return 0;
	list->names[list->n++] = TAKE_PTR(name);
	list->names[list->n] = NULL;
	return 0;
}

/* The names in a directory: files that end in suffix, without it; with "", directories. */
static int add_directory(struct list *list, const char *path, const char *suffix)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	size_t cut = strlen(suffix);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (cut == 0 && entry->d_type != DT_DIR)
			continue;
		if (n > cut && strcmp(entry->d_name + n - cut, suffix) == 0)
			r = add(list, entry->d_name, n - cut);
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_uniquely(struct list *list)
{
	size_t kept = 0;

	qsort(list->names, list->n, sizeof(char *), compare);
	for (size_t i = 0; i < list->n; i++)
		if (kept > 0 && strcmp(list->names[kept - 1], list->names[i]) == 0)
			free(list->names[i]);
		else
			list->names[kept++] = list->names[i];
	list->names[kept] = NULL;
}

int containers_list(char ***ret)
{
	struct list list = { .names = calloc(1, sizeof(char *)) };
	int r = list.names ? add_directory(&list, CONFIG_DIR, ".conf") : -ENOMEM;

	if (r == 0)
		r = add_directory(&list, RUN_DIR, "");
	if (r < 0) {
		containers_free(list.names);
		return r;
	}
	sort_uniquely(&list);
	*ret = list.names;
	return 0;
}

void containers_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

void containers_freep(char ***names)
{
	containers_free(*names);
}

bool container_is_configured(const char *name)
{
	char path[sizeof(CONFIG_DIR) + NAME_MAX_LEN + sizeof("/.conf")];

	(void)snprintf(path, sizeof(path), CONFIG_DIR "/%s.conf", name);
	return access(path, F_OK) == 0;
}

bool container_is_known(const char *verb, const char *name)
{
	struct nearest nearest = { .given = name };
	_cleanup_(containers_freep) char **names = NULL;
	const char *why;

	if (!name_is_valid(name, &why)) {
		log_error("%s: '%s' is no container's name: %s", verb, name, why);
		return false;
	}
	if (containers_list(&names) < 0) {
		log_error("%s: cannot list the containers", verb);
		return false;
	}
	for (char **one = names; *one; one++) {
		if (strcmp(*one, name) == 0)
			return true;
		nearest_offer(&nearest, *one);
	}
	if (nearest.best)
		log_error("%s: there is no container '%s'; did you mean '%s'?", verb, name,
			nearest.best);
	else
		log_error("%s: there is no container '%s': see 'narthex list'", verb, name);
	return false;
}
