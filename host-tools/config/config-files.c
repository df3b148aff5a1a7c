/* SPDX-License-Identifier: MIT */

/* The values of [Files]. */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"

#include <string.h>

int config_parse_root(struct config_value *value)
{
	struct container_config *config = value->config;
	char *root = NULL;
	int r;

	if (*value->text)
		r = config_clean_path(value, value->text, &root);
	else
		r = asprintf(&root, CONTAINERS_DIR "/%s", config->name) < 0 ? -ENOMEM : 0;
	if (r < 0)
		return r;
	free(config->root);
	config->root = root;
	return 0;
}

int config_parse_store(struct config_value *value)
{
	struct config_value path = { .text = value->text };
	int truth = config_boolean(value->text);
	char *store = NULL;
	int r = 0;

	if (*value->text == '\0') {
		r = config_default_store(&store);
	} else if (truth == 1) {
		path.text = DEFAULT_STORE;
		r = config_clean_path(&path, path.text, &store);
	} else if (truth < 0) {
		if (*value->text != '/')
			return config_refuse(value, "must be an absolute path, yes or no");
		r = config_clean_path(value, value->text, &store);
	}
	if (r < 0)
		return r;
	free(value->config->store);
	value->config->store = store;
	return 0;
}

int config_next_part(struct config_value *value, const char **p, char **ret)
{
	const char *in = *p;
	char *part, *out;

	part = out = malloc(strlen(in) + 1);
	if (!part)
		return -ENOMEM;
	for (; *in && *in != ':'; in++) {
		if (*in == '\\' && *++in == '\0') {
			free(part);
			return config_refuse(value, "a backslash at the end");
		}
		*out++ = *in;
	}
	*out = '\0';
	*p = *in == ':' ? in + 1 : NULL;
	*ret = part;
	return 0;
}

int config_check_target(struct config_value *value, const char *target)
{
	static const char *const ours[] = { "/", "/dev", "/proc", "/run", "/run/host", "/sys" };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(target, ours[i]) == 0)
			return config_refuse(
				value, "narthex mounts %s in the container itself", target);
	if (strncmp(target, "/run/host/narthex", 17) == 0 && (!target[17] || target[17] == '/'))
		return config_refuse(value, "/run/host/narthex is narthex's own");
	if (strncmp(target, "/proc/", 6) == 0)
		return config_refuse(value, "nothing can be mounted inside /proc");
	return 0;
}

static int parse_bind_option(
	struct config_value *value, struct config_bind *bind, const char *option)
{
	if (strcmp(option, "rbind") == 0)
		bind->recursive = true;
	else if (strcmp(option, "norbind") == 0)
		bind->recursive = false;
	else if (strcmp(option, "idmap") == 0)
		bind->ids = BIND_IDS_SAME;
	else if (strcmp(option, "noidmap") == 0)
		bind->ids = BIND_IDS_HOST;
	else if (strcmp(option, "rootidmap") == 0)
		bind->ids = BIND_IDS_ROOT;
	else if (strcmp(option, "owneridmap") == 0)
		bind->ids = BIND_IDS_OWNER;
	else
		return config_refuse(value,
			"there is no option '%s': rbind, norbind, idmap, rootidmap, owneridmap, "
			"noidmap",
			option);
	return 0;
}

static int parse_bind_options(
	struct config_value *value, struct config_bind *bind, const char *options)
{
	_cleanup_free_ char *copy = strdup(options);
	char *rest = copy, *option;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (option = strsep(&rest, ",")))
		r = parse_bind_option(value, bind, option);
	return r;
}

const char *config_bind_source(const struct config_bind *bind)
{
	return bind->inside || bind->temporary ? NULL : bind->source;
}

static void bind_done(struct config_bind *bind)
{
	free(bind->source);
	free(bind->target);
	*bind = (struct config_bind){};
}

static int parse_bind_text(struct config_value *value, struct config_bind *bind)
{
	_cleanup_free_ char *source = NULL, *target = NULL;
	const char *p = value->text, *path;
	int r;

	r = config_next_part(value, &p, &source);
	if (r == 0 && p)
		r = config_next_part(value, &p, &target);
	if (r == 0 && p)
		r = parse_bind_options(value, bind, p);
	if (r < 0)
		return r;
	path = source;
	if (*path == '-') {
		bind->optional = true;
		path++;
	}
	if (*path == '+') {
		bind->inside = true;
		path++;
	}
	if (*path == '\0') {
		if (bind->inside || bind->optional || !target || !*target)
			return config_refuse(value, "no source");
		bind->temporary = true;
		bind->source = strdup("");
		r = bind->source ? 0 : -ENOMEM;
	} else {
		r = config_clean_path(value, path, &bind->source);
	}
	if (r == 0)
		r = config_clean_path(value, target && *target ? target : path, &bind->target);
	if (r == 0 && (bind->inside || bind->temporary) && bind->ids != BIND_IDS_HOST)
		return config_refuse(value, "what is of the container itself has the container's "
					    "owners: remove the idmap");
	if (r == 0)
		r = config_check_target(value, bind->target);
	return r;
}

/* An empty Bind= takes back the earlier Bind=, not the BindReadOnly=; and the other way round. */
static void forget_binds(struct container_config *config, bool read_only)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_binds; i++) {
		if (config->binds[i].read_only == read_only)
			bind_done(&config->binds[i]);
		else
			config->binds[kept++] = config->binds[i];
	}
	config->n_binds = kept;
}

static int parse_bind(struct config_value *value, bool read_only)
{
	struct container_config *config = value->config;
	struct config_bind bind = { .read_only = read_only, .recursive = true };
	struct config_bind *bigger;
	int r;

	if (*value->text == '\0') {
		forget_binds(config, read_only);
		return 0;
	}
	r = config->n_binds < CONFIG_LIST_MAX ? parse_bind_text(value, &bind) : -E2BIG;
	if (r == 0) {
		bigger = reallocarray(config->binds, config->n_binds + 1, sizeof(*bigger));
		if (bigger) {
			config->binds = bigger;
			config->binds[config->n_binds++] = bind;
			return 0;
		}
		r = -ENOMEM;
	}
	bind_done(&bind);
	return r;
}

int config_parse_bind(struct config_value *value)
{
	return parse_bind(value, false);
}

int config_parse_bind_read_only(struct config_value *value)
{
	return parse_bind(value, true);
}

/* "50%", "64M", "1024", as the kernel reads them in size=, nr_blocks= and nr_inodes=. */
static bool is_size(const char *text, bool percent)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 18)
		return false;
	if (text[n] != '\0' && (strchr("kKmMgGtT", text[n]) || (percent && text[n] == '%')))
		n++;
	return text[n] == '\0';
}

static bool tmpfs_value_is_valid(const char *name, const char *text)
{
	uint64_t number;

	if (strcmp(name, "size") == 0)
		return is_size(text, true);
	if (strcmp(name, "nr_blocks") == 0 || strcmp(name, "nr_inodes") == 0)
		return is_size(text, false);
	if (strcmp(name, "mode") == 0)
		return *text && strlen(text) <= 5 && text[strspn(text, "01234567")] == '\0';
	if (strcmp(name, "uid") == 0 || strcmp(name, "gid") == 0)
		return config_number(text, UINT32_MAX - 1, &number) == 0;
	return strcmp(text, "never") == 0 || strcmp(text, "always") == 0 ||
	       strcmp(text, "within_size") == 0 || strcmp(text, "advise") == 0;
}

static int check_tmpfs_option(struct config_value *value, char *option)
{
	static const char *const flags[] = { "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev",
		"nodev", "atime", "noatime", "relatime", "strictatime", "diratime", "nodiratime" };
	static const char *const names[] = { "size", "nr_blocks", "nr_inodes", "mode", "uid", "gid",
		"huge" };
	struct nearest nearest = { .given = option };
	char *text = option;

	(void)strsep(&text, "=");
	for (size_t i = 0; !text && i < ARRAY_SIZE(flags); i++) {
		if (strcmp(option, flags[i]) == 0)
			return 0;
		nearest_offer(&nearest, flags[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		nearest_offer(&nearest, names[i]);
		if (strcmp(option, names[i]) != 0)
			continue;
		if (!text)
			return config_refuse(value, "option %s needs a value", option);
		if (!tmpfs_value_is_valid(option, text))
			return config_refuse(
				value, "'%s' is no value for %s: see tmpfs(5)", text, option);
		return 0;
	}
	return config_refuse(value, "there is no option '%s'%s%s%s: see tmpfs(5)", option,
		nearest.best ? " (did you mean " : "", nearest.best ?: "",
		nearest.best ? "?)" : "");
}

static int parse_tmpfs_text(struct config_value *value, struct config_tmpfs *tmpfs)
{
	_cleanup_free_ char *target = NULL, *copy = NULL;
	const char *p = value->text;
	char *rest, *option;
	int r;

	r = config_next_part(value, &p, &target);
	if (r == 0)
		r = config_clean_path(value, target, &tmpfs->target);
	if (r == 0)
		r = config_check_target(value, tmpfs->target);
	if (r < 0 || !p || !*p)
		return r;
	rest = copy = strdup(p);
	tmpfs->options = strdup(p);
	if (!copy || !tmpfs->options)
		return -ENOMEM;
	while (r == 0 && (option = strsep(&rest, ",")))
		r = check_tmpfs_option(value, option);
	return r;
}

static void tmpfs_done(struct config_tmpfs *tmpfs)
{
	free(tmpfs->target);
	free(tmpfs->options);
	*tmpfs = (struct config_tmpfs){};
}

void config_forget_mounts(struct container_config *config)
{
	forget_binds(config, false);
	forget_binds(config, true);
	while (config->n_tmpfs > 0)
		tmpfs_done(&config->tmpfs[--config->n_tmpfs]);
	while (config->n_overlays > 0)
		config_overlay_done(&config->overlays[--config->n_overlays]);
	config_list_free(TAKE_PTR(config->inaccessible));
	free(TAKE_PTR(config->overlays));
	free(TAKE_PTR(config->binds));
	free(TAKE_PTR(config->tmpfs));
}

int config_parse_tmpfs(struct config_value *value)
{
	struct container_config *config = value->config;
	struct config_tmpfs tmpfs = {};
	struct config_tmpfs *bigger;
	int r;

	if (*value->text == '\0') {
		while (config->n_tmpfs > 0)
			tmpfs_done(&config->tmpfs[--config->n_tmpfs]);
		return 0;
	}
	r = config->n_tmpfs < CONFIG_LIST_MAX ? parse_tmpfs_text(value, &tmpfs) : -E2BIG;
	if (r == 0) {
		bigger = reallocarray(config->tmpfs, config->n_tmpfs + 1, sizeof(*bigger));
		if (bigger) {
			config->tmpfs = bigger;
			config->tmpfs[config->n_tmpfs++] = tmpfs;
			return 0;
		}
		r = -ENOMEM;
	}
	tmpfs_done(&tmpfs);
	return r;
}
