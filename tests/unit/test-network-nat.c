/* SPDX-License-Identifier: MIT */

/* The rules as text, and put into a network namespace of the test's own. Needs root. */

#include "host-tools/network/network-nat.h"

#include "cleanup.h"
#include "log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

static void configure(struct container_config *config, const char *const *lines)
{
	assert_int_equal(config_default("web", config), 0);
	for (; *lines; lines++) {
		_cleanup_free_ char *key = strdup(*lines);
		char *value = strchr(key, '=');

		*value++ = '\0';
		assert_int_equal(config_set(config, "test", "Network", key, value), 0);
	}
	assert_int_equal(config_check(config, "test"), 0);
}

static char *rules_of(const char *const *lines, const struct nat_host *host)
{
	struct container_config config;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	configure(&config, lines);
	nat_write_rules(f, &config, host);
	assert_int_equal(fclose(f), 0);
	config_done(&config);
	return text;
}

#define RULES(host, ...) rules_of((const char *const[]){ __VA_ARGS__, NULL }, host)
#define ROUTED "HostAddress=10.9.0.1", "LocalAddress=10.9.0.2"
#define ROUTED6 "HostAddress6=fd09::1", "LocalAddress6=fd09::2"

static void address(struct config_address *ret, int family, const char *text)
{
	ret->family = family;
	assert_int_equal(inet_pton(family, text, &ret->v6), 1);
}

static struct nat_host both(void)
{
	struct nat_host host = {};

	address(&host.source4, AF_INET, "10.9.0.1");
	address(&host.source6, AF_INET6, "fd09::1");
	return host;
}

static void has(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("not in the rules: %s\n%s", wanted, text);
}

static void has_not(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted))
		fail_msg("in the rules: %s\n%s", unwanted, text);
}

static void without_ports_the_table_goes(void **state)
{
	struct nat_host host = {};
	_cleanup_free_ char *text = RULES(&host, ROUTED);

	assert_string_equal(text, "table inet narthex-web\ndelete table inet narthex-web\n");
}

static void port_of_both_families(void **state)
{
	struct nat_host host = both();
	_cleanup_free_ char *text = RULES(&host, ROUTED, ROUTED6, "Port=8080:80");

	has(text, "fib daddr type local meta nfproto ipv4 tcp dport 8080 dnat ip to 10.9.0.2:80\n");
	has(text, "meta nfproto ipv6 tcp dport 8080 dnat ip6 to [fd09::2]:80\n");
	has(text, "ip saddr 127.0.0.1 ip daddr 127.0.0.0/8 tcp dport 8080 ip saddr set 10.9.0.1\n");
	has(text, "ip6 saddr ::1 ip6 daddr ::1 tcp dport 8080 ip6 saddr set fd09::1\n");
	has(text, "ip saddr != 127.0.0.0/8 tcp dport 8080 dnat");
	has(text, "iifname \"c-web\" ct status dnat ip saddr 127.0.0.0/8 ip daddr 10.9.0.1 ip "
		  "daddr set "
		  "127.0.0.1\n");
	has_not(text, "udp");
	has_not(text, "chain forward");
}

static void port_of_an_address(void **state)
{
	struct nat_host host = both();
	_cleanup_free_ char *text =
		RULES(&host, ROUTED, ROUTED6, "Port=udp:192.0.2.1:53", "Port=[::1]:8080:80");

	has(text, "ip daddr 192.0.2.1 udp dport 53 dnat ip to 10.9.0.2:53\n");
	has(text, "ip6 daddr ::1 tcp dport 8080 dnat ip6 to [fd09::2]:80\n");
	has(text, "ip6 daddr ::1 ip6 daddr ::1 tcp dport 8080 ip6 saddr set fd09::1\n");
	has_not(text, "dport 8080 dnat ip to");
	has_not(text, "udp dport 53 ip saddr set");
}

static void port_of_an_interface(void **state)
{
	struct nat_host host = both();
	_cleanup_free_ char *text = RULES(&host, ROUTED, "Port=%eth0:8080:80");

	has(text, "iifname \"eth0\" tcp dport 8080 dnat");
	has(text, "oifname \"eth0\" tcp dport 8080 dnat");
	has_not(text, "saddr set");
}

static void bridge_with_a_gateway_elsewhere(void **state)
{
	struct nat_host host = {};
	_cleanup_free_ char *here = RULES(&host, "Bridge=br0", "HostAddress=10.9.0.1/24",
				    "LocalAddress=10.9.0.2/24", "Port=80"),
			    *elsewhere = RULES(&host, "Bridge=br0", "Gateway=10.9.0.1",
				    "LocalAddress=10.9.0.2/24", "Port=80");

	has(here, "ct status dnat oifname \"br0\" ip daddr 10.9.0.2 ip saddr 10.9.0.2/24 "
		  "masquerade\n");
	has_not(here, "ip daddr 10.9.0.2 masquerade");
	has(elsewhere, "ct status dnat oifname \"br0\" ip daddr 10.9.0.2 masquerade\n");
	has_not(here, "chain localhost");
}

static void masquerade(void **state)
{
	struct nat_host host = {};
	_cleanup_free_ char *text = RULES(&host, ROUTED, "Masquerade=yes"),
			    *zone = RULES(&host, "Zone=alpha", "HostAddress=10.9.0.1/24",
				    "LocalAddress=10.9.0.2/24", "Masquerade=yes");

	has(text, "meta nfproto ipv4 iifname \"c-web\" oifname != \"c-web\" oifname != \"c-*\" "
		  "masquerade\n");
	has(text, "meta nfproto ipv6 iifname \"c-web\" oifname != \"c-web\" oifname != \"c-*\" "
		  "masquerade\n");
	has_not(text, "dnat");
	has(zone, "ip saddr 10.9.0.2 oifname != \"vz-alpha\" oifname != \"c-*\" masquerade\n");
}

static void guards(void **state)
{
	struct nat_host host = { .n = 1, .own4 = true };
	_cleanup_free_ char *text = NULL;

	host.interfaces[0].family = AF_INET;
	strcpy(host.interfaces[0].name, "eth0");
	text = RULES(&host, ROUTED, "Port=80");
	has(text, "ct status dnat accept\n\t\tct state established,related accept\n"
		  "\t\tmeta nfproto ipv4 iifname \"eth0\" drop\n"
		  "\t\tmeta nfproto ipv4 iifname \"c-web\" drop\n\t}\n");
}

/* --- in effect ------------------------------------------------------------------------------- */

static int table_exists(void)
{
	int r = nft_delete_table("narthex-web");

	assert_true(r == 0 || r == -ENOENT);
	return r == 0;
}

/* Every shape of rule is one that nftables takes. */
static void rules_are_taken(void **state)
{
	static const char *const shapes[][8] = {
		{ ROUTED, ROUTED6, "Port=8080:80", "Port=udp:[::1]:53" },
		{ ROUTED, "Port=tcp:192.0.2.1%lo:80", "Masquerade=yes" },
		{ "Bridge=br0", "Gateway6=fd09::1", "LocalAddress6=fd09::2/64", "Port=80" },
		{ "Zone=a.b-c", "LocalAddress=10.9.0.2/24", "HostAddress=10.9.0.1/24", "Port=80",
			"Masquerade=yes" },
	};
	struct nat_host host = both();

	host.own4 = host.own6 = true;
	host.n = 1;
	host.interfaces[0].family = AF_INET6;
	strcpy(host.interfaces[0].name, "eth0.100");
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		_cleanup_free_ char *text = rules_of(shapes[i], &host);

		assert_int_equal(nft_run(text), 0);
		/* again: what is there is replaced */
		assert_int_equal(nft_run(text), 0);
		assert_true(table_exists());
		assert_false(table_exists());
	}
}

static void failure_changes_nothing(void **state)
{
	assert_int_equal(nft_run("table inet narthex-web { chain a { }; }"), 0);
	assert_int_equal(
		nft_run("delete table inet narthex-web\nadd rule inet nothing b drop"), -EIO);
	assert_true(table_exists());
}

static void value_of(const char *path, const char *wanted)
{
	char value[8] = {};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(read(fd, value, sizeof(value) - 1) > 0);
	assert_string_equal(value, wanted);
}

#define LO_FORWARDING "/proc/sys/net/ipv4/conf/lo/forwarding"

static void borrowed_until_the_last(void **state)
{
	assert_int_equal(knob_is_to_be_borrowed(KNOB_FORWARD4, "lo"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web2"), 1);
	assert_int_equal(knob_is_to_be_borrowed(KNOB_FORWARD4, "lo"), 1);
	value_of(LO_FORWARDING, "1\n");
	assert_int_equal(knob_return_all("we"), 0);
	assert_int_equal(knob_return_all("web"), 0);
	value_of(LO_FORWARDING, "1\n");
	assert_int_equal(knob_return_all("web2"), 0);
	value_of(LO_FORWARDING, "0\n");
	/* what the host has on itself is nobody's to turn off */
	assert_int_equal(knob_turn_on(KNOB_FORWARD4, "lo"), 0);
	assert_int_equal(knob_is_to_be_borrowed(KNOB_FORWARD4, "lo"), 0);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web"), 0);
	assert_int_equal(knob_return_all("web"), 0);
	value_of(LO_FORWARDING, "1\n");
	assert_true(knob_borrow(KNOB_FORWARD4, "nothing", "web") < 0);
	assert_int_equal(knob_return_all("web"), 0);
}

static int setup(void **state)
{
	/* /run and the network are the test's own */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("run", "/run", "tmpfs", 0, NULL) < 0 || mkdir("/run/narthex", 0755) < 0)
		return -1;
	return 0;
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_ports_the_table_goes),
		TEST(port_of_both_families),
		TEST(port_of_an_address),
		TEST(port_of_an_interface),
		TEST(bridge_with_a_gateway_elsewhere),
		TEST(masquerade),
		TEST(guards),
		TEST(rules_are_taken),
		TEST(failure_changes_nothing),
		TEST(borrowed_until_the_last),
	};

	log_init("test-network-nat");
	return cmocka_run_group_tests(tests, setup, NULL);
}
