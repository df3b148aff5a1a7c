/* SPDX-License-Identifier: MIT */

/*
 * narthex destroy.
 *
 * Everything that can be refused is refused before the container is stopped. Then its tree gets
 * another name, in one step, so that nothing half removed can be started; then the configuration
 * goes; then, for as long as it takes, the tree. Who is interrupted there says `destroy` again:
 * the renamed tree is known by its name.
 */

#include "../config/config.h"
#include "../containers.h"
#include "../launch/state.h"
#include "../name.h"
#include "cleanup.h"
#include "conf-root.h"
#include "ctl.h"
#include "escape.h"
#include "lifecycle.h"
#include "log.h"
#include "profile.h"
#include "progress.h"
#include "tree-remove.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define STORE "/nix/store/"

const struct verb_option destroy_options[] = {
	{ "yes", NULL, NULL, .help = "don't ask", .letter = 'y' },
	{},
};

struct destroy {
	char *name;
	bool yes;
	int trees; /* CONTAINERS_DIR, or -ENOENT where there is none */
	int confs; /* CONFIG_DIR, likewise */
	char conf[NAME_MAX_LEN + sizeof(".conf")], drop_ins[NAME_MAX_LEN + sizeof(".conf.d")];
	char leftover[NAME_MAX_LEN + sizeof(".destroy-")];
	bool has_conf, has_tree, has_leftover;
};

static bool is_there(int dirfd, const char *name)
{
	struct stat st;

	return dirfd >= 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* What there is of the container. Logs. */
static int look(struct destroy *d)
{
	bool podmans = strcmp(d->name, "storage") == 0 || strcmp(d->name, "cache") == 0;
	const char *why;

	if (!name_is_valid(d->name, &why)) {
		log_error("destroy: '%s' is no container's name: %s", d->name, why);
		return -EINVAL;
	}
	(void)snprintf(d->conf, sizeof(d->conf), "%s.conf", d->name);
	(void)snprintf(d->drop_ins, sizeof(d->drop_ins), "%s.conf.d", d->name);
	(void)snprintf(d->leftover, sizeof(d->leftover), ".destroy-%s", d->name);
	d->trees = open_directory(CONTAINERS_DIR);
	d->confs = open_directory(CONFIG_DIR);
	if (d->trees < 0 && d->trees != -ENOENT)
		return log_errno(d->trees, "destroy: cannot open %s", CONTAINERS_DIR);
	if (d->confs < 0 && d->confs != -ENOENT)
		return log_errno(d->confs, "destroy: cannot open %s", CONFIG_DIR);
	d->has_conf = is_there(d->confs, d->conf) || is_there(d->confs, d->drop_ins);
	if (podmans && !d->has_conf) {
		log_error("destroy: %s/%s belongs to podman", CONTAINERS_DIR, d->name);
		return -EINVAL;
	}
	d->has_tree = !podmans && is_there(d->trees, d->name);
	d->has_leftover = !podmans && is_there(d->trees, d->leftover);
	if (!d->has_conf && !d->has_tree && !d->has_leftover)
		return container_is_known("destroy", d->name) ? 0 : -ENOENT;
	return 0;
}

/* --- what is refused ----------------------------------------------------------------------- */

/* A configuration that somebody else writes would be back at the next occasion. */
static int refuse_declared(const struct destroy *d)
{
	const char *names[] = { d->conf, d->drop_ins };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = NULL, *real = NULL;

		if (asprintf(&path, CONFIG_DIR "/%s", names[i]) < 0) {
			path = NULL;
			return log_errno(-ENOMEM, "destroy");
		}
		real = is_there(d->confs, names[i]) ? realpath(path, NULL) : NULL;
		if (!real || strncmp(real, STORE, strlen(STORE)) != 0)
			continue;
		log_error("destroy: container '%s' is declared by the system configuration (%s is "
			  "%s): remove it there",
			d->name, path, real);
		return -EPERM;
	}
	if (d->has_conf && faccessat(d->confs, ".", W_OK, 0) < 0) {
		log_error("destroy: container '%s' is declared by the system configuration (%s "
			  "can't be written): remove it there",
			d->name, CONFIG_DIR);
		return -EPERM;
	}
	return 0;
}

/* Whether a container, of no file perhaps, runs in it now. */
static bool runs_in(const char *name, const char *tree)
{
	char path[sizeof(RUN_DIR) + NAME_MAX + sizeof("/root")];
	struct stat root, st;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/root", name);
	return stat(path, &root) == 0 && stat(tree, &st) == 0 && root.st_dev == st.st_dev &&
	       root.st_ino == st.st_ino;
}

/* Decides whether the tree is this container's alone. Another Root= is not ours to remove. */
static int check_owner(struct destroy *d, const char *tree)
{
	_cleanup_free_ char *root = NULL;
	_cleanup_(containers_freep) char **names = NULL;
	int r = conf_root(CONFIG_DIR, d->name, &root);

	if (r == 0)
		r = containers_list(&names);
	if (r < 0)
		return log_errno(r, "destroy: cannot read the configuration of '%s'", d->name);
	if (root) {
		_cleanup_free_ char *real = realpath(root, NULL);

		if (!real || strcmp(real, tree) != 0) {
			log_info("its tree, %s, stays: it is not %s/%s", root, CONTAINERS_DIR,
				d->name);
			d->has_tree = false;
		}
	}
	for (char **name = names; name && d->has_tree && *name; name++) {
		_cleanup_free_ char *other = NULL, *real = NULL;

		if (strcmp(*name, d->name) == 0)
			continue;
		if (runs_in(*name, tree)) {
			log_error(
				"destroy: container '%s' runs in this tree: stop it first", *name);
			return -EBUSY;
		}
		if (conf_root(CONFIG_DIR, *name, &other) < 0)
			continue;
		real = other ? realpath(other, NULL) : NULL;
		if (real && strcmp(real, tree) == 0) {
			log_error("destroy: container '%s' has the same tree: destroy that first",
				*name);
			return -EBUSY;
		}
	}
	return 0;
}

static int refuse_mounts(const char *tree)
{
	_cleanup_free_ char *where = NULL;
	char text[4 * PATH_MAX];
	int r = tree_find_mount(tree, &where);

	if (r < 0)
		return log_errno(r, "destroy: cannot list mounts");
	if (r == 0)
		return 0;
	(void)escape_text(text, sizeof(text), where, strlen(where));
	log_error("destroy: something is mounted at %s: unmount it first", text);
	return -EBUSY;
}

static int check_tree(struct destroy *d)
{
	const char *names[] = { d->name, d->leftover };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = NULL, *real = NULL;
		int r;

		if (asprintf(&path, CONTAINERS_DIR "/%s", names[i]) < 0) {
			path = NULL;
			return log_errno(-ENOMEM, "destroy");
		}
		real = realpath(path, NULL);
		r = i == 0 ? check_owner(d, real ?: path) : 0;
		if (r == 0 && is_there(d->trees, names[i]) && (i > 0 || d->has_tree))
			r = refuse_mounts(real ?: path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int confirm(const struct destroy *d)
{
	char answer[16] = "";

	if (d->yes)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		log_error("destroy: not asked on a terminal: give --yes to destroy '%s'", d->name);
		return -EINVAL;
	}
	(void)fprintf(stderr, "Destroy container '%s'%s for good? [y/N] ", d->name,
		d->has_tree ? " and its files" : "");
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	log_error("destroy: container '%s' stays", d->name);
	return -ECANCELED;
}

/* --- what is done -------------------------------------------------------------------------- */

static int stop(const struct destroy *d, sd_bus *bus)
{
	enum runner runner;
	int r = runner_find(bus, "destroy", d->name, &runner, NULL);

	if (r < 0 || runner == RUNNER_NONE)
		return r;
	if (runner == RUNNER_FOREGROUND) {
		log_error("destroy: container '%s' runs in the foreground: stop it first", d->name);
		return -EBUSY;
	}
	return containers_stop(bus, "destroy", &d->name, 1, false);
}

static void show_progress(void *userdata, uint64_t removed)
{
	progress_show(userdata, removed, 0);
}

/* Removes a directory, or whatever is there instead. Logs. */
static int remove_tree(int dirfd, const char *directory, const char *name)
{
	struct progress progress = { .what = "removing" };
	struct tree_removal removal = { .progress = show_progress, .userdata = &progress };
	char where[sizeof(removal.failed) * 4];
	int r;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	r = errno == EISDIR || errno == EPERM ? tree_remove(dirfd, name, &removal) : -errno;
	progress_clear(&progress);
	if (r == 0 || r == -ENOENT)
		return 0;
	(void)escape_text(where, sizeof(where), removal.failed, strlen(removal.failed));
	if (r == -EBUSY)
		log_error("destroy: something is mounted at %s/%s/%s: unmount it, and destroy the "
			  "rest",
			directory, name, where);
	else
		log_errno(r, "destroy: cannot remove %s/%s/%s", directory, name, where);
	return r;
}

static int remove_configuration(const struct destroy *d)
{
	int r;

	if (d->confs < 0)
		return 0;
	if (unlinkat(d->confs, d->conf, 0) < 0 && errno != ENOENT)
		return log_errno(-errno, "destroy: cannot remove %s/%s", CONFIG_DIR, d->conf);
	r = is_there(d->confs, d->drop_ins) ? remove_tree(d->confs, CONFIG_DIR, d->drop_ins) : 0;
	return r;
}

/* Its profile, and those and the roots that PerContainerNix= made. */
static int remove_nix(const struct destroy *d)
{
	static const char *const places[] = { "/nix/var/nix/profiles/per-container",
		"/nix/var/nix/gcroots/per-container" };
	int r = profile_remove("destroy", d->name);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++) {
		_cleanup_close_ int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (is_there(fd, d->name))
			r = remove_tree(fd, places[i], d->name);
	}
	return r;
}

static int remove_all(struct destroy *d, sd_bus *bus)
{
	bool renamed = false;
	int r = d->has_leftover ? remove_tree(d->trees, CONTAINERS_DIR, d->leftover) : 0;

	if (r == 0 && d->has_tree) {
		if (renameat2(d->trees, d->name, d->trees, d->leftover, RENAME_NOREPLACE) < 0)
			return log_errno(
				-errno, "destroy: cannot rename %s/%s", CONTAINERS_DIR, d->name);
		renamed = true;
	}
	if (r == 0)
		r = remove_configuration(d);
	if (r < 0) {
		if (renamed)
			(void)renameat2(d->trees, d->leftover, d->trees, d->name, RENAME_NOREPLACE);
		return r;
	}
	if (bus)
		(void)bus_reload(bus); /* it has logged; the container is gone all the same */
	if (renamed)
		r = remove_tree(d->trees, CONTAINERS_DIR, d->leftover);
	return remove_nix(d) < 0 || r < 0 ? -EIO : 0;
}

static int destroy(struct destroy *d)
{
	sd_bus *bus = NULL;
	int r = look(d);

	if (r == 0)
		r = refuse_declared(d);
	if (r == 0)
		r = check_tree(d);
	if (r == 0)
		r = confirm(d);
	if (r < 0)
		return r;
	if (bus_is_possible())
		r = bus_open(&bus);
	if (r >= 0)
		r = stop(d, bus);
	if (r >= 0)
		r = remove_all(d, bus);
	sd_bus_flush_close_unref(bus);
	return r;
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct destroy *d = userdata;

	(void)option, (void)arg;
	d->yes = true;
	return 0;
}

int cmd_destroy(const struct verb *verb, int argc, char **argv)
{
	struct destroy d = { .trees = -EBADF, .confs = -EBADF };
	int first, r, status = verb_parse(verb, argc, argv, on_option, &d, &first);

	if (status >= 0)
		return status;
	if (argc - first != 1)
		return verb_usage(verb);
	if (geteuid() != 0) {
		log_error("destroy: only root can destroy containers");
		return STATUS_FAILED;
	}
	d.name = argv[first];
	r = destroy(&d);
	close_fdp(&d.trees);
	close_fdp(&d.confs);
	return r == -EINVAL ? STATUS_USAGE : r < 0 ? STATUS_FAILED : 0;
}
