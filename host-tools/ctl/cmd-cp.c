/* SPDX-License-Identifier: MIT */

/*
 * narthex cp.
 *
 * A container's tree is opened once; every path in it is looked up below that, with symbolic links
 * that stay inside it, whatever they say. What is copied then goes name by name (tree-copy.c). A
 * tree is used where it lies on disk, so owners are the guest's own; in one that the launcher made
 * (of an ephemeral container), or that was made for one range, they are shifted by it.
 */

#include "../config/config.h"
#include "../containers.h"
#include "../launch/state.h"
#include "../launcher-status.h"
#include "../name.h"
#include "cleanup.h"
#include "ctl.h"
#include "escape.h"
#include "interrupt.h"
#include "log.h"
#include "progress.h"
#include "syscalls.h"
#include "tree-copy.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Of the paths that the caller names; RESOLVE_GUEST but for links, which can't leave the root. */
#define RESOLVE_NAMED (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

const struct verb_option cp_options[] = {
	{ "archive", NULL, NULL,
		.help = "keep owners, times, all permissions, capabilities and devices",
		.letter = 'a' },
	{ "root", "DIR", NULL, .help = "a tree: ':PATH' is in it" },
	{},
};

/* A tree that is open. */
struct tree {
	bool guest;
	int root; /* O_PATH; AT_FDCWD for the host */
	uint32_t uid_base;
	pid_t leader; /* 0: it doesn't run */
};

struct cp {
	bool archive;
	const char *root;	    /* of --root */
	const struct place *source; /* what is being copied */
	struct progress progress;
	uint64_t total;
};

/* An argument, cut in pieces. */
struct place {
	struct tree tree;
	const char *text, *path; /* the whole; what follows NAME: */
	int dir_fd;
	char name[NAME_MAX + 1];
	char base[NAME_MAX + 1]; /* what a copy in a directory is called; ".": only its contents */
};

#define PLACE_NULL                                                                                 \
	((struct place){ .text = "", .path = "", .tree = { .root = AT_FDCWD }, .dir_fd = -EBADF })

static int refuse(const struct place *place, int r, const char *what)
{
	char text[PATH_MAX];

	(void)escape_text(text, sizeof(text), place->text, strlen(place->text));
	return log_errno(r, "cp: %s %s%s", what, text,
		r == -EACCES && geteuid() != 0 && place->tree.guest ? " (become root)" : "");
}

/* --- trees --------------------------------------------------------------------------------- */

static int open_root(const char *path, struct tree *tree)
{
	tree->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return tree->root < 0 ? -errno : 0;
}

/* The live root of a running container. */
static int open_live(const char *name, const struct launcher_status *status, struct tree *tree)
{
	char path[sizeof(RUN_DIR) + NAME_MAX_LEN + sizeof("/root") + 1];
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), RUN_DIR "/%s/root", name);
	r = open_root(path, tree);
	if (r == 0 && fstat(tree->root, &st) < 0)
		r = -errno;
	/* A tree that is mapped for its container has the container's own numbers, which are below
	 * every range; in one that was made for it, or for its range, they are the host's. */
	if (r == 0 && status->uid_base > 0 && st.st_uid >= status->uid_base)
		tree->uid_base = status->uid_base;
	tree->leader = status->leader;
	return r;
}

static int open_container(const char *name, struct tree *tree)
{
	_cleanup_(launcher_status_done) struct launcher_status status = LAUNCHER_STATUS_NULL;
	struct container_config config;
	struct stat st;
	int r;

	if (!container_is_known("cp", name))
		return -ENOENT;
	r = launcher_ask(name, &status);
	if (r == 0 || (r != -ENOENT && r != -EACCES)) {
		r = r == 0 ? open_live(name, &status, tree) : r;
		return r < 0 ? log_errno(r, "cp: cannot open the tree of container '%s'", name) : 0;
	}
	r = config_load(name, NULL, &config);
	if (r < 0)
		return r;
	r = open_root(config.root, tree);
	if (r == 0 && config.ownership == OWNERSHIP_OFF && fstat(tree->root, &st) == 0)
		tree->uid_base = st.st_uid; /* as the launcher insists */
	if (r < 0)
		log_errno(r, "cp: cannot open the tree of container '%s'%s", name,
			r == -EACCES ? " (become root)" : "");
	config_done(&config);
	return r;
}

/* Takes NAME: off an argument. */
static int open_tree_of(const struct cp *cp, const char *arg, struct place *place)
{
	const char *colon = strchr(arg, ':'), *slash = strchr(arg, '/');
	char name[NAME_MAX_LEN + 1];
	int r;

	place->text = place->path = arg;
	if (!colon || (slash && slash < colon))
		return 0;
	place->path = colon + 1;
	place->tree.guest = true;
	if (colon == arg) {
		if (!cp->root) {
			log_error(
				"cp: '%s': which container? a ':' in front goes with --root", arg);
			return -EINVAL;
		}
		r = open_root(cp->root, &place->tree);
		return r < 0 ? log_errno(r, "cp: cannot open --root=%s", cp->root) : 0;
	}
	if ((size_t)(colon - arg) > NAME_MAX_LEN) {
		log_error("cp: '%s': that is no container's name; a file is written ./NAME", arg);
		return -EINVAL;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)(colon - arg), arg);
	return open_container(name, &place->tree);
}

static int open_in(const struct tree *tree, const char *path)
{
	int fd;

	if (tree->guest) {
		while (*path == '/')
			path++;
		return sys_openat2(
			tree->root, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE_NAMED);
	}
	fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* --- places in them ------------------------------------------------------------------------ */

/* Opens the directory of a path's last name. */
static int open_parent(struct place *place, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *slash;
	size_t len = strlen(path);

	if (!copy)
		return -ENOMEM;
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	if (strlen(slash ? slash + 1 : copy) > NAME_MAX)
		return -ENAMETOOLONG;
	(void)snprintf(place->name, sizeof(place->name), "%s", slash ? slash + 1 : copy);
	(void)snprintf(place->base, sizeof(place->base), "%s", place->name);
	if (!slash)
		copy[0] = '\0';
	else
		slash[slash == copy] = '\0';
	place->dir_fd = open_in(&place->tree, copy);
	return place->dir_fd < 0 ? place->dir_fd : 0;
}

/* Whether path names a directory by its end: a slash, ".", "..", or nothing. */
static bool names_directory(const char *path)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;

	return !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

static int open_source(struct place *place)
{
	const char *path = place->path;
	const char *slash = strrchr(path, '/');
	int r = open_parent(place, path);

	if (r < 0)
		return r;
	if (!names_directory(path) && *place->name)
		return 0;
	/* DIR/ is DIR itself, should it be a link; "/", "." and ".." mean what is in them */
	if (!*place->name || (slash ? slash[1] : path[0]) == '.')
		(void)snprintf(place->base, sizeof(place->base), ".");
	close_fdp(&place->dir_fd);
	(void)snprintf(place->name, sizeof(place->name), ".");
	place->dir_fd = open_in(&place->tree, path);
	return place->dir_fd < 0 ? place->dir_fd : 0;
}

static bool is_directory(const struct place *place)
{
	struct stat st;

	return fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* A directory that is there gets the copy; anything else is what the copy is called. NEW/ is what
 * the copy of a directory is called, too. */
static int open_target(struct place *place, const struct place *from, bool must_be_directory)
{
	size_t len = strlen(place->path);

	place->dir_fd = open_in(&place->tree, place->path);
	if (place->dir_fd >= 0) {
		(void)snprintf(place->name, sizeof(place->name), "%s", from->base);
		return 0;
	}
	if (!must_be_directory && place->dir_fd == -ENOENT && len > 0 &&
		place->path[len - 1] == '/' && is_directory(from))
		return open_parent(place, place->path);
	if (must_be_directory || names_directory(place->path) ||
		(place->dir_fd != -ENOENT && place->dir_fd != -ENOTDIR && place->dir_fd != -ELOOP))
		return place->dir_fd;
	return open_parent(place, place->path);
}

/* The path of an open directory as the guest knows it. -ENOENT: not to be told. */
static int path_inside(const struct place *place, char *out, size_t size)
{
	char link[40], root[PATH_MAX], dir[PATH_MAX];
	ssize_t n, m;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", place->tree.root);
	n = readlink(link, root, sizeof(root) - 1);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", place->dir_fd);
	m = readlink(link, dir, sizeof(dir) - 1);
	if (n < 0 || m < n || memcmp(root, dir, (size_t)n) != 0)
		return -ENOENT;
	dir[m] = '\0';
	(void)snprintf(out, size, "%s/%s", dir + (n == 1 ? 0 : n),
		strcmp(place->name, ".") == 0 ? "" : place->name);
	return 0;
}

/*
 * In a running container, /tmp and others are mounts that only the guest has: what is below them
 * on disk is not what it sees, so that is refused. A courtesy; what is mounted is the guest's
 * affair.
 */
static int refuse_mounted(const struct place *place)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char mounts[40], path[PATH_MAX * 2], where[PATH_MAX];
	size_t size = 0;

	(void)snprintf(mounts, sizeof(mounts), "/proc/%d/mountinfo", (int)place->tree.leader);
	if (place->tree.leader <= 0 || path_inside(place, path, sizeof(path)) < 0)
		return 0;
	f = fopen(mounts, "re");
	while (f && getline(&line, &size, f) > 0) {
		size_t len;

		if (sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1)
			continue;
		len = strlen(where);
		if (len < 2 || strncmp(path, where, len) != 0 ||
			(path[len] != '/' && path[len] != '\0'))
			continue;
		(void)escape_text(path, sizeof(path), where, len);
		log_error("cp: %s is mounted in the running container, out of reach from here: use "
			  "'narthex exec … cat', or another directory",
			path);
		return -EXDEV;
	}
	return 0;
}

/*
 * Files are replaced, but not what others use on the host: nobody who says /dev/null, or
 * /dev/stdout, which is a link, means that it is to become a file.
 */
static int refuse_special(const struct place *to)
{
	char link[8] = "", text[PATH_MAX];
	struct stat st;

	if (to->tree.guest)
		return 0;
	if (readlinkat(to->dir_fd, to->name, link, sizeof(link) - 1) < 0 ||
		strncmp(link, "/proc/", 6) != 0)
		if (fstatat(to->dir_fd, to->name, &st, 0) < 0 || S_ISREG(st.st_mode) ||
			S_ISDIR(st.st_mode))
			return 0;
	(void)escape_text(text, sizeof(text), to->text, strlen(to->text));
	log_error("cp: %s is a device, FIFO or socket, which a copy would replace: use 'narthex "
		  "exec … cat'",
		text);
	return -EEXIST;
}

/* --- copying ------------------------------------------------------------------------------- */

static int on_progress(void *userdata, uint64_t bytes)
{
	struct cp *cp = userdata;

	progress_show(&cp->progress, bytes, cp->total);
	return interrupt_caught() ? -ECANCELED : 0;
}

static void on_problem(void *userdata, const char *path, int error, const char *what)
{
	struct cp *cp = userdata;
	char text[PATH_MAX], source[PATH_MAX];

	progress_clear(&cp->progress);
	(void)escape_text(text, sizeof(text), path, strlen(path));
	(void)escape_text(source, sizeof(source), cp->source->text, strlen(cp->source->text));
	if (what)
		log_error("cp: %s: '%s' is not copied: %s", source, text, what);
	else
		log_errno(error, "cp: %s: '%s' is not copied", source, text);
}

static int copy_one(struct cp *cp, const struct place *from, const struct place *to)
{
	struct tree_copy copy = {
		.archive = cp->archive,
		.uid = to->tree.guest ? 0 : geteuid(),
		.gid = to->tree.guest ? 0 : getegid(),
		.progress = on_progress,
		.problem = on_problem,
		.userdata = cp,
	};
	struct stat st;
	int r;

	cp->total = 0;
	cp->source = from;
	if (fstatat(from->dir_fd, from->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		cp->total = (uint64_t)st.st_size;
	r = tree_copy(&copy,
		&(struct copy_end){
			.dir_fd = from->dir_fd,
			.name = from->name,
			.guest = from->tree.guest,
			.uid_base = from->tree.uid_base,
		},
		&(struct copy_end){
			.dir_fd = to->dir_fd,
			.name = to->name,
			.guest = to->tree.guest,
			.uid_base = to->tree.uid_base,
		});
	progress_clear(&cp->progress);
	return r;
}

static void close_place(struct place *place)
{
	close_fdp(&place->dir_fd);
	if (place->tree.root >= 0)
		(void)close(place->tree.root);
}

static int copy_argument(struct cp *cp, const char *source, const char *target, bool several)
{
	_cleanup_(close_place) struct place from = PLACE_NULL, to = PLACE_NULL;
	int r = open_tree_of(cp, source, &from);

	if (r == 0)
		r = open_tree_of(cp, target, &to);
	if (r < 0)
		return r;
	if (!from.tree.guest && !to.tree.guest) {
		log_error("cp: neither '%s' nor '%s' is in a container: write NAME:PATH", source,
			target);
		return -EINVAL;
	}
	r = open_source(&from);
	if (r < 0)
		return refuse(&from, r, "cannot open");
	r = open_target(&to, &from, several);
	if (r < 0)
		return refuse(&to, r, "cannot copy to");
	if (refuse_mounted(&from) < 0 || refuse_mounted(&to) < 0)
		return -EXDEV;
	r = refuse_special(&to);
	if (r < 0)
		return r;
	return copy_one(cp, &from, &to);
}

static int on_option(void *userdata, const struct verb_option *option, const char *arg)
{
	struct cp *cp = userdata;

	if (strcmp(option->name, "root") == 0)
		cp->root = arg;
	else
		cp->archive = true;
	return 0;
}

int cmd_cp(const struct verb *verb, int argc, char **argv)
{
	struct cp cp = { .progress = { .what = "copying", .bytes = true } };
	int first, status = verb_parse(verb, argc, argv, on_option, &cp, &first);
	struct rlimit limit;

	if (status >= 0)
		return status;
	if (argc - first < 2)
		return verb_usage(verb);
	/* a level of directories takes two descriptors */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	interrupt_catch();
	status = 0;
	for (int i = first; i < argc - 1 && !interrupt_caught(); i++) {
		int r = copy_argument(&cp, argv[i], argv[argc - 1], argc - first > 2);

		if (r == -EINVAL && status == 0)
			status = STATUS_USAGE;
		else if (r < 0)
			status = STATUS_FAILED;
	}
	interrupt_die(interrupt_caught());
	return status;
}
