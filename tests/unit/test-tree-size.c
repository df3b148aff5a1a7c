/* SPDX-License-Identifier: MIT */
#include "host-tools/ctl/tree-size.h"

#include "cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PLENTY 60000

static char dir[] = "/tmp/test-tree-size-XXXXXX";
static int top = -EBADF;

static int setup(void **state)
{
	/* a tmpfs counts the same everywhere: whole pages of data, nothing for directories */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		!mkdtemp(dir) || mount("none", dir, "tmpfs", 0, NULL) < 0)
		return -1;
	top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return top < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close_fdp(&top);
	return umount2(dir, MNT_DETACH) < 0 || rmdir(dir) < 0 ? -1 : 0;
}

static void make_file(const char *name, size_t size)
{
	static const char data[65536];
	_cleanup_close_ int fd = openat(top, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t done = 0; done < size; done += sizeof(data))
		assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
}

static uint64_t measure(void)
{
	uint64_t size = 1;

	assert_int_equal(tree_size(top, PLENTY, &size), 0);
	return size;
}

static void test_blocks(void **state)
{
	uint64_t before = measure();

	make_file("a", 65536);
	assert_int_equal(measure(), before + 65536);
	assert_return_code(mkdirat(top, "d", 0700), errno);
	make_file("d/b", 131072);
	assert_int_equal(measure(), before + 3 * 65536);
	/* a hole is nothing, a second name neither, a link leads nowhere */
	make_file("hole", 0);
	{
		_cleanup_close_ int fd = openat(top, "hole", O_WRONLY | O_CLOEXEC);

		assert_return_code(ftruncate(fd, 1 << 30), errno);
	}
	assert_return_code(linkat(top, "a", top, "d/again", 0), errno);
	assert_return_code(symlinkat("/usr", top, "link"), errno);
	assert_return_code(symlinkat(".", top, "d/loop"), errno);
	assert_return_code(mkfifoat(top, "fifo", 0600), errno);
	assert_in_range(measure(), before + 3 * 65536, before + 3 * 65536 + 3 * 4096);
}

static void test_many_names(void **state)
{
	char name[32];
	uint64_t before;

	assert_return_code(mkdirat(top, "many", 0700), errno);
	before = measure();
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "many/%d", i);
		make_file(name, i % 30 == 0 ? 65536 : 0);
		(void)snprintf(name, sizeof(name), "many/%d-too", i);
		char old[32];

		(void)snprintf(old, sizeof(old), "many/%d", i);
		assert_return_code(linkat(top, old, top, name, 0), errno);
	}
	assert_int_equal(measure(), before + 100 * 65536);
}

static void test_other_mounts(void **state)
{
	uint64_t before;
	char path[128];

	assert_return_code(mkdirat(top, "mnt", 0700), errno);
	before = measure();
	(void)snprintf(path, sizeof(path), "%s/mnt", dir);
	assert_return_code(mount("none", path, "tmpfs", 0, NULL), errno);
	make_file("mnt/big", 1 << 20);
	assert_int_equal(measure(), before);
	/* a bind of the same file system is another mount, too */
	assert_return_code(umount(path), errno);
	assert_return_code(mount(dir, path, NULL, MS_BIND, NULL), errno);
	assert_int_equal(measure(), before);
	assert_return_code(umount(path), errno);
}

static void test_deep(void **state)
{
	_cleanup_close_ int at = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t size;

	for (int i = 0; i < 300; i++) {
		int next;

		assert_return_code(mkdirat(at, "deep", 0700), errno);
		next = openat(at, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close_fdp(&at);
		at = next;
	}
	assert_int_equal(tree_size(top, PLENTY, &size), -ELOOP);
}

static void test_deadline(void **state)
{
	_cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t size;

	assert_int_equal(tree_size(fd, 0, &size), -ETIME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_other_mounts),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
