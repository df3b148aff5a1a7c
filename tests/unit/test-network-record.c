/* SPDX-License-Identifier: MIT */

/* What an interface was, as a file: there and back, and everything that isn't one. */

#include "host-tools/network/network-record.h"

#include "scratch.h"

#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>

#define PRIVATE "/run/narthex/foo/private"
#define FILE_ "link-lan"
#define ADDRESSES 200

static int dir = -EBADF;
static size_t fds_before;

static int setup(void **state)
{
	(void)mkdir("/run/narthex", 0755);
	(void)mkdir("/run/narthex/foo", 0755);
	if (mkdir(PRIVATE, 0700) < 0)
		return -1;
	dir = record_open_directory("foo");
	fds_before = count_fds();
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	assert_int_equal(count_fds(), fds_before);
	close_fdp(&dir);
	(void)unlink(PRIVATE "/" FILE_);
	(void)unlink(PRIVATE "/link-else");
	return rmdir(PRIVATE); /* nothing else was made */
}

/* Every field has something in it. */
static void fill(struct record *ret)
{
	*ret = (struct record){
		.link = { .link = { .index = 7,
				  .name = "enp3s0",
				  .kind = "bridge",
				  .alias = "the wire",
				  .mac = { 2, 0, 0, 0, 0, 1 },
				  .master = 3,
				  .mtu = 9000,
				  .flags = IFF_UP },
			.permanent_mac = { 2, 0, 0, 0, 0, 2 },
			.altnames = { "one", "two" },
			.n_altnames = 2 },
		.master = "br0",
		.guest = "lan",
		.inside_index = 12,
		.addresses_size = ADDRESSES,
		.addresses = calloc(1, ADDRESSES),
	};
	assert_non_null(ret->addresses);
	for (size_t i = 0; i < ADDRESSES; i++)
		((uint8_t *)ret->addresses)[i] = (uint8_t)i;
}

static void assert_same(const struct record *a, const struct record *b)
{
	assert_memory_equal(&a->link, &b->link, sizeof(a->link));
	assert_string_equal(a->master, b->master);
	assert_string_equal(a->guest, b->guest);
	assert_int_equal(a->inside_index, b->inside_index);
	assert_int_equal(a->addresses_size, b->addresses_size);
	if (a->addresses_size > 0)
		assert_memory_equal(a->addresses, b->addresses, a->addresses_size);
}

static void there_and_back(void **state)
{
	struct record record, got = {};
	struct stat st;

	fill(&record);
	assert_int_equal(record_write(dir, &record), 0);
	assert_int_equal(stat(PRIVATE "/" FILE_, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(count_entries(PRIVATE), 1);
	assert_int_equal(record_read(dir, FILE_, &got), 0);
	assert_same(&got, &record);
	record_done(&got);
	record_done(&got);
	/* without addresses, over the one before */
	record_done(&record);
	assert_int_equal(record_write(dir, &record), 0);
	assert_int_equal(record_read(dir, FILE_, &got), 0);
	assert_same(&got, &record);
	record_done(&got);
	assert_int_equal(record_remove(dir, "lan"), 0);
	assert_int_equal(record_remove(dir, "lan"), -ENOENT);
	assert_int_equal(record_read(dir, FILE_, &got), -ENOENT);
}

/* Writes a record, and then other bytes into its file. ret: what stood there. */
static size_t write_bytes(uint8_t *ret, size_t size)
{
	struct record record;
	ssize_t n;
	int fd;

	fill(&record);
	assert_int_equal(record_write(dir, &record), 0);
	record_done(&record);
	fd = openat(dir, FILE_, O_RDONLY | O_CLOEXEC);
	n = read(fd, ret, size);
	(void)close(fd);
	assert_int_equal(n, sizeof(record) + ADDRESSES);
	return (size_t)n;
}

static void put_bytes(const void *bytes, size_t n)
{
	int fd = openat(dir, FILE_, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bytes, n), n);
	(void)close(fd);
}

/* One that isn't read leaves nothing to free, and what the caller has as it was. */
static void assert_refused(int error)
{
	struct record got = { .inside_index = 42 };

	assert_int_equal(record_read(dir, FILE_, &got), error);
	assert_int_equal(got.inside_index, 42);
	assert_null(got.addresses);
}

static void one_that_is_cut_anywhere(void **state)
{
	uint8_t bytes[sizeof(struct record) + ADDRESSES];
	size_t n = write_bytes(bytes, sizeof(bytes));

	for (size_t cut = 0; cut < n; cut += cut < sizeof(struct record) - 8 ? 97 : 1) {
		put_bytes(bytes, cut);
		assert_refused(-EBADMSG);
	}
}

static void one_that_is_longer_than_it_says(void **state)
{
	uint8_t bytes[sizeof(struct record) + ADDRESSES + 1] = {};
	struct record got = {};

	(void)write_bytes(bytes, sizeof(bytes));
	put_bytes(bytes, sizeof(bytes));
	assert_refused(-EBADMSG);
	put_bytes(bytes, sizeof(bytes) - 1);
	assert_int_equal(record_read(dir, FILE_, &got), 0);
	record_done(&got);
}

/* A launcher before an update, or after one: whoever cleans up must not guess. */
static void one_of_another_version(void **state)
{
	uint8_t bytes[sizeof(struct record) + ADDRESSES];
	struct record head;
	size_t n = write_bytes(bytes, sizeof(bytes));

	memcpy(&head, bytes, sizeof(head));
	head.version++;
	memcpy(bytes, &head, sizeof(head));
	put_bytes(bytes, n);
	assert_refused(-EBADMSG);
	head.version--;
	head.size += 8;
	memcpy(bytes, &head, sizeof(head));
	put_bytes(bytes, n);
	assert_refused(-EBADMSG);
}

static void one_that_promises_more_than_memory(void **state)
{
	uint8_t bytes[sizeof(struct record) + ADDRESSES];
	struct record head;
	size_t n = write_bytes(bytes, sizeof(bytes));

	memcpy(&head, bytes, sizeof(head));
	head.addresses_size = UINT32_MAX;
	memcpy(bytes, &head, sizeof(head));
	put_bytes(bytes, n);
	assert_refused(-EBADMSG);
}

static void garbage(void **state)
{
	uint8_t bytes[sizeof(struct record) + ADDRESSES];

	for (int i = 0; i < 50; i++) {
		assert_int_equal(getrandom(bytes, sizeof(bytes), 0), sizeof(bytes));
		put_bytes(bytes, sizeof(bytes));
		assert_refused(-EBADMSG);
	}
}

static void one_that_is_too_long(void **state)
{
	static uint8_t bytes[sizeof(struct record) + 256 * 1024 + 1];

	put_bytes(bytes, sizeof(bytes));
	assert_true(record_read(dir, FILE_, &(struct record){}) < 0);
}

static void one_that_is_no_file(void **state)
{
	assert_int_equal(symlinkat("/etc/passwd", dir, FILE_), 0);
	assert_refused(-ELOOP);
}

/* All of it or nothing: a directory that takes no more files. */
static void one_that_can_not_be_written(void **state)
{
	struct record record, got = {};
	int none = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fill(&record);
	assert_true(record_write(none, &record) < 0);
	(void)close(none);
	/* the one that is there stays */
	assert_int_equal(record_write(dir, &record), 0);
	assert_int_equal(mkdirat(dir, "record.new", 0700), 0);
	assert_int_equal(record_write(dir, &record), -EISDIR);
	assert_int_equal(record_read(dir, FILE_, &got), 0);
	assert_same(&got, &record);
	record_done(&got);
	record_done(&record);
	assert_int_equal(unlinkat(dir, "record.new", AT_REMOVEDIR), 0);
	/* one that is written, and can't get its name */
	assert_int_equal(record_remove(dir, "lan"), 0);
	assert_int_equal(mkdirat(dir, FILE_, 0700), 0);
	fill(&record);
	assert_true(record_write(dir, &record) < 0);
	record_done(&record);
	assert_int_equal(unlinkat(dir, FILE_, AT_REMOVEDIR), 0);
	assert_int_equal(count_entries(PRIVATE), 0);
}

static void names_of_files(void **state)
{
	assert_true(record_is_name("link-lan"));
	assert_false(record_is_name("netns"));
	assert_false(record_is_name("record.new"));
	assert_int_equal(record_open_directory("bar"), -ENOENT);
}

/* Whose an interface is that isn't on the host; what can't be read is nobody's. */
static void who_has_it(void **state)
{
	char owner[NAME_MAX_LEN + 1];
	struct record record;

	assert_false(record_find_owner("enp3s0", owner));
	put_file(PRIVATE "/link-else", "garbage");
	fill(&record);
	assert_int_equal(record_write(dir, &record), 0);
	record_done(&record);
	assert_true(record_find_owner("enp3s0", owner));
	assert_string_equal(owner, "foo");
	assert_false(record_find_owner("lan", owner));
}

/* --- an interface of the kernel's --------------------------------------------------------------
 */

static void add_address(struct netlink *nl, int index, uint32_t address)
{
	struct ifaddrmsg header = {
		.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = (uint32_t)index
	};

	netlink_begin(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), "add");
	netlink_put_u32(nl, IFA_LOCAL, htonl(address));
	assert_int_equal(netlink_commit(nl, NULL, NULL), 0);
}

static int make_bridge(struct netlink *nl, const char *name)
{
	struct ifinfomsg header = {};
	struct nlattr *nest;

	netlink_begin(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), "make");
	netlink_put_string(nl, IFLA_IFNAME, name);
	nest = netlink_nest(nl, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(nl, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(nl, nest);
	assert_int_equal(netlink_commit(nl, NULL, NULL), 0);
	return netlink_index(nl, name);
}

static void is_taken_down_from_the_kernel(void **state)
{
	struct netlink nl = {};
	struct record record = {}, got = {};
	struct ifinfomsg header = {};
	struct nlattr *list;
	int other;

	assert_int_equal(netlink_open(&nl, -1), 0);
	other = make_bridge(&nl, "other");
	header.ifi_index = make_bridge(&nl, "wire");
	netlink_begin(
		&nl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header), "name");
	list = netlink_nest(&nl, IFLA_PROP_LIST, NULL, 0);
	netlink_put_string(&nl, IFLA_ALT_IFNAME, "a-name-that-is-longer-than-others");
	netlink_nest_end(&nl, list);
	assert_int_equal(netlink_commit(&nl, NULL, NULL), 0);
	add_address(&nl, header.ifi_index, 0x0ae70701);
	add_address(&nl, header.ifi_index, 0x0ae70801);
	add_address(&nl, other, 0x0ae70901);

	assert_int_equal(record_take_link(&nl, header.ifi_index, &record.link), 0);
	assert_string_equal(record.link.link.name, "wire");
	assert_string_equal(record.link.link.kind, "bridge");
	assert_int_equal(record.link.n_altnames, 1);
	assert_string_equal(record.link.altnames[0], "a-name-that-is-longer-than-others");
	assert_int_equal(record_take_link(&nl, 9999, &got.link), -ENODEV);

	/* its own two and no other's */
	assert_int_equal(record_take_addresses(&nl, &record), 0);
	memcpy(record.guest, "lan", 4);
	assert_int_equal(record_write(dir, &record), 0);
	assert_int_equal(record_read(dir, FILE_, &got), 0);
	assert_same(&got, &record);
	{
		const struct nlmsghdr *message = got.addresses;
		int left = (int)got.addresses_size, n = 0;

		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			const struct ifaddrmsg *a = mnl_nlmsg_get_payload(message);

			assert_int_equal(a->ifa_index, header.ifi_index);
			n++;
		}
		assert_int_equal(n, 2);
	}
	record_done(&got);
	record_done(&record);
	netlink_close(&nl);
}

#define RECORD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORD(there_and_back),
		RECORD(one_that_is_cut_anywhere),
		RECORD(one_that_is_longer_than_it_says),
		RECORD(one_of_another_version),
		RECORD(one_that_promises_more_than_memory),
		RECORD(garbage),
		RECORD(one_that_is_too_long),
		RECORD(one_that_is_no_file),
		RECORD(one_that_can_not_be_written),
		RECORD(names_of_files),
		RECORD(who_has_it),
		RECORD(is_taken_down_from_the_kernel),
	};

	log_init("test-network-record");
	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
