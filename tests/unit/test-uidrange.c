/* SPDX-License-Identifier: MIT */

/* Ranges of ids: whose they are, and for how long. */

#include "host-tools/launch/uidrange.h"

#include "scratch.h"

#include "host-tools/launch/state.h"
#include "host-tools/name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>

#define RANGES RUN_DIR "/.uid-ranges"
#define FIRST (UID_RANGE_MIN / UID_RANGE_SIZE)
#define TOTAL ((UID_RANGE_MAX - UID_RANGE_MIN + 1) / UID_RANGE_SIZE)

static size_t fds_before;

static int enter(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	return mount("etc", "/etc", "tmpfs", 0, NULL);
}

static int setup(void **state)
{
	fds_before = count_fds();
	return 0;
}

/* Every test gives back all that it took. */
static int teardown(void **state)
{
	assert_int_equal(count_fds(), fds_before);
	if (exists(RANGES))
		assert_int_equal(count_entries(RANGES), 0);
	(void)unlink("/etc/subuid");
	(void)unlink("/etc/subgid");
	return 0;
}

static struct container_config named(const char *name)
{
	return (struct container_config){ .name = (char *)name };
}

static struct container_config fixed(const char *name, uint32_t base, uint32_t count)
{
	return (struct container_config){
		.name = (char *)name,
		.private_users = PRIVATE_USERS_FIXED,
		.uid_base = base,
		.uid_count = count,
	};
}

static struct uid_range acquire(struct container_config config)
{
	struct uid_range range;

	assert_int_equal(uid_range_acquire(&config, &range), 0);
	return range;
}

static int refused(struct container_config config)
{
	struct uid_range range;
	int r = uid_range_acquire(&config, &range);

	assert_true(r < 0);
	uid_range_release(&range);
	return r;
}

static uint32_t next(uint32_t base)
{
	return (FIRST + (base / UID_RANGE_SIZE - FIRST + 1) % TOTAL) * UID_RANGE_SIZE;
}

static const char *lock_path(uint32_t base)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), RANGES "/%04" PRIx32, base / UID_RANGE_SIZE);
	return path;
}

static void a_name_keeps_its_range(void **state)
{
	struct uid_range range = acquire(named("foo"));
	uint32_t base = range.base;
	struct stat st;

	assert_int_equal(base % UID_RANGE_SIZE, 0);
	assert_in_range(base, UID_RANGE_MIN, UID_RANGE_MAX - UID_RANGE_SIZE + 1);
	assert_int_equal(range.count, UID_RANGE_SIZE);
	assert_file(lock_path(base), "foo");
	assert_int_equal(stat(RANGES, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	uid_range_release(&range);
	assert_int_equal(range.base, 0);
	assert_false(exists(lock_path(base)));
	range = acquire(named("foo"));
	assert_int_equal(range.base, base);
	uid_range_release(&range);
	uid_range_release(&range); /* the null state */
}

static void names_have_different_ranges(void **state)
{
	struct uid_range ranges[200];
	struct container_config config;
	char name[16];

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		(void)snprintf(name, sizeof(name), "c%zu", i);
		config = named(name);
		assert_int_equal(uid_range_acquire(&config, &ranges[i]), 0);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(ranges[i].base, ranges[k].base);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		uid_range_release(&ranges[i]);
}

static void a_collision_goes_to_the_next(void **state)
{
	struct uid_range first = acquire(named("foo")), second = acquire(named("foo")),
			 third = acquire(named("foo"));

	assert_int_equal(second.base, next(first.base));
	assert_int_equal(third.base, next(second.base));
	uid_range_release(&second);
	second = acquire(named("foo"));
	assert_int_equal(second.base, next(first.base));
	uid_range_release(&first);
	uid_range_release(&second);
	uid_range_release(&third);
}

static void the_next_of_the_last_is_the_first(void **state)
{
	struct uid_range last, wrapped;
	char name[16];

	for (unsigned int i = 0;; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		if (name_hash(name) % TOTAL == TOTAL - 1)
			break;
	}
	last = acquire(named(name));
	assert_int_equal(last.base, UID_RANGE_MAX - UID_RANGE_SIZE + 1);
	wrapped = acquire(named(name));
	assert_int_equal(wrapped.base, UID_RANGE_MIN);
	uid_range_release(&last);
	uid_range_release(&wrapped);
}

/* With these lines in file, "foo" gets the range base. */
static void assert_with(const char *file, uint32_t base, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void assert_with(const char *file, uint32_t base, const char *format, ...)
{
	struct uid_range range;
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	put_file(file, text);
	range = acquire(named("foo"));
	if (range.base != base)
		fail_msg("%" PRIu32 " instead of %" PRIu32 " with %s", range.base, base, text);
	uid_range_release(&range);
	assert_int_equal(unlink(file), 0);
}

static void what_users_were_given_is_not_taken(void **state)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	struct uid_range range = acquire(named("foo"));
	const uint32_t base = range.base, after = next(base);

	uid_range_release(&range);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *f = files[i];

		assert_with(f, after, "user:%" PRIu32 ":65536\n", base);
		/* one id is enough, at either end; the neighbours are nobody's business */
		assert_with(f, after, "user:%" PRIu32 ":1\n", base);
		assert_with(f, after, "user:%" PRIu32 ":1", base + 65535);
		assert_with(f, after, "user:%" PRIu32 ":100\n", base - 99);
		assert_with(f, base, "user:%" PRIu32 ":100\n", base - 100);
		assert_with(f, base, "user:%" PRIu32 ":65536\n", base + 65536);
		assert_with(f, after, "# comment\n\na:1:1\nb:%" PRIu32 ":7\n", base + 3);
		assert_with(
			f, next(after), "a:%" PRIu32 ":65536\nb:%" PRIu32 ":65536\n", base, after);
		/* rubbish, and numbers beyond 32 bits */
		assert_with(f, base, "user\nuser:\nuser:x:y\nuser:%" PRIu32 "\n:::\n", base);
		assert_with(f, base, "user:4294967295:65536\nuser:18446744073709551615:1\n%s", "");
	}
}

static void when_all_are_given_away_there_is_none(void **state)
{
	put_file("/etc/subuid", "everybody:0:4294967295\n");
	assert_int_equal(refused(named("foo")), -EUSERS);
}

static void a_fixed_range_is_taken_as_it_is(void **state)
{
	struct uid_range range = acquire(fixed("foo", 1000000, 70000));

	/* it touches 15, 16 times 65536 */
	assert_int_equal(range.base, 1000000);
	assert_int_equal(range.count, 70000);
	assert_int_equal(range.n_locks, 2);
	assert_file(RANGES "/000f", "foo");
	assert_file(RANGES "/0010", "foo");
	uid_range_release(&range);
	/* not even the users' ranges are in the way of what the administrator says */
	put_file("/etc/subuid", "user:1000000:65536\n");
	range = acquire(fixed("foo", 1000000, 65536));
	uid_range_release(&range);
	range = acquire(fixed("foo", 0x100000, 1));
	assert_int_equal(range.n_locks, 1);
	uid_range_release(&range);
}

static void fixed_ranges_do_not_overlap(void **state)
{
	struct uid_range range = acquire(fixed("foo", 0x200000, 0x20000)), other;

	assert_int_equal(refused(fixed("bar", 0x200000, 0x20000)), -EBUSY);
	assert_int_equal(refused(fixed("bar", 0x210000, 1)), -EBUSY);
	/* of a refused one nothing stays locked, not even what was free */
	assert_int_equal(refused(fixed("bar", 0x1f0000, 0x20000)), -EBUSY);
	other = acquire(fixed("baz", 0x1f0000, 0x10000));
	uid_range_release(&other);
	other = acquire(fixed("baz", 0x220000, 0x10000));
	uid_range_release(&other);
	uid_range_release(&range);
	range = acquire(named("foo"));
	assert_int_equal(refused(fixed("bar", range.base + 100, 1)), -EBUSY);
	uid_range_release(&range);
}

static void a_fixed_range_has_a_limit(void **state)
{
	struct uid_range range =
		acquire(fixed("foo", 0x200000, UID_RANGE_LOCKS_MAX * UID_RANGE_SIZE));

	uid_range_release(&range);
	assert_int_equal(
		refused(fixed("foo", 0x200000, UID_RANGE_LOCKS_MAX * UID_RANGE_SIZE + 1)), -E2BIG);
}

static void no_range_when_none_is_wanted(void **state)
{
	struct container_config config = named("foo");
	struct uid_range range;

	config.private_users = PRIVATE_USERS_NO;
	assert_int_equal(uid_range_acquire(&config, &range), 0);
	assert_int_equal(range.base, 0);
	assert_int_equal(range.n_locks, 0);
	uid_range_release(&range);
}

/* A launcher that was killed leaves its file; the lock went with it. */
static void a_stale_file_is_no_lock(void **state)
{
	struct uid_range range = acquire(named("foo"));
	uint32_t base = range.base;

	uid_range_release(&range);
	put_file(lock_path(base), "a-much-longer-name-than-that");
	range = acquire(named("foo"));
	assert_int_equal(range.base, base);
	assert_file(lock_path(base), "foo");
	uid_range_release(&range);
}

static void what_a_crashed_one_left_is_removed_by_name(void **state)
{
	struct uid_range other = acquire(named("other"));

	put_file(RANGES "/0011", "foo");
	put_file(RANGES "/0012", "foo");
	put_file(RANGES "/0013", "foobar");
	uid_range_forget("foo");
	assert_false(exists(RANGES "/0011"));
	assert_false(exists(RANGES "/0012"));
	assert_true(exists(RANGES "/0013"));
	uid_range_forget("foobar");
	/* one that lives keeps its own */
	uid_range_forget("other");
	assert_true(exists(lock_path(other.base)));
	uid_range_release(&other);
}

static void a_link_is_not_locked(void **state)
{
	put_file(SCRATCH "/victim", "old");
	assert_int_equal(symlink(SCRATCH "/victim", RANGES "/0020"), 0);
	assert_int_equal(refused(fixed("foo", 0x200000, 1)), -ELOOP);
	assert_file(SCRATCH "/victim", "old");
	assert_int_equal(unlink(RANGES "/0020"), 0);
}

/* In a user namespace of few ids, as a container's is. */
static int acquire_inside(void)
{
	static const char map[] = "0 0 1\n";
	struct container_config config = named("foo");
	struct uid_range range;
	int fd, r;

	if (unshare(CLONE_NEWUSER) < 0)
		return 100;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return 101;
	(void)close(fd);
	r = uid_range_acquire(&config, &range);
	uid_range_release(&range);
	return -r;
}

static void ids_that_the_host_does_not_have_are_not_taken(void **state)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(acquire_inside());
	assert_int_equal(wait_child(pid), ERANGE);
}

/* Takes one range again and again; *holders counts who has it. */
static int compete(atomic_int *holders)
{
	unsigned int got = 0;

	for (int64_t end = clock_ms() + SCRATCH_DEADLINE_MS; got < 100 && clock_ms() < end;) {
		struct container_config config = fixed("race", 0x300000, 1);
		struct uid_range range;

		if (uid_range_acquire(&config, &range) == 0) {
			if (atomic_fetch_add(holders, 1) != 0)
				return 2;
			got++;
			(void)sched_yield();
			(void)atomic_fetch_sub(holders, 1);
		}
		uid_range_release(&range);
	}
	return got == 100 ? 0 : 3;
}

static void never_two_at_once(void **state)
{
	atomic_int *holders = mmap(
		NULL, sizeof(*holders), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[4];

	assert_true(holders != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			/* refusals are expected, thousands of them */
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

			_exit(dup2(null, STDERR_FILENO) < 0 ? 1 : compete(holders));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		assert_int_equal(wait_child(pids[i]), 0);
	assert_int_equal(munmap(holders, sizeof(*holders)), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_keeps_its_range),
		TEST(names_have_different_ranges),
		TEST(a_collision_goes_to_the_next),
		TEST(the_next_of_the_last_is_the_first),
		TEST(what_users_were_given_is_not_taken),
		TEST(when_all_are_given_away_there_is_none),
		TEST(a_fixed_range_is_taken_as_it_is),
		TEST(fixed_ranges_do_not_overlap),
		TEST(a_fixed_range_has_a_limit),
		TEST(no_range_when_none_is_wanted),
		TEST(a_stale_file_is_no_lock),
		TEST(what_a_crashed_one_left_is_removed_by_name),
		TEST(a_link_is_not_locked),
		TEST(ids_that_the_host_does_not_have_are_not_taken),
		TEST(never_two_at_once),
	};

	return cmocka_run_group_tests_name("uidrange", tests, enter, NULL);
}
