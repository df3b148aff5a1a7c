/* SPDX-License-Identifier: MIT */

/*
 * narthex-unpack: unpacks the tar archive on standard input, compressed or not, into the working
 * directory. For `narthex create --from`, which makes that directory; nobody else runs it.
 *
 * Theory of operation
 *
 * The archive may be hostile, and so may be what it makes libarchive do. Three walls:
 *
 *  - names that are absolute or have ".." in them, also as targets of hard links, are refused
 *    (unpack.c), and libarchive refuses to go through a symbolic link;
 *  - the process has a mount namespace of its own, in which the working directory is the only place
 *    that can be written to. It is no chroot: there, a file of the archive could pass for one of
 * the C library's (its modules for character sets are loaded late);
 *  - of root's capabilities it keeps those that restoring files takes.
 *
 * Numeric owners count, not names; there is no conversion of names, either (the C locale).
 */

#include "unpack.h"

#include "cleanup.h"
#include "kernel.h"
#include "log.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define CHUNK_SIZE (128UL * 1024)
#define EXIT_OWN 125

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

int main(int argc, char **argv)
{
	struct archive *in = archive_read_new(), *out = archive_write_disk_new();
	const char *call, *since;
	int r;

	(void)argv;
	log_init("narthex");
	if (argc != 1) {
		log_error("narthex-unpack is a part of narthex: run 'narthex create --from'");
		return 2;
	}
	if (!kernel_has(KERNEL_MOUNTS, &call, &since)) {
		log_error("this kernel has no %s: Linux %s is needed", call, since);
		return EXIT_OWN;
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
	if (!in || !out || archive_read_support_filter_all(in) < ARCHIVE_WARN)
		r = log_errno(-ENOMEM, "cannot unpack");
	else if (archive_read_support_format_tar(in) != ARCHIVE_OK ||
		 archive_read_open_fd(in, STDIN_FILENO, CHUNK_SIZE) != ARCHIVE_OK)
		r = unpack_report(in, "read the archive", NULL);
	else
		r = unpack(in, out);
	(void)archive_read_free(in);
	(void)archive_write_free(out);
	return r < 0 ? EXIT_OWN : 0;
}
