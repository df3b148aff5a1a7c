/* SPDX-License-Identifier: MIT */

/* A configuration from its files. */

#include "../name.h"
#include "cleanup.h"
#include "config-value.h"
#include "fd.h"
#include "ini.h"
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Theory of operation
 *
 * The file and its drop-ins go one after another through the same parser into the same
 * configuration. A wrong line is logged, counted and left out, so that one run shows every error;
 * at the end any count but zero fails the whole.
 *
 * Whoever writes these files decides what the host's root does, so a file counts only when root (or
 * the caller) alone could have written it. Its owner alone doesn't show that: in a container's tree
 * the guest's root owns files as uid 0 of the disk, because the tree is idmapped. Hence the look at
 * where the open file really lies, after all links.
 */

struct loader {
	struct container_config *config;
	const char *file;  /* the one that is being read */
	char **real_files; /* all that were read, without symbolic links */
	enum { INTO_CONFIG, INTO_UNIT, IGNORED } into;
	enum unit_section unit_section;
	FILE *unit[UNIT_SECTION_MAX_];
	char *unit_text[UNIT_SECTION_MAX_];
	size_t unit_size[UNIT_SECTION_MAX_];
	unsigned errors;
	config_line *each; /* of config_read_settings() */
	void *userdata;
};

#define WHERE_SIZE (PATH_MAX + 16)

static const char *format_where(char where[WHERE_SIZE], const struct loader *loader, unsigned line)
{
	(void)snprintf(where, WHERE_SIZE, "%s:%u", loader->file, line);
	return where;
}

static int on_section(void *userdata, const char *section, unsigned line)
{
	static const char *const unit_sections[UNIT_SECTION_MAX_] = {
		[UNIT_UNIT] = "Unit",
		[UNIT_SERVICE] = "Service",
		[UNIT_INSTALL] = "Install",
	};
	struct loader *loader = userdata;
	char where[WHERE_SIZE];

	loader->into = IGNORED;
	for (enum unit_section i = 0; i < UNIT_SECTION_MAX_; i++)
		if (strcmp(section, unit_sections[i]) == 0) {
			if (!loader->unit[i]) {
				log_error("%s: [%s] is for the service of a container, and there "
					  "is none here",
					format_where(where, loader, line), section);
				loader->errors++;
				return 0;
			}
			loader->into = INTO_UNIT;
			loader->unit_section = i;
			return 0;
		}
	if (config_section_is_known(section)) {
		loader->into = INTO_CONFIG;
		return 0;
	}
	/* systemd.syntax(7) leaves these to other programs */
	if (strncmp(section, "X-", 2) == 0)
		return 0;
	config_log_unknown_section(format_where(where, loader, line), section);
	loader->errors++;
	return 0;
}

static bool install_is_right(
	struct loader *loader, const char *key, const char *text, unsigned line)
{
	struct config_value value = { .config = loader->config, .text = text };

	if (config_check_install(&value, key) == 0)
		return true;
	log_error("%s:%u: %s=%s: %s", loader->file, line, key, text, value.why);
	loader->errors++;
	return false;
}

/* A backslash at the end, which had a blank behind it, must not join this line with the next. */
static int put_unit_line(FILE *f, const char *key, const char *value)
{
	size_t n = strlen(value);
	const char *behind = n > 0 && value[n - 1] == '\\' ? " " : "";

	return fprintf(f, "%s=%s%s\n", key, value, behind) < 0 ? -ENOMEM : 0;
}

static int on_assignment(
	void *userdata, const char *section, const char *key, const char *value, unsigned line)
{
	struct loader *loader = userdata;
	char where[WHERE_SIZE];
	int r;

	if (loader->into == IGNORED)
		return 0;
	if (loader->into == INTO_UNIT) {
		if (loader->unit_section == UNIT_INSTALL &&
			!install_is_right(loader, key, value, line))
			return 0;
		return put_unit_line(loader->unit[loader->unit_section], key, value);
	}
	if (strncmp(key, "X-", 2) == 0)
		return 0;
	r = config_set(loader->config, format_where(where, loader, line), section, key, value);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		loader->errors++;
	else if (loader->each)
		return loader->each(loader->userdata, section, key, value);
	return 0;
}

static int on_error(void *userdata, unsigned line, const char *what)
{
	struct loader *loader = userdata;

	log_error("%s:%u: %s", loader->file, line, what);
	loader->errors++;
	return 0;
}

/* NULL when nobody but root and the caller can change what st describes. */
static const char *fault_of_owner(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "does not belong to root";
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX))
		return NULL;
	if (st->st_mode & S_IWOTH)
		return "can be written by everybody";
	if ((st->st_mode & S_IWGRP) && st->st_gid != 0)
		return "can be written by a group";
	return NULL;
}

/* Refuses a file that is not a plain one in trusted hands. fd: borrowed. */
static int check_file(struct loader *loader, int fd)
{
	char link[40], path[PATH_MAX];
	const char *fault;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return log_errno(-errno, "cannot examine %s", loader->file);
	fault = S_ISREG(st.st_mode) ? fault_of_owner(&st) : "is not a regular file";
	if (fault) {
		log_error("%s is not read: it %s", loader->file, fault);
		return -EPERM;
	}
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < 0 || n == sizeof(path))
		return log_errno(
			n < 0 ? -errno : -ENAMETOOLONG, "cannot tell where %s lies", loader->file);
	return config_list_append(&loader->real_files, strndup(path, (size_t)n));
}

/* Who may write a directory may replace what is in it. */
static int check_directory(const char *path)
{
	const char *fault;
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? -ENOENT : log_errno(-errno, "cannot examine %s", path);
	fault = S_ISDIR(st.st_mode) ? fault_of_owner(&st) : "is not a directory";
	if (!fault)
		return 0;
	log_error("nothing is read from %s: it %s", path, fault);
	return -EPERM;
}

static int read_file(struct loader *loader, const char *file)
{
	static const struct ini_callbacks callbacks = {
		.section = on_section,
		.assignment = on_assignment,
		.error = on_error,
	};
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	ssize_t n;
	int r;

	loader->file = file;
	loader->into = IGNORED;
	/* O_NONBLOCK: a FIFO is refused, not waited for */
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return log_errno(-errno, "cannot read %s", file);
	r = check_file(loader, fd);
	if (r < 0)
		return r;
	n = fd_read_all(fd, INI_MAX_SIZE, &text);
	if (n < 0)
		return log_errno((int)n, "cannot read %s", file);
	r = ini_parse(text, (size_t)n, &callbacks, loader);
	return r < 0 ? log_errno(r, "cannot read %s", file) : 0;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* By bytes, not by the locale of whoever calls. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_drop_ins(struct loader *loader, const char *file)
{
	_cleanup_free_ char *dir = NULL;
	struct dirent **entries;
	int n, r;

	if (asprintf(&dir, "%s.d", file) < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	r = check_directory(dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	n = scandir(dir, &entries, is_drop_in, by_name);
	if (n < 0)
		return log_errno(-errno, "cannot read %s", dir);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0) {
			path = NULL;
			r = -ENOMEM;
		}
		if (r == 0)
			r = read_file(loader, path);
		loader->file = file;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Refuses a file below dir, whatever links dir is made of. "/" is nobody's in particular. */
static int check_not_below(const struct loader *loader, const char *dir, const char *whose)
{
	_cleanup_free_ char *real = realpath(dir, NULL);

	if (!real || strcmp(real, "/") == 0)
		return 0;
	for (char **file = loader->real_files; file && *file; file++)
		if (is_below(*file, real)) {
			log_error("%s is not read: it lies in %s, %s", *file, dir, whose);
			return -EPERM;
		}
	return 0;
}

/* No guest may write its own configuration, nor another's. */
static int check_out_of_reach(const struct loader *loader)
{
	const struct container_config *config = loader->config;
	int r = check_not_below(loader, CONTAINERS_DIR, "where guests can write");

	if (r == 0)
		r = check_not_below(loader, "/run/narthex", "where guests can write");
	if (r == 0)
		r = check_not_below(loader, config->root, "the container's own tree");
	for (size_t i = 0; r == 0 && i < config->n_binds; i++)
		if (!config->binds[i].read_only && config_bind_source(&config->binds[i]))
			r = check_not_below(loader, config->binds[i].source,
				"which Bind= lets the container write");
	for (size_t i = 0; r == 0 && i < config->n_overlays; i++) {
		const char *top = config_overlay_upper(&config->overlays[i]);

		if (top)
			r = check_not_below(loader, top, "which Overlay= lets the container write");
	}
	return r;
}

static int open_unit_texts(struct loader *loader)
{
	for (size_t i = 0; i < UNIT_SECTION_MAX_; i++) {
		loader->unit[i] = open_memstream(&loader->unit_text[i], &loader->unit_size[i]);
		if (!loader->unit[i])
			return -ENOMEM;
	}
	return 0;
}

/* Moves the texts into the configuration. */
static int close_unit_texts(struct loader *loader)
{
	int r = 0;

	for (size_t i = 0; i < UNIT_SECTION_MAX_; i++) {
		FILE *f = TAKE_PTR(loader->unit[i]);

		if (!f || fclose(f) != 0) {
			free(TAKE_PTR(loader->unit_text[i]));
			r = -ENOMEM;
			continue;
		}
		free(loader->config->unit_text[i]);
		loader->config->unit_text[i] = TAKE_PTR(loader->unit_text[i]);
	}
	return r;
}

static int load_files(struct loader *loader, const char *file)
{
	_cleanup_free_ char *dir = strdup(file);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int r, s;

	if (!dir)
		return -ENOMEM;
	if (slash)
		slash[slash == dir] = '\0';
	r = check_directory(slash ? dir : ".");
	if (r == -ENOENT)
		return log_errno(r, "cannot read %s", file);
	if (r == 0)
		r = open_unit_texts(loader);
	if (r == 0)
		r = read_file(loader, file);
	if (r == 0)
		r = read_drop_ins(loader, file);
	s = close_unit_texts(loader);
	if (r < 0 || s < 0)
		return r < 0 ? r : s;
	r = check_out_of_reach(loader);
	if (r < 0)
		return r;
	if (config_check(loader->config, file) < 0 || loader->errors > 0)
		return -EINVAL;
	return 0;
}

int config_file_name(const char *file, char **ret)
{
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	size_t n = strlen(base);

	if (n <= 5 || strcmp(base + n - 5, ".conf") != 0)
		return -EINVAL;
	*ret = strndup(base, n - 5);
	return *ret ? 0 : -ENOMEM;
}

/* What such a file says, and the networkd files of host and guest, take systemd-nspawn's names. */
static bool is_nspawn_file(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".nspawn") == 0;
}

int config_load_usable(const char *name, const char *file, struct container_config *ret)
{
	struct loader loader = { .config = ret };
	_cleanup_free_ char *path = NULL;
	const char *why;
	int r;

	*ret = (struct container_config){};
	if (!name_is_valid(name, &why)) {
		log_error("%s: not a container's name: %s", file ? file : name, why);
		return -EINVAL;
	}
	if (file)
		path = strdup(file);
	else if (asprintf(&path, CONFIG_DIR "/%s.conf", name) < 0)
		path = NULL;
	if (!path)
		return log_errno(-ENOMEM, "cannot read the configuration of %s", name);
	r = config_default(name, ret);
	if (r == 0 && is_nspawn_file(path))
		r = config_set(ret, path, "Network", "Naming", "nspawn");
	if (r == 0)
		r = load_files(&loader, path);
	if (r == -ENOMEM || r == -E2BIG)
		log_errno(r, "cannot read %s", path);
	config_list_free(loader.real_files);
	if (r < 0 && r != -EINVAL && ret->name) {
		config_done(ret);
		if (config_default(name, ret) < 0)
			return -ENOMEM;
	}
	return r;
}

int config_load(const char *name, const char *file, struct container_config *ret)
{
	struct container_config config;
	int r = config_load_usable(name, file, &config);

	if (r < 0)
		config_done(&config);
	else
		*ret = config;
	return r;
}

int config_read_settings(
	struct container_config *config, const char *file, config_line *each, void *userdata)
{
	struct loader loader = { .config = config, .each = each, .userdata = userdata };
	int r = read_file(&loader, file);

	if (r == 0)
		r = check_out_of_reach(&loader);
	config_list_free(loader.real_files);
	return r == 0 && loader.errors > 0 ? -EINVAL : r;
}

int config_find_nspawn_file(const char *name, char **ret)
{
	static const char *const places[] = { "/etc", "/run" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char *path;

		if (asprintf(&path, "%s/systemd/nspawn/%s.nspawn", places[i], name) < 0)
			return -ENOMEM;
		if (access(path, F_OK) == 0) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	return -ENOENT;
}
