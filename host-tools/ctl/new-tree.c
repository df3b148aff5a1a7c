/* SPDX-License-Identifier: MIT */
#include "new-tree.h"

#include "../config/config.h"
#include "../program.h"
#include "child.h"
#include "cleanup.h"
#include "log.h"
#include "progress.h"
#include "tree-remove.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* What a container needs to have its doors (narthex(1)). */
#define PACKAGES "systemd,systemd-sysv,dbus,login"

static int open_containers(void)
{
	int fd;

	/* 0700: files of guests that are setuid must not be in reach of the host's users */
	(void)mkdir("/var/lib", 0755);
	if (mkdir(CONTAINERS_DIR, 0700) < 0 && errno != EEXIST)
		return log_errno(-errno, "create: cannot make %s", CONTAINERS_DIR);
	fd = open(CONTAINERS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? log_errno(-errno, "create: cannot open %s", CONTAINERS_DIR) : fd;
}

static int remove_temporary(const struct new_tree *tree)
{
	struct tree_removal removal = {};
	int r = tree_remove(tree->parent_fd, tree->temporary, &removal);

	if (r < 0 && r != -ENOENT)
		return log_errno(r, "create: cannot remove %s/%s/%s", CONTAINERS_DIR,
			tree->temporary, removal.failed);
	return 0;
}

/* 1: made and locked; 0: try again. */
static int try_make(struct new_tree *tree)
{
	bool made = mkdirat(tree->parent_fd, tree->temporary, 0755) == 0;
	struct stat st;

	if (!made && errno != EEXIST)
		return log_errno(
			-errno, "create: cannot make %s/%s", CONTAINERS_DIR, tree->temporary);
	close_fdp(&tree->fd);
	tree->fd = openat(
		tree->parent_fd, tree->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree->fd < 0)
		return errno == ENOENT ? 0
				       : log_errno(-errno, "create: cannot open %s/%s",
						 CONTAINERS_DIR, tree->temporary);
	/* the lock dies with its owner, and then what lies there is nobody's */
	if (flock(tree->fd, LOCK_EX | LOCK_NB) < 0) {
		close_fdp(&tree->fd);
		log_error("create: container '%s' is just being created", tree->name);
		return -EBUSY;
	}
	if (fstat(tree->fd, &st) < 0 || st.st_nlink == 0)
		return 0; /* removed between our open and our lock */
	if (made)
		return 1;
	return remove_temporary(tree);
}

int new_tree_begin(const char *name, struct new_tree *ret)
{
	struct new_tree tree = NEW_TREE_NULL;
	struct stat st;
	int r = 0;

	tree.name = name;
	(void)snprintf(tree.temporary, sizeof(tree.temporary), ".create-%s", name);
	tree.parent_fd = open_containers();
	if (tree.parent_fd < 0)
		return tree.parent_fd;
	if (fstatat(tree.parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		log_error("create: %s/%s is there already: use it with --root, or destroy it",
			CONTAINERS_DIR, name);
		r = -EEXIST;
	}
	while (r == 0)
		r = try_make(&tree);
	/* whatever the umask is */
	if (r > 0 && fchmod(tree.fd, 0755) < 0)
		r = log_errno(-errno, "create: cannot set the mode of the tree");
	if (r < 0) {
		close_fdp(&tree.fd);
		close_fdp(&tree.parent_fd);
		return r;
	}
	*ret = tree;
	return 0;
}

struct unpacking {
	struct progress progress;
	int archive_fd;
	uint64_t size;
};

/* The child reads from the same open file: its position is ours. */
static void show_unpacking(void *userdata)
{
	struct unpacking *unpacking = userdata;
	off_t at = lseek(unpacking->archive_fd, 0, SEEK_CUR);

	if (at >= 0)
		progress_show(&unpacking->progress, (uint64_t)at, unpacking->size);
}

int new_tree_unpack(struct new_tree *tree, const char *archive)
{
	_cleanup_close_ int fd = open(archive, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *program = NULL;
	struct unpacking unpacking = { .progress = { .what = "unpacking", .bytes = true } };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return log_errno(-errno, "create: cannot read %s", archive);
	if (S_ISDIR(st.st_mode)) {
		log_error("create: %s is a directory, not an archive: use it with --root", archive);
		return -EISDIR;
	}
	unpacking.archive_fd = fd;
	unpacking.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	r = program_find("narthex-unpack", &program);
	if (r < 0)
		return log_errno(r, "create: cannot find narthex-unpack");
	r = child_run(&(struct child){
		.argv = (char *[]){ program, NULL },
		.stdin_fd = fd,
		.cwd_fd = tree->fd,
		.progress = show_unpacking,
		.userdata = &unpacking,
	});
	progress_clear(&unpacking.progress);
	if (r == -EINTR)
		return r;
	if (r < 0)
		return log_errno(r, "create: cannot run %s", program);
	if (r > 0)
		log_error("create: cannot unpack %s", archive);
	return r > 0 ? -EIO : 0;
}

/* Their options are alike. Returns as child_run(). */
static int bootstrap_with(
	struct new_tree *tree, const char *program, const char *suite, const char *mirror)
{
	char target[sizeof(CONTAINERS_DIR) + sizeof(tree->temporary) + 1];
	const char *argv[10];
	size_t n = 0;

	(void)snprintf(target, sizeof(target), CONTAINERS_DIR "/%s", tree->temporary);
	argv[n++] = program;
	argv[n++] = "--variant=minbase";
	argv[n++] = "--include=" PACKAGES;
	if (strcmp(program, "mmdebstrap") == 0) {
		argv[n++] = "--mode=root";
		argv[n++] = "--format=directory";
		/* its progress bars and notes are for terminals */
		if (!isatty(STDERR_FILENO))
			argv[n++] = "--quiet";
	}
	argv[n++] = suite;
	argv[n++] = target;
	argv[n++] = mirror;
	argv[n] = NULL;
	return child_run(&(struct child){
		.argv = (char *const *)argv,
		.stdin_fd = -EBADF,
		.cwd_fd = -EBADF,
	});
}

int new_tree_bootstrap(struct new_tree *tree, const char *suite, const char *mirror)
{
	static const char *const programs[] = { "mmdebstrap", "debootstrap" };
	int r = -ENOENT;

	/* they would take it for an option */
	if (*suite == '-' || (mirror && *mirror == '-')) {
		log_error("create: '%s' is no name of a suite or mirror",
			*suite == '-' ? suite : mirror);
		return -EINVAL;
	}
	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(programs); i++) {
		r = bootstrap_with(tree, programs[i], suite, mirror);
		if (r > 0)
			log_error("create: %s failed (status %d)", programs[i], r);
		else if (r < 0 && r != -ENOENT && r != -EINTR)
			log_errno(r, "create: cannot run %s", programs[i]);
	}
	if (r == -ENOENT)
		log_error(
			"create: --bootstrap needs mmdebstrap or debootstrap: install one of them");
	return r > 0 ? -EIO : r;
}

int new_tree_publish(struct new_tree *tree)
{
	if (renameat2(tree->parent_fd, tree->temporary, tree->parent_fd, tree->name,
		    RENAME_NOREPLACE) < 0)
		return log_errno(
			-errno, "create: cannot give %s/%s its name", CONTAINERS_DIR, tree->name);
	tree->published = true;
	return 0;
}

void new_tree_end(struct new_tree *tree, bool keep)
{
	if (tree->fd >= 0 && !keep) {
		if (tree->published)
			(void)renameat2(tree->parent_fd, tree->name, tree->parent_fd,
				tree->temporary, RENAME_NOREPLACE);
		(void)remove_temporary(tree);
	}
	close_fdp(&tree->fd);
	close_fdp(&tree->parent_fd);
}
