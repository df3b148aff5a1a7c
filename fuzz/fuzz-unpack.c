/* SPDX-License-Identifier: MIT */

/*
 * A tar archive, unpacked into a directory whose parent has a file that nothing may touch. What is
 * in libarchive is not instrumented: this is about the checks around it. Compression is left out: a
 * few bytes could become gigabytes.
 */

#include "fuzz.h"
#include "host-tools/unpack/unpack.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024UL * 1024)

static char home[] = "/tmp/fuzz-unpack-XXXXXX";
static struct stat canary;
static int tree = -1, before = -1; /* directories */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type;
	if (ftw->level > 0)
		MUST(remove(path) == 0);
	return 0;
}

static void remove_all(const char *directory)
{
	(void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void leave(void)
{
	remove_all(home);
	(void)rmdir(home);
}

static void begin(void)
{
	struct rlimit limit = { FILE_MAX, FILE_MAX };
	int fd;

	before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(before >= 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)umask(0);
	MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	MUST(mkdtemp(home) && atexit(leave) == 0);
	MUST(chdir(home) == 0 && mkdir("tree", 0755) == 0);
	fd = open("canary", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	MUST(fd >= 0 && write(fd, "sing", 4) == 4 && close(fd) == 0);
	MUST(lstat("canary", &canary) == 0);
	tree = open("tree", O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(tree >= 0 && fchdir(before) == 0);
}

static size_t n_entries;

static int count_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path, (void)st, (void)type;
	n_entries += ftw->level == 1;
	return 0;
}

/* Outside are "tree" and the canary, as they were. */
static void check_outside(void)
{
	struct stat st;

	n_entries = 0;
	MUST(nftw(home, count_entry, 16, FTW_PHYS | FTW_MOUNT) == 0 && n_entries == 2);
	MUST(lstat("../canary", &st) == 0);
	MUST(memcmp(&st, &canary, sizeof(st)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct archive *in = archive_read_new(), *out = archive_write_disk_new();

	if (tree < 0)
		begin();
	MUST(in && out && archive_read_support_format_tar(in) == ARCHIVE_OK && fchdir(tree) == 0);
	if (archive_read_open_memory(in, data, size) == ARCHIVE_OK)
		(void)unpack(in, out);
	(void)archive_read_free(in);
	(void)archive_write_free(out);
	check_outside();
	remove_all(".");
	MUST(fchdir(before) == 0);
	return 0;
}
