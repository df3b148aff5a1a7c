/* SPDX-License-Identifier: MIT */

/* Free pairs of addresses, next to configurations and routes. */

#include "host-tools/ctl/address-pool.h"

#include "scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>

#define CONFS SCRATCH "/confs"

static struct address_pool pool;

static int setup(void **state)
{
	pool = (struct address_pool){};
	assert_int_equal(mkdir(CONFS, 0755), 0);
	return 0;
}

static int teardown(void **state)
{
	pool_done(&pool);
	return system("rm -r " CONFS);
}

static bool taken(const char *text)
{
	struct in_addr address;

	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	return pool_is_taken(&pool, address);
}

static bool assigned(const char *text)
{
	struct in_addr address;

	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	return pool_is_assigned(&pool, address);
}

static void take(const char *text, unsigned prefix)
{
	struct in_addr address;

	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	assert_int_equal(pool_take(&pool, address, prefix), 0);
}

static void picks_the_same_pair_for_a_name(void **state)
{
	struct in_addr host, local, again;

	assert_int_equal(pool_pick(&pool, "foo", &host, &local), 0);
	assert_int_equal(ntohl(host.s_addr) >> 16, 10 << 8 | 231);
	assert_int_equal(ntohl(local.s_addr), ntohl(host.s_addr) + 1);
	assert_int_equal(ntohl(host.s_addr) % 4, 1);
	assert_int_equal(pool_pick(&pool, "foo", &again, &local), 0);
	assert_int_equal(again.s_addr, host.s_addr);
	assert_int_equal(pool_pick(&pool, "bar", &again, &local), 0);
	assert_int_not_equal(again.s_addr, host.s_addr);
}

static void picks_another_when_either_is_taken(void **state)
{
	struct in_addr host, local, other;

	assert_int_equal(pool_pick(&pool, "foo", &host, &local), 0);
	assert_int_equal(pool_take(&pool, host, 32), 0);
	assert_int_equal(pool_pick(&pool, "foo", &other, &local), 0);
	assert_int_equal(ntohl(other.s_addr), ntohl(host.s_addr) + 4);
	assert_int_equal(pool_take(&pool, local, 32), 0);
	assert_int_equal(pool_pick(&pool, "foo", &other, &local), 0);
	assert_int_equal(ntohl(other.s_addr), ntohl(host.s_addr) + 8);
}

static void finds_the_last_free_pair(void **state)
{
	struct in_addr host, local;
	char text[INET_ADDRSTRLEN];

	take("10.231.0.0", 17);
	take("10.231.192.0", 18);
	take("10.231.128.0", 19);
	take("10.231.176.0", 20);
	for (unsigned i = 0; i < 16; i++) {
		(void)snprintf(text, sizeof(text), "10.231.%u.0", 160 + i);
		if (i != 7)
			take(text, 24);
	}
	take("10.231.167.0", 25);
	take("10.231.167.128", 26);
	take("10.231.167.192", 27);
	take("10.231.167.224", 28);
	take("10.231.167.240", 29);
	take("10.231.167.248", 30);
	assert_int_equal(pool_pick(&pool, "foo", &host, &local), 0);
	assert_string_equal(inet_ntoa(host), "10.231.167.253");
	assert_int_equal(pool_take(&pool, local, 32), 0);
	assert_int_equal(pool_pick(&pool, "foo", &host, &local), -EADDRNOTAVAIL);
}

static void reads_configurations(void **state)
{
	put_file(CONFS "/a.conf",
		"[Network]\nHostAddress=10.231.1.1\nLocalAddress = 10.231.1.2/24\n");
	put_file(CONFS "/broken.conf", "Nonsense\n[Network\n[Network]\nHostAddress=10.231.2.1\nX");
	put_file(CONFS "/other.conf", "[Exec]\nHostAddress=10.231.3.1\n[Network]\nPort=10.231.3.2\n"
				      "HostAddress=fd00::1\nLocalAddress=10.231.3.3.3\n"
				      "LocalAddress=10.231.3.4/99\n");
	put_file(CONFS "/c.txt", "[Network]\nHostAddress=10.231.4.1\n");
	assert_int_equal(mkdir(CONFS "/d.conf.d", 0755), 0);
	put_file(CONFS "/d.conf.d/net.conf", "[Network]\nHostAddress=10.231.5.1\n");
	assert_int_equal(mkdir(CONFS "/directory.conf", 0755), 0);
	assert_int_equal(symlink("nowhere", CONFS "/dangling.conf"), 0);
	assert_int_equal(mkfifo(CONFS "/fifo.conf", 0600), 0);
	assert_int_equal(pool_take_configurations(&pool, CONFS), 0);
	assert_true(taken("10.231.1.1"));
	assert_true(taken("10.231.1.2"));
	assert_true(taken("10.231.1.200"));
	assert_true(assigned("10.231.1.2"));
	assert_false(assigned("10.231.1.200"));
	assert_true(taken("10.231.2.1"));
	assert_false(taken("10.231.2.2"));
	assert_false(taken("10.231.3.1"));
	assert_false(taken("10.231.3.2"));
	assert_false(taken("10.231.3.3"));
	assert_false(taken("10.231.3.4"));
	assert_false(taken("10.231.4.1"));
	assert_true(taken("10.231.5.1"));
	assert_int_equal(pool_take_configurations(&pool, CONFS "/none"), 0);
}

static void reads_routes(void **state)
{
	put_file(SCRATCH "/routes", "Iface\tDestination\tGateway "
				    "\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
				    "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
				    "c-foo\t0207E70A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
				    "br0\t0008E70A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
	assert_int_equal(pool_take_host(&pool, SCRATCH "/routes"), 0);
	assert_false(taken("192.0.2.1")); /* the default route takes nothing */
	assert_true(taken("10.231.7.2"));
	assert_false(taken("10.231.7.1"));
	assert_true(taken("10.231.8.0"));
	assert_true(taken("10.231.8.255"));
	assert_false(taken("10.231.9.0"));
	assert_int_equal(unlink(SCRATCH "/routes"), 0);
}

/* This test has a network of its own. */
static void reads_what_the_kernel_has(void **state)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in *address = (struct sockaddr_in *)(void *)&request.ifr_addr;

	assert_int_equal(ioctl(sock, SIOCSIFFLAGS, &request), 0);
	*address = (struct sockaddr_in){ .sin_family = AF_INET };
	assert_int_equal(inet_pton(AF_INET, "10.231.77.1", &address->sin_addr), 1);
	assert_int_equal(ioctl(sock, SIOCSIFADDR, &request), 0);
	assert_int_equal(pool_take_host(&pool, "/proc/net/route"), 0);
	assert_true(taken("10.231.77.1"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(picks_the_same_pair_for_a_name),
		TEST(picks_another_when_either_is_taken),
		TEST(finds_the_last_free_pair),
		TEST(reads_configurations),
		TEST(reads_routes),
		TEST(reads_what_the_kernel_has),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
