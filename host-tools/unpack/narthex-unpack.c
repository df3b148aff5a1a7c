/* SPDX-License-Identifier: MIT */

/*
 * narthex-unpack: unpacks the tar archive on standard input, compressed or not, into the working
 * directory. For `narthex create --from`, which makes that directory; nobody else runs it.
 *
 * Theory of operation
 *
 * The archive may be hostile, and so may be what it makes libarchive do. Three walls:
 *
 *  - names that are absolute or have ".." in them, also as targets of hard links, are refused here,
 *    and libarchive refuses to go through a symbolic link;
 *  - the process has a mount namespace of its own, in which the working directory is the only place
 *    that can be written to. It is no chroot: there, a file of the archive could pass for one of
 * the C library's (its modules for character sets are loaded late);
 *  - of root's capabilities it keeps those that restoring files takes.
 *
 * Numeric owners count, not names; there is no conversion of names, either (the C locale).
 */

#include "cleanup.h"
#include "escape.h"
#include "log.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define CHUNK_SIZE (128UL * 1024)
#define EXIT_OWN 125
#define WARNINGS_MAX 10

/* After this the working directory is the only thing that can be written to. */
static int confine(void)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
	_cleanup_close_ int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), tree = -EBADF;

	if (here < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	/* of the new namespace's mounts, hence opened again */
	close_fdp(&here);
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	tree = here < 0 ? -1
			: open_tree(here, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 ||
		mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)) < 0 ||
		move_mount(tree, "", here, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
			0 ||
		fchdir(tree) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	static const cap_value_t kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
		CAP_MKNOD, CAP_SETFCAP };
	cap_t caps = cap_init();
	int r = 0;

	if (!caps)
		return -errno;
	if (cap_set_flag(caps, CAP_PERMITTED, (int)ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		cap_set_flag(caps, CAP_EFFECTIVE, (int)ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		cap_set_proc(caps) < 0)
		r = -errno;
	(void)cap_free(caps);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

static const char *shown(const char *text, char *out, size_t size)
{
	(void)escape_text(out, size, text, strlen(text));
	return out;
}

/* NULL: the name stays below the tree. */
static const char *fault_of_name(const char *name)
{
	if (*name == '/')
		return "is absolute";
	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return "leads out of the tree";
		p += len + (p[len] == '/');
	}
	return NULL;
}

static int check_entry(struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	const char *fault = name ? fault_of_name(name) : "can't be read";
	char text[512];

	if (fault) {
		log_error("the archive's file '%s' is refused: its name %s",
			shown(name ?: "", text, sizeof(text)), fault);
		return -EPERM;
	}
	fault = link ? fault_of_name(link) : NULL;
	if (fault) {
		log_error("the archive's hard link to '%s' is refused: that name %s",
			shown(link, text, sizeof(text)), fault);
		return -EPERM;
	}
	return 0;
}

static int report(struct archive *archive, const char *what, struct archive_entry *entry)
{
	const char *name = entry ? archive_entry_pathname(entry) : NULL;
	const char *why = archive_error_string(archive);
	char text[512], why_text[512];

	log_error("cannot %s%s%s%s: %s", what, name ? " '" : "",
		name ? shown(name, text, sizeof(text)) : "", name ? "'" : "",
		shown(why ?: "no reason known", why_text, sizeof(why_text)));
	return -EIO;
}

/* Some metadata could not be set: said, up to a number of times, but no failure. */
static void warn(struct archive *archive, struct archive_entry *entry)
{
	static unsigned warnings;
	const char *why = archive_error_string(archive);
	char name[512], why_text[512];

	if (warnings++ < WARNINGS_MAX)
		log_warning("'%s': %s",
			shown(archive_entry_pathname(entry) ?: "", name, sizeof(name)),
			shown(why ?: "not restored completely", why_text, sizeof(why_text)));
}

static int copy_data(struct archive *in, struct archive *out, struct archive_entry *entry)
{
	const void *block;
	size_t size;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(in, &block, &size, &offset)) == ARCHIVE_OK)
		/* holes stay holes: there is no block for them */
		if (archive_write_data_block(out, block, size, offset) < ARCHIVE_WARN)
			return report(out, "write", entry);
	return r == ARCHIVE_EOF ? 0 : report(in, "read", entry);
}

static int unpack_entry(struct archive *in, struct archive *out, struct archive_entry *entry)
{
	int r = check_entry(entry);

	if (r < 0)
		return r;
	r = archive_write_header(out, entry);
	if (r < ARCHIVE_WARN)
		return report(out, "make", entry);
	if (r == ARCHIVE_WARN)
		warn(out, entry);
	if (archive_entry_size(entry) > 0) {
		r = copy_data(in, out, entry);
		if (r < 0)
			return r;
	}
	r = archive_write_finish_entry(out);
	if (r < ARCHIVE_WARN)
		return report(out, "finish", entry);
	if (r == ARCHIVE_WARN)
		warn(out, entry);
	return 0;
}

static int unpack(struct archive *in, struct archive *out)
{
	struct archive_entry *entry;
	uint64_t n = 0;
	int r;

	if (archive_read_open_fd(in, STDIN_FILENO, CHUNK_SIZE) != ARCHIVE_OK)
		return report(in, "read the archive", NULL);
	while ((r = archive_read_next_header(in, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		r = unpack_entry(in, out, entry);
		if (r < 0)
			return r;
		n++;
	}
	if (r != ARCHIVE_EOF)
		return report(in, "read the archive", NULL);
	if (n == 0) {
		log_error("the archive is empty");
		return -ENODATA;
	}
	/* the modes and times of directories come last */
	if (archive_write_close(out) != ARCHIVE_OK)
		return report(out, "finish", NULL);
	return 0;
}

int main(int argc, char **argv)
{
	struct archive *in = archive_read_new(), *out = archive_write_disk_new();
	int r;

	(void)argv;
	log_init("narthex");
	if (argc != 1) {
		log_error("narthex-unpack is a part of narthex: run 'narthex create --from'");
		return 2;
	}
	(void)umask(0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	r = confine();
	if (r == 0)
		r = drop_capabilities();
	if (r < 0) {
		log_errno(r, "cannot confine the unpacking to the tree");
		return EXIT_OWN;
	}
	if (!in || !out || archive_read_support_filter_all(in) < ARCHIVE_WARN ||
		archive_read_support_format_tar(in) != ARCHIVE_OK ||
		archive_write_disk_set_options(out,
			ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
				ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
				ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
				ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS) != ARCHIVE_OK) {
		log_error("out of memory");
		return EXIT_OWN;
	}
	r = unpack(in, out);
	(void)archive_read_free(in);
	(void)archive_write_free(out);
	return r < 0 ? EXIT_OWN : 0;
}
