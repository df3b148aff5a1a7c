/* SPDX-License-Identifier: MIT */
#include "conf-root.h"

#include "cleanup.h"
#include "fd.h"
#include "ini.h"

#include <fcntl.h>
#include <string.h>

static int on_assignment(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	char **root = userdata, *copy;

	(void)line;
	if (strcmp(section, "Files") != 0 || strcmp(key, "Root") != 0)
		return 0;
	copy = *value ? strdup(value) : NULL;
	if (*value && !copy)
		return -ENOMEM;
	free(*root);
	*root = copy;
	return 0;
}

static int on_error(void *userdata, unsigned line, const char *what)
{
	(void)userdata, (void)line, (void)what;
	return 0;
}

static int read_file(const char *path, char **root)
{
	static const struct ini_callbacks callbacks = {
		.assignment = on_assignment,
		.error = on_error,
	};
	_cleanup_free_ char *text = NULL;
	ssize_t n = file_read_all(AT_FDCWD, path, O_NONBLOCK | O_NOCTTY, INI_MAX_SIZE, &text);

	if (n == -ENOENT || n == -EISDIR || n == -EFBIG)
		return 0;
	return n < 0 ? (int)n : ini_parse(text, (size_t)n, &callbacks, root);
}

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int conf_root(const char *directory, const char *name, char **ret)
{
	_cleanup_free_ char *root = NULL, *path = NULL;
	struct dirent **entries;
	int n, r;

	if (asprintf(&path, "%s/%s.conf.d", directory, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	n = scandir(path, &entries, is_drop_in, by_name);
	path[strlen(path) - 2] = '\0';
	r = read_file(path, &root);
	for (int i = 0; i < n; i++) {
		char *drop_in;

		if (r == 0 && asprintf(&drop_in, "%s.d/%s", path, entries[i]->d_name) < 0)
			r = -ENOMEM;
		else if (r == 0) {
			r = read_file(drop_in, &root);
			free(drop_in);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (r == 0)
		*ret = TAKE_PTR(root);
	return r;
}
