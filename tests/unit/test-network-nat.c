/* SPDX-License-Identifier: MIT */

/* The rules as text, and put into a network namespace of the test's own. Needs root. */

#include "host-tools/network/network-nat.h"

#include "cleanup.h"
#include "fd.h"
#include "host-tools/network/network.h"
#include "log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

#define KNOB_LIST "/run/narthex/.borrowed"
#define LO_FORWARDING "/proc/sys/net/ipv4/conf/lo/forwarding"

static void nothing_is_borrowed(void)
{
	struct stat st;

	assert_int_equal(stat(KNOB_LIST, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static int give_back(const char *name)
{
	return knob_return(name, NULL, NULL);
}

static void borrowed_until_the_last(void **state)
{
	assert_int_equal(knob_is_to_be_borrowed(KNOB_FORWARD4, "lo"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web2"), 1);
	assert_int_equal(knob_is_to_be_borrowed(KNOB_FORWARD4, "lo"), 1);
	value_of(LO_FORWARDING, "1\n");
	assert_int_equal(give_back("we"), 0);
	assert_int_equal(give_back("web"), 0);
	value_of(LO_FORWARDING, "1\n");
	assert_int_equal(give_back("web2"), 0);
	value_of(LO_FORWARDING, "0\n");
	/* what the host has on itself is nobody's to turn off */
	assert_int_equal(file_write_string(AT_FDCWD, LO_FORWARDING, "1"), 0);
	assert_int_equal(knob_is_to_be_borrowed(KNOB_FORWARD4, "lo"), 0);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "lo", "web"), 0);
	assert_int_equal(give_back("web"), 0);
	value_of(LO_FORWARDING, "1\n");
	assert_true(knob_borrow(KNOB_FORWARD4, "nothing", "web") < 0);
	assert_int_equal(give_back("web"), 0);
}

/* --- a host with a card and a bridge ---------------------------------------------------------- */

static int has_hardware(void **state)
{
	return system("ip link add uplink type bridge && ip link add br0 type bridge &&"
		      "ip link add c-web type bridge && ip link set c-web alias narthex:web");
}

static int without_hardware(void **state)
{
	return system("ip link del uplink; ip link del br0; ip link del c-web") < 0;
}

static void apply(const char *const *lines)
{
	struct container_config config;

	configure(&config, lines);
	assert_int_equal(nat_apply(&config), 0);
	assert_int_equal(nat_open(&config), 0);
	config_done(&config);
}

#define APPLY(...) apply((const char *const[]){ __VA_ARGS__, NULL })

/* What the kernel has of the table. The library writes it to stdout. */
static char *table_text(void)
{
	_cleanup_close_ int before = dup(STDOUT_FILENO), fd = memfd_create("table", MFD_CLOEXEC);
	char *text = NULL;

	assert_int_equal(fflush(stdout), 0);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	assert_int_equal(nft_run("list table inet narthex-web"), 0);
	assert_int_equal(fflush(stdout), 0);
	assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(fd_read_all(fd, 1 << 20, &text) > 0);
	return text;
}

/* Whether it forwards IPv4, and then whether the table lets nothing else pass by that. */
static bool forwards(const char *interface)
{
	_cleanup_free_ char *path = NULL, *guard = NULL, *value = NULL, *table = NULL;

	assert_true(asprintf(&path, "/proc/sys/net/ipv4/conf/%s/forwarding", interface) > 0);
	assert_true(asprintf(&guard, "meta nfproto ipv4 iifname \"%s\" drop\n", interface) > 0);
	assert_true(file_read_all(AT_FDCWD, path, 0, 8, &value) > 0);
	if (strcmp(value, "0\n") == 0)
		return false;
	table = table_text();
	has(table, guard);
	return true;
}

#define BRIDGED "Bridge=br0", "LocalAddress=192.168.70.2/24"

static void the_address_goes(void **state)
{
	APPLY(BRIDGED, "Port=8080:80");
	assert_true(forwards("br0") && forwards("uplink"));
	APPLY("Bridge=br0", "Port=8080:80");
	assert_false(forwards("br0") || forwards("uplink"));
	nothing_is_borrowed();
	APPLY(BRIDGED, "Port=8080:80");
	assert_true(forwards("br0") && forwards("uplink"));
	assert_int_equal(nat_remove("web"), 0);
	assert_false(forwards("br0") || forwards("uplink"));
}

static void the_last_port_goes(void **state)
{
	APPLY(ROUTED, "Port=8080:80");
	assert_true(forwards("uplink") && forwards("c-web"));
	assert_true(table_exists());
	APPLY(ROUTED, "Port=8080:80");
	APPLY(ROUTED);
	assert_false(forwards("uplink") || forwards("c-web"));
	assert_false(table_exists());
	nothing_is_borrowed();
}

/* What another container needs stays, and the host's own does. */
static void ports_become_fewer(void **state)
{
	APPLY(BRIDGED, "Port=8080:80");
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "uplink", "web2"), 1);
	APPLY(BRIDGED, "Port=127.0.0.1:8080:80");
	assert_false(forwards("br0"));
	value_of("/proc/sys/net/ipv4/conf/uplink/forwarding", "1\n");
	assert_int_equal(give_back("web2"), 0);
	assert_false(forwards("uplink"));
	assert_int_equal(
		file_write_string(AT_FDCWD, "/proc/sys/net/ipv4/conf/uplink/forwarding", "1"), 0);
	APPLY(BRIDGED, "Port=8080:80");
	APPLY(BRIDGED, "Port=127.0.0.1:8080:80");
	value_of("/proc/sys/net/ipv4/conf/uplink/forwarding", "1\n");
	assert_int_equal(nat_remove("web"), 0);
}

/* Another container's end of a link has no alias at birth. */
static void half_made_links(void **state)
{
	assert_int_equal(system("ip link add c-other address fe:12:34:56:78:9a type veth &&"
				"ip link add stranger address 02:12:34:56:78:9a type veth"),
		0);
	APPLY(BRIDGED, "Port=8080:80");
	assert_true(forwards("stranger"));
	assert_false(forwards("c-other"));
	assert_int_equal(nat_remove("web"), 0);
	assert_int_equal(system("ip link del c-other; ip link del stranger"), 0);
}

/* Its answers come in over the bridge, so that has to forward, too. */
static void a_port_of_one_interface(void **state)
{
	APPLY(BRIDGED, "Port=%uplink:8080:80");
	assert_true(forwards("uplink") && forwards("br0"));
	APPLY(BRIDGED, "Port=%elsewhere:8080:80");
	assert_true(forwards("br0"));
	assert_false(forwards("uplink"));
	assert_int_equal(nat_remove("web"), 0);
}

/* One that was killed may have led ports to an address that is gone by now. */
static void a_follower_that_starts_again(void **state)
{
	_cleanup_close_ int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *table = NULL;
	struct container_config config;
	int fds[2];

	APPLY(BRIDGED, "Port=8080:80");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	(void)close(fds[0]);
	configure(&config, (const char *const[]){ "Bridge=br0", "Port=8080:80", NULL });
	assert_int_equal(network_follow(&config, netns, fds[1]), 0);
	config_done(&config);
	(void)close(fds[1]);
	table = table_text();
	has_not(table, "dnat to");
	has_not(table, "dnat ip to");
	assert_false(forwards("br0") || forwards("uplink"));
	assert_int_equal(nat_remove("web"), 0);
}

/* A list that can't be written is the old one: others' settings would never be given back. */
static void the_list_is_never_lost(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct rlimit none = {};
	int status;
	pid_t pid;

	assert_int_equal(knob_borrow(KNOB_FORWARD4, "br0", "web2"), 1);
	assert_int_equal(knob_borrow(KNOB_FORWARD4, "br0", "web"), 1);
	assert_true(file_read_all(AT_FDCWD, KNOB_LIST, 0, 4096, &before) > 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &none);
		_exit(give_back("web") == -EFBIG && knob_borrow(KNOB_FORWARD4, "uplink", "web") < 0
				? 0
				: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(file_read_all(AT_FDCWD, KNOB_LIST, 0, 4096, &after) > 0);
	assert_string_equal(after, before);
	assert_int_equal(give_back("web"), 0);
	value_of("/proc/sys/net/ipv4/conf/br0/forwarding", "1\n");
	assert_int_equal(give_back("web2"), 0);
	value_of("/proc/sys/net/ipv4/conf/br0/forwarding", "0\n");
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
#define ON_HARDWARE(f) cmocka_unit_test_setup_teardown(f, has_hardware, without_hardware)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(port_of_both_families),
		TEST(port_of_an_address),
		TEST(port_of_an_interface),
		TEST(bridge_with_a_gateway_elsewhere),
		TEST(masquerade),
		TEST(guards),
		TEST(rules_are_taken),
		TEST(failure_changes_nothing),
		TEST(borrowed_until_the_last),
		ON_HARDWARE(the_address_goes),
		ON_HARDWARE(the_last_port_goes),
		ON_HARDWARE(ports_become_fewer),
		ON_HARDWARE(half_made_links),
		ON_HARDWARE(a_port_of_one_interface),
		ON_HARDWARE(a_follower_that_starts_again),
		ON_HARDWARE(the_list_is_never_lost),
	};

	log_init("test-network-nat");
	return cmocka_run_group_tests(tests, setup, NULL);
}
