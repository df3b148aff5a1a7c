/* SPDX-License-Identifier: MIT */

/* Needs root: what counts as a trusted file depends on its owner. */

#include "host-tools/config/config.h"

#include "cleanup.h"
#include "said.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

/* --- files ----------------------------------------------------------------------------------- */

static char dir[] = "/tmp/narthex-test-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[4][256];
	static unsigned turn;

	turn = (turn + 1) % 4;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void write_bytes(const char *name, const char *text, size_t len)
{
	_cleanup_fclose_ FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static int load(struct container_config *config)
{
	int r;

	listen_begin();
	r = config_load("test", path_of("test.conf"), config);
	listen_end();
	return r;
}

static int load_text(struct container_config *config, const char *text)
{
	write_text("test.conf", text);
	return load(config);
}

static int setup(void **state)
{
	return listen_setup(state) < 0 || !mkdtemp(dir) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)unlink(path_of("test.conf"));
	return rmdir(dir);
}

/* --- values ---------------------------------------------------------------------------------- */

/* One key set by itself; wanted: part of the message, NULL: it is right. */
static const struct {
	const char *section, *key, *value, *wanted;
} values[] = {
	{ "Exec", "AutoStart", "yes", NULL },
	{ "Exec", "AutoStart", "True", NULL },
	{ "Exec", "AutoStart", "off", NULL },
	{ "Exec", "AutoStart", "0", NULL },
	{ "Exec", "AutoStart", "", "AutoStart=: must be yes or no" },
	{ "Exec", "AutoStart", "2", "must be yes or no" },
	{ "Exec", "Boot", "maybe", "Boot=maybe: must be yes or no" },
	{ "Exec", "NotifyReady", "auto", NULL },
	{ "Exec", "NotifyReady", "x", "must be yes, no or auto" },
	{ "Exec", "Path", "/nix/var/nix/profiles/per-container/a/system", NULL },
	{ "Exec", "Path", "system", "absolute" },
	{ "Exec", "Path", "/nix/../x", "'..'" },
	{ "Exec", "WorkingDirectory", "/..", "'..'" },
	{ "Exec", "WorkingDirectory", "/...", NULL },
	{ "Exec", "Parameters", "a 'b c' \"d\"", NULL },
	{ "Exec", "Parameters", "a 'b", "a quote is not closed" },
	{ "Exec", "Environment", "A=1 B_2=", NULL },
	{ "Exec", "Environment", "A", "'A' is not VARIABLE=VALUE" },
	{ "Exec", "Environment", "1A=x", "is not VARIABLE=VALUE" },
	{ "Exec", "Environment", "=x", "is not VARIABLE=VALUE" },
	{ "Exec", "Environment", "A-B=x", "is not VARIABLE=VALUE" },
	{ "Exec", "Hostname", "a.b-c.example", NULL },
	{ "Exec", "Hostname", "-a", "not a host name" },
	{ "Exec", "Hostname", "a.", "not a host name" },
	{ "Exec", "Hostname", "a..b", "not a host name" },
	{ "Exec", "Hostname", "a b", "not a host name" },
	{ "Exec", "Hostname", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"64 characters at most" },
	{ "Exec", "MachineID", "0123456789abcdef0123456789ABCDEF", NULL },
	{ "Exec", "MachineID", "01234567-89ab-cdef-0123-456789abcdef", NULL },
	{ "Exec", "MachineID", "0123456789abcdef0123456789abcde", "32 hexadecimal" },
	{ "Exec", "MachineID", "0123456789abcdef0123456789abcdef0", "32 hexadecimal" },
	{ "Exec", "MachineID", "0123456789abcdef0123456789abcdeg", "32 hexadecimal" },
	{ "Exec", "MachineID", "0-123456789abcdef0123456789abcdef", "32 hexadecimal" },
	{ "Exec", "MachineID", "00000000000000000000000000000000", "all zero" },
	{ "Exec", "Capability", "CAP_SYS_ADMIN cap_net_raw", NULL },
	{ "Exec", "Capability", "all", NULL },
	{ "Exec", "Capability", "CAP_SYS_ADMN", "did you mean CAP_SYS_ADMIN?" },
	{ "Exec", "DropCapability", "SYS_ADMIN,X", "there is no capability" },
	{ "Exec", "PrivateUsers", "yes", NULL },
	{ "Exec", "PrivateUsers", "pick", NULL },
	{ "Exec", "PrivateUsers", "no", NULL },
	{ "Exec", "PrivateUsers", "65536", NULL },
	{ "Exec", "PrivateUsers", "4294901759:65536", NULL },
	{ "Exec", "PrivateUsers", "4294901760:65536", "BASE+COUNT" },
	{ "Exec", "PrivateUsers", "65536:0", "COUNT must be 1" },
	{ "Exec", "PrivateUsers", "0", "root among them" },
	{ "Exec", "PrivateUsers", "0:65536", "root among them" },
	{ "Exec", "PrivateUsers", "1000", "the host's own users" },
	{ "Exec", "PrivateUsers", "identity", "the host's root" },
	{ "Exec", "PrivateUsers", "65536:x", "must be yes, pick, no, BASE or BASE:COUNT" },
	{ "Exec", "PrivateUsers", "65536:", "must be yes, pick, no, BASE or BASE:COUNT" },
	{ "Exec", "PrivateUsers", "99999999999999999999", "must be yes" },
	{ "Exec", "PrivateUsers", "65536:99999999999999999999999", "must be yes" },
	{ "Exec", "KillSignal", "SIGTERM", NULL },
	{ "Exec", "KillSignal", "RTMIN+3", NULL },
	{ "Exec", "KillSignal", "SIGRTMAX-1", NULL },
	{ "Exec", "KillSignal", "15", NULL },
	{ "Exec", "KillSignal", "SIGNO", "not a signal" },
	{ "Exec", "KillSignal", "SIGRTMIN+31", "not a signal" },
	{ "Exec", "KillSignal", "SIGRTMIN-1", "not a signal" },
	{ "Exec", "KillSignal", "0", "not a signal" },
	{ "Exec", "KillSignal", "65", "not a signal" },
	{ "Exec", "Bot", "x", "unknown key Bot= in [Exec]; did you mean Boot=?" },
	{ "Exec", "boot", "yes", "did you mean Boot=?" },
	{ "Exec", "Frobnicate", "x", "unknown key Frobnicate= in [Exec]: see narthex.conf(5)" },
	{ "Exec", "Root", "/x", "does not belong into [Exec] but into [Files]" },
	{ "exec", "Boot", "yes", "unknown section [exec]; did you mean [Exec]?" },
	{ "Something", "Boot", "yes", "unknown section [Something]: there are Exec" },
	{ "Files", "Root", "/srv/x", NULL },
	{ "Files", "Root", "srv/x", "absolute" },
	{ "Files", "Root", "/srv/../x", "'..'" },
	{ "Files", "Store", "no", NULL },
	{ "Files", "Store", "/gnu/store", NULL },
	{ "Files", "Store", "store", "an absolute path, yes or no" },
	{ "Files", "Bind", "/a", NULL },
	{ "Files", "Bind", "/a:/b", NULL },
	{ "Files", "Bind", "-/a:/b:norbind,idmap", NULL },
	{ "Files", "Bind", "/a::rbind", NULL },
	{ "Files", "Bind", "/a\\:b:/c", NULL },
	{ "Files", "Bind", "a", "absolute" },
	{ "Files", "Bind", "/a:b", "absolute" },
	{ "Files", "Bind", "/a:/../b", "'..'" },
	{ "Files", "Bind", "/a:/b:ro", "there is no option 'ro'" },
	{ "Files", "Bind", "/a:/b:", "there is no option ''" },
	{ "Files", "Bind", "/a:/b:rootidmap,rbind", NULL },
	{ "Files", "Bind", "/a:/b:owneridmap", NULL },
	{ "Files", "Bind", "/a:/b:/c", "there is no option '/c'" },
	{ "Files", "Bind", "+/a", NULL },
	{ "Files", "Bind", "+/../a:/b", "'..'" },
	{ "Files", "Bind", ":/b", NULL },
	{ "Files", "Bind", ":/b:idmap", "the container's owners" },
	{ "Files", "Bind", "+/a:/b:rootidmap", "the container's owners" },
	{ "Files", "Bind", "-+/a:/b:norbind", NULL },
	{ "Files", "Bind", "+", "no source" },
	{ "Files", "Bind", "", NULL },
	{ "Files", "Bind", "-", "no source" },
	{ "Files", "Bind", "/a\\", "a backslash at the end" },
	{ "Files", "Bind", "/a:/", "narthex mounts / in the container itself" },
	{ "Files", "Bind", "/a:/proc/", "narthex mounts /proc" },
	{ "Files", "Bind", "/a:/proc/x", "inside /proc" },
	{ "Files", "Bind", "/a:/run/host/narthex/doors", "narthex's own" },
	{ "Files", "Bind", "/a:/run/host/narthexes", NULL },
	{ "Files", "BindReadOnly", "/dev/fuse", NULL },
	{ "Files", "TemporaryFileSystem", "/x", NULL },
	{ "Files", "TemporaryFileSystem", "/x:size=10%,mode=1777,nosuid,uid=0,nr_inodes=1k", NULL },
	{ "Files", "TemporaryFileSystem", "x", "absolute" },
	{ "Files", "TemporaryFileSystem", "/x:size=big", "'big' is no value for size" },
	{ "Files", "TemporaryFileSystem", "/x:mode=0999", "'0999' is no value for mode" },
	{ "Files", "TemporaryFileSystem", "/x:size", "option size needs a value" },
	{ "Files", "TemporaryFileSystem", "/x:sise=1", "did you mean size?" },
	{ "Files", "TemporaryFileSystem", "/x:ro=1", "there is no option 'ro'" },
	{ "Files", "TemporaryFileSystem", "/x:uid=4294967295", "no value for uid" },
	{ "Network", "HostAddress", "10.0.0.1", NULL },
	{ "Network", "HostAddress", "10.0.0.1/24", NULL },
	{ "Network", "HostAddress", "10.0.0.0/31", NULL },
	{ "Network", "HostAddress", "10.0.0.256", "not an IPv4 address" },
	{ "Network", "HostAddress", "10.0.0", "not an IPv4 address" },
	{ "Network", "HostAddress", "fd00::1", "an IPv6 address" },
	{ "Network", "HostAddress", "10.0.0.1/0", "1 to 32" },
	{ "Network", "HostAddress", "10.0.0.1/33", "1 to 32" },
	{ "Network", "HostAddress", "10.0.0.1/", "1 to 32" },
	{ "Network", "HostAddress", "10.0.0.1/24x", "1 to 32" },
	{ "Network", "HostAddress", "10.0.0.0/24", "network's own address" },
	{ "Network", "HostAddress", "10.0.0.255/24", "broadcast address" },
	{ "Network", "HostAddress", "0.0.0.0", "begins with 0" },
	{ "Network", "HostAddress", "127.0.0.1", "loopback" },
	{ "Network", "HostAddress", "224.0.0.1", "multicast" },
	{ "Network", "HostAddress", "255.255.255.255", "reserved or broadcast" },
	{ "Network", "LocalAddress6", "fd00::1/64", NULL },
	{ "Network", "LocalAddress6", "10.0.0.1", "an IPv4 address" },
	{ "Network", "LocalAddress6", "::", "unspecified" },
	{ "Network", "LocalAddress6", "::1", "loopback" },
	{ "Network", "LocalAddress6", "ff02::1", "multicast" },
	{ "Network", "LocalAddress6", "::ffff:10.0.0.1", "IPv6 clothes" },
	{ "Network", "LocalAddress6", "fd00::1/129", "1 to 128" },
	{ "Network", "LocalAddress6",
		"0123:0123:0123:0123:0123:0123:0123:0123:0123:0123:0123:0123:0123", "not an IPv6" },
	{ "Network", "MACAddress", "02:00:00:00:00:0a", NULL },
	{ "Network", "MACAddress", "02-00-00-00-00-0A", NULL },
	{ "Network", "MACAddress", "02:00:00:00:00", "six bytes" },
	{ "Network", "MACAddress", "02:00:00:00:00:0a:00", "six bytes" },
	{ "Network", "MACAddress", "02:0:00:00:00:0a", "six bytes" },
	{ "Network", "MACAddress", "01:00:00:00:00:00", "multicast" },
	{ "Network", "MACAddress", "00:00:00:00:00:00", "all zero" },
	{ "Network", "Bridge", "br0", NULL },
	{ "Network", "Bridge", "br/0", "not the name of an interface" },
	{ "Network", "Bridge", "a234567890123456", "15 characters at most" },
	{ "Network", "Zone", "123456789012", NULL },
	{ "Network", "Zone", "1234567890123", "at most 12 characters" },
	{ "Network", "MTU", "1400", NULL },
	{ "Network", "MTU", "67", "68 to 65535" },
	{ "Network", "MTU", "65536", "68 to 65535" },
	{ "Network", "VLAN", "4094", NULL },
	{ "Network", "VLAN", "0", "1 to 4094" },
	{ "Network", "VLAN", "4095", "1 to 4094" },
	{ "Network", "Gateway", "10.0.0.1", NULL },
	{ "Network", "Gateway", "fd00::1", "an IPv6 address" },
	{ "Network", "Gateway6", "fd00::1", NULL },
	{ "Network", "VirtualEthernetExtra", "a:b c d:e", NULL },
	{ "Network", "VirtualEthernetExtra", "a:b c:b", "has an interface 'b' already" },
	{ "Network", "VirtualEthernetExtra", "a:b:c", "'b:c' is not the name of an interface" },
	{ "Network", "VirtualEthernetExtra", "a%b", "'a%b' is not the name of an interface" },
	{ "Exec", "ResolvConf", "auto", NULL },
	{ "Exec", "ResolvConf", "", NULL },
	{ "Exec", "ResolvConf", "copy-host", NULL },
	{ "Exec", "ResolvConf", "bind-stub", NULL },
	{ "Exec", "ResolvConf", "copy", "must be auto, off, delete" },
	{ "Exec", "ResolvConf", "copy-hosts", "must be auto, off, delete" },
	{ "Network", "Port", "80", NULL },
	{ "Network", "Port", "tcp:65535:1", NULL },
	{ "Network", "Port", "udp:10.0.0.1:53", NULL },
	{ "Network", "Port", "0.0.0.0:8080:80", NULL },
	{ "Network", "Port", "[::]:8080:80", NULL },
	{ "Network", "Port", "tcp:10.0.0.1%eth0:8080:80", NULL },
	{ "Network", "Port", "[fe80::1]%eth0.5:80", NULL },
	{ "Network", "Port", "%eth0:80", NULL },
	{ "Network", "Port", "tcp", "'tcp' is no IPv4 address" },
	{ "Network", "Port", "tcp:", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Port", "80:", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Port", ":80", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Port", "80:80:80", "'80:80' is no port" },
	{ "Network", "Port", "0", "'0' is no port: 1 to 65535" },
	{ "Network", "Port", "80:65536", "'65536' is no port" },
	{ "Network", "Port", "123456789", "'123456789' is no port" },
	{ "Network", "Port", "10.0.0.1", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Port", "10.0.0.256:80", "'10.0.0.256' is no IPv4 address" },
	{ "Network", "Port", "fd00::1:80", "'fd00' is no IPv4 address" },
	{ "Network", "Port", "[fd00::x]:80", "'fd00::x' is no IPv6 address" },
	{ "Network", "Port", "[fd00::1", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Port", "[fd00::1]80", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Port", "%eth*:80", "'eth*' is not the name of an interface" },
	{ "Network", "Port", "%:80", "'' is not the name of an interface" },
	{ "Network", "Port", "%a23456789012345678:80", "must be [tcp:|udp:][ADDRESS]" },
	{ "Network", "Masquerade", "maybe", "must be yes or no" },
	{ "Link eth1", "HostAddress", "10.0.0.1", NULL },
	{ "Link eth1", "HostAddress", "10.0.0", "HostAddress=10.0.0: not an IPv4 address" },
	{ "Link eth1", "Bridge", "br0", NULL },
	{ "Link eth1", "MTU", "x", "68 to 65535" },
	{ "Link eth1", "MACAddress", "x", "six bytes" },
	{ "Link eth1", "HostAdress", "10.0.0.1", "unknown key HostAdress= in [Link eth1]; did" },
	{ "Link eth1", "Zone", "x", "Zone= does not belong into [Link eth1] but into [Network]" },
	{ "Link", "MTU", "1400", "[Link] needs the name" },
	{ "Link a/b", "MTU", "1400", "[Link a/b] needs the name" },
};

static void test_values(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct container_config config;
		int r;

		assert_int_equal(config_default("test", &config), 0);
		listen_begin();
		r = config_set(&config, "here", values[i].section, values[i].key, values[i].value);
		listen_end();
		config_done(&config);
		if (values[i].wanted ? r != -EINVAL || !strstr(said, values[i].wanted) ||
					       !strstr(said, "here: ")
				     : r != 0 || *said)
			fail_msg("%s=%s: %d, '%s'", values[i].key, values[i].value, r, said);
	}
}

/* --- results --------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
	struct container_config config;

	assert_int_equal(config_default("test", &config), 0);
	assert_string_equal(config.name, "test");
	assert_string_equal(config.root, "/var/lib/containers/test");
	assert_true(config.boot);
	assert_false(config.process_two || config.ephemeral || config.auto_start);
	assert_int_equal(config.private_users, PRIVATE_USERS_PICK);
	assert_int_equal(config.notify_ready, AUTO);
	assert_false(config.private_network || config.veth);
	assert_string_equal(config.unit_text[UNIT_SERVICE], "");
	listen_begin();
	assert_int_equal(config_check(&config, "here"), 0);
	listen_end();
	config_done(&config);
	config_done(&config);
	config_done(NULL);
}

static void test_every_kind_of_result(void **state)
{
	static const char text[] =
		"[Exec]\nAutoStart=1\nParameters=a 'b c' d\"e f\"g \"\"\nParameters=h\\i\n"
		"Environment=A=1 'B=x y'\nEnvironment=A=2\nHostname=h\n"
		"MachineID=01234567-89AB-cdef-0123-456789abcdef\nCapability=CAP_CHOWN\n"
		"Capability=CAP_BPF\nDropCapability=all\nPrivateUsers=131072:1000\nNotifyReady=no\n"
		"KillSignal=SIGRTMIN+3\nWorkingDirectory=//a/./b/\n"
		"[Files]\nRoot=/srv//test/\nStore=/gnu/store\nPerContainerNix=yes\n"
		"Bind=/a\\:b:/c d:norbind\nBindReadOnly=-/r\nTemporaryFileSystem=/t:size=1M\n"
		"TemporaryFileSystem=/u\n"
		"[Network]\nHostAddress=10.0.0.1\nLocalAddress=10.0.0.2/"
		"24\nMACAddress=02:01:02:0a:fF:00\n";
	static const uint8_t mac[] = { 2, 1, 2, 10, 255, 0 };
	struct container_config config;

	assert_int_equal(load_text(&config, text), 0);
	assert_string_equal(said, "");
	assert_true(config.auto_start);
	assert_string_equal(config.parameters[1], "b c");
	assert_string_equal(config.parameters[2], "de fg");
	assert_string_equal(config.parameters[3], "");
	assert_string_equal(config.parameters[4], "h\\i");
	assert_null(config.parameters[5]);
	assert_string_equal(config.environment[0], "A=2");
	assert_string_equal(config.environment[1], "B=x y");
	assert_null(config.environment[2]);
	assert_string_equal(config.machine_id, "0123456789abcdef0123456789abcdef");
	assert_true(config.capability_keep == (1ULL << CAP_CHOWN | 1ULL << CAP_BPF));
	assert_true(config.capability_drop == (1ULL << (CAP_LAST_CAP + 1)) - 1);
	assert_int_equal(config.private_users, PRIVATE_USERS_FIXED);
	assert_int_equal(config.uid_base, 131072);
	assert_int_equal(config.uid_count, 1000);
	assert_int_equal(config.notify_ready, NO);
	assert_int_equal(config.kill_signal, SIGRTMIN + 3);
	assert_string_equal(config.working_directory, "/a/b");
	assert_string_equal(config.root, "/srv/test");
	assert_string_equal(config.store, "/gnu/store");
	assert_int_equal(config.n_binds, 2);
	assert_string_equal(config.binds[0].source, "/a:b");
	assert_string_equal(config.binds[0].target, "/c d");
	assert_false(
		config.binds[0].recursive || config.binds[0].optional || config.binds[0].read_only);
	assert_string_equal(config.binds[1].source, "/r");
	assert_string_equal(config.binds[1].target, "/r");
	assert_true(
		config.binds[1].recursive && config.binds[1].optional && config.binds[1].read_only);
	assert_int_equal(config.n_tmpfs, 2);
	assert_string_equal(config.tmpfs[0].options, "size=1M");
	assert_null(config.tmpfs[1].options);
	assert_int_equal(config.host_address.family, AF_INET);
	assert_int_equal(config.host_address.prefix, 32);
	assert_int_equal(config.local_address.prefix, 24);
	assert_int_equal(ntohl(config.local_address.v4.s_addr), 0x0a000002);
	assert_true(config.private_network && config.veth);
	assert_memory_equal(config.mac_address, mac, 6);
	config_done(&config);
}

/* An empty value takes back what came before; a later scalar replaces the earlier. */
static void test_reset(void **state)
{
	static const char text[] =
		"[Exec]\nParameters=a\nParameters=\nParameters=b\nEnvironment=A=1\nEnvironment=\n"
		"Hostname=h\nHostname=\nCapability=all\nCapability=\nKillSignal=9\nKillSignal=\n"
		"PrivateUsers=no\nPrivateUsers=\nPath=/x\nPath=\nNotifyReady=no\nNotifyReady=\n"
		"[Files]\nBind=/a\nBindReadOnly=/b\nBind=\nTemporaryFileSystem=/c\n"
		"TemporaryFileSystem=\nRoot=/x\nRoot=\n"
		"[Network]\nHostAddress=10.0.0.1\nHostAddress=\nMACAddress=02:00:00:00:00:01\n"
		"MACAddress=\n";
	struct container_config config;

	assert_int_equal(load_text(&config, text), 0);
	assert_string_equal(config.parameters[0], "b");
	assert_null(config.parameters[1]);
	assert_null(config.environment);
	assert_null(config.hostname);
	assert_true(config.capability_keep == 0);
	assert_int_equal(config.kill_signal, 0);
	assert_int_equal(config.private_users, PRIVATE_USERS_PICK);
	assert_null(config.path);
	assert_int_equal(config.notify_ready, AUTO);
	assert_int_equal(config.n_binds, 1);
	assert_string_equal(config.binds[0].source, "/b");
	assert_int_equal(config.n_tmpfs, 0);
	assert_string_equal(config.root, "/var/lib/containers/test");
	assert_int_equal(config.host_address.family, 0);
	assert_false(config.private_network || config.veth);
	config_done(&config);
}

static void test_implications(void **state)
{
	static const struct {
		const char *text;
		bool boot, private_network, veth;
	} cases[] = {
		{ "[Network]\nPrivate=yes\n", true, true, false },
		{ "[Network]\nVirtualEthernet=yes\n", true, true, true },
		{ "[Network]\nMACAddress=02:00:00:00:00:01\n", true, true, true },
		{ "[Network]\nPrivate=yes\nHostAddress6=fd00::1/64\n", true, true, true },
		{ "[Network]\nBridge=br0\n", true, true, true },
		{ "[Network]\nZone=z\n", true, true, true },
		{ "[Network]\nVirtualEthernetExtra=a\n", true, true, false },
		{ "[Network]\nVirtualEthernetExtra=a\nVirtualEthernetExtra=\n", true, false,
			false },
		{ "[Network]\nMACVLAN=a\nMACVLAN=\n", true, false, false },
		{ "[Network]\nIPVLAN=a b\nIPVLAN=\n", true, false, false },
		{ "[Network]\nInterface=a\nInterface=\n", true, false, false },
		{ "[Network]\nInterface=a\nMACVLAN=b\nInterface=\n[Link mv-b]\nMTU=1400\n", true,
			true, false },
		{ "[Network]\nMACVLAN=a\n[Link mv-a]\nMTU=1400\n[Network]\nMACVLAN=\nMACVLAN=a\n",
			true, true, false },
		{ "[Network]\nMACVLAN=a\n", true, true, false },
		{ "[Network]\nNaming=nspawn\n", true, false, false },
		{ "[Network]\nNamespacePath=/run/netns/x\n", true, false, false },
		{ "[Exec]\nProcessTwo=yes\nParameters=x\n", false, false, false },
		{ "[Exec]\nBoot=no\nParameters=x\n", false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct container_config config;

		if (load_text(&config, cases[i].text) != 0)
			fail_msg("%s: %s", cases[i].text, said);
		assert_int_equal(config.boot, cases[i].boot);
		assert_int_equal(config.private_network, cases[i].private_network);
		assert_int_equal(config.veth, cases[i].veth);
		config_done(&config);
	}
}

/* --- files as a whole ------------------------------------------------------------------------ */

static const struct {
	const char *text, *wanted;
} combinations[] = {
	{ "[Exec]\nBoot=yes\nProcessTwo=yes\n", "exclude each other" },
	{ "[Exec]\nBoot=no\n", "Boot=no needs Parameters=" },
	{ "[Exec]\nProcessTwo=yes\n", "ProcessTwo=yes needs Parameters=" },
	{ "[Exec]\nBoot=no\nParameters=x\nPath=/x\n[Files]\nStore=/s\n", "Path= names a system" },
	{ "[Exec]\nPath=/x\n[Files]\nStore=no\n", "Path= needs a store" },
	{ "[Files]\nRoot=/\n", "needs Ephemeral=yes" },
	{ "[Files]\nBind=/a:/x\nBindReadOnly=/b:/x/\n", "two mounts on /x" },
	{ "[Files]\nBind=/a:/x\nTemporaryFileSystem=/x\n", "two mounts on /x" },
	{ "[Exec]\nPrivateUsers=no\n[Files]\nBind=/a:/a:idmap\n", "needs a user namespace" },
	{ "[Exec]\nPrivateUsers=no\n[Files]\nBind=/a:/a:rootidmap\n", "needs a user namespace" },
	{ "[Network]\nPrivate=no\nHostAddress=10.0.0.1/24\n", "or Private=no" },
	{ "[Network]\nHostAddress=10.0.0.1/24\nPrivate=no\n", "or Private=no" },
	{ "[Network]\nPrivate=no\nMACAddress=02:00:00:00:00:01\n", "MACAddress= needs a network" },
	{ "[Network]\nVirtualEthernet=no\nHostAddress=10.0.0.1/24\n", "or VirtualEthernet=no" },
	{ "[Network]\nVirtualEthernet=yes\nPrivate=no\n", "exclude each other" },
	{ "[Network]\nHostAddress=10.0.0.1\n", "HostAddress= without LocalAddress=" },
	{ "[Network]\nLocalAddress6=fd00::1\n", "LocalAddress6= without HostAddress6=" },
	{ "[Network]\nHostAddress=10.0.0.1\nLocalAddress=10.0.0.1/24\n", "the same address" },
	{ "[Network]\nHostAddress6=fd00::1\nLocalAddress6=fd00:0::1\n", "the same address" },
	{ "[Network]\nBridge=br0\nZone=z\n", "Bridge= and Zone= exclude each other" },
	{ "[Network]\nBridge=br0\nPrivate=no\n", "Bridge= needs a network" },
	{ "[Network]\nBridge=br0\nHostAddress=10.0.0.1/24\n", "the bridge keeps its own" },
	{ "[Network]\nZone=z\nLocalAddress=10.0.0.2\nHostAddress=10.0.0.1/24\n",
		"Zone= makes a network: write the prefix length (/24)" },
	{ "[Network]\nVLAN=5\n", "VLAN= is that of a port of a bridge" },
	{ "[Network]\nGateway=10.0.0.1\n", "Gateway= without LocalAddress=" },
	{ "[Network]\nVirtualEthernetExtra=a\nPrivate=no\n", "an interface of its own needs" },
	{ "[Network]\nVirtualEthernetExtra=a:lo\n", "has an interface 'lo' already" },
	{ "[Network]\nVirtualEthernet=yes\nVirtualEthernetExtra=a:eth0\n",
		"has an interface 'eth0' already: name another, a:NAME" },
	{ "[Network]\nVirtualEthernetExtra=a:b a:c\n", "interface 'a' is named twice" },
	{ "[Network]\nVirtualEthernetExtra=h:eth1\n[Link eth2]\nMTU=1400\n",
		"[Link eth2]: the container has no such interface; did you mean [Link eth1]?" },
	{ "[Network]\nVirtualEthernet=yes\n[Link eth0]\nMTU=1400\n",
		"[Link eth0]: eth0 is the link that [Network] describes" },
	{ "[Network]\nVirtualEthernetExtra=h:eth1\n[Link eth1]\nHostAddress=10.0.0.1\n",
		"[Link eth1] HostAddress= without LocalAddress=" },
	{ "[Network]\nVirtualEthernetExtra=a\nVirtualEthernetExtra=\n[Link a]\nMTU=1400\n",
		"[Link a]: the container has no such interface: make it" },
	{ "[Network]\nNaming=nspawn\nVirtualEthernet=yes\n[Link host0]\nMTU=1400\n",
		"[Link host0]: host0 is the link that [Network] describes" },
	{ "[Network]\nNaming=dutch\n", ":2: Naming=dutch: must be narthex" },
	{ "[Network]\nMACVLAN=fourteen-bytes\n",
		"'mv-fourteen-bytes' is too long for the interface inside: name it, "
		"fourteen-bytes:NAME" },
	{ "[Network]\nMACVLAN=a:b:c\n", "'b:c' is not the name of an interface" },
	{ "[Network]\nMACVLAN=a b:mv-a\n", "has an interface 'mv-a' already" },
	{ "[Network]\nMACVLAN=a\nVirtualEthernetExtra=a\n", "interface 'a' is named twice" },
	{ "[Network]\nMACVLAN=a\n[Link mv-a]\nBridge=br0\n",
		"[Link mv-a] Bridge= is for VirtualEthernetExtra= only" },
	{ "[Network]\nMACVLAN=a\n[Link mv-a]\nHostAddress=10.0.0.1\nLocalAddress=10.0.0.2\n",
		"[Link mv-a] HostAddress= is for VirtualEthernetExtra= only" },
	{ "[Network]\nMACVLAN=a\n[Link mv-a]\nLocalAddress=10.0.0.2\n",
		"[Link mv-a] LocalAddress= without a prefix length: nothing could be reached; "
		"write it (/24), or set Gateway=" },
	{ "[Network]\nIPVLAN=a\n[Link iv-a]\nMACAddress=02:00:00:00:00:01\n",
		"MACAddress= is for VirtualEthernetExtra= only and for MACVLAN=" },
	{ "[Network]\nNamespacePath=netns/x\n", "must be an absolute path" },
	{ "[Network]\nNamespacePath=/run/netns/x\nHostAddress=10.0.0.1/24\n",
		"NamespacePath= joins a network that is there already, and an address" },
	{ "[Network]\nNamespacePath=/run/netns/x\nMACVLAN=a\n", "and an interface of its own" },
	{ "[Network]\nNamespacePath=/run/netns/x\nPrivate=yes\n", "and Private=yes changes it" },
	{ "[Network]\nNamespacePath=/run/netns/x\nVirtualEthernet=yes\n", "VirtualEthernet=yes" },
	{ "[Link]\nMTU=1400\n", ":1: [Link] needs the name of one" },
	{ "[Files]\nRoot=/var/lib/containers/storage\n", "belongs to podman" },
	{ "[Netwrok]\n", ":1: unknown section [Netwrok]; did you mean [Network]?" },
	{ "[Exec]\nnonsense\n", ":2: neither Key=Value nor [Section]" },
	{ "Boot=yes\n", ":1: a key before the first [Section]" },
	{ "[Install]\nWantedBy=../x.target\n", ":2: WantedBy=../x.target: '../x.target' is not" },
	{ "[Install]\nWantedBy=multi-user\n", "is not the name of a unit" },
	{ "[Install]\nAlias=x.target\n", "is not the name of a service" },
	{ "[Install]\nAlso=x.service\n", "Alias= only" },
	{ "[Install]\nWantdBy=x.target\n", "did you mean WantedBy=?" },
};

static void test_combinations(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(combinations); i++) {
		struct container_config config;

		if (load_text(&config, combinations[i].text) != -EINVAL ||
			!strstr(said, combinations[i].wanted) || !strstr(said, "test.conf:"))
			fail_msg("%s: '%s'", combinations[i].text, said);
	}
}

static void test_all_errors(void **state)
{
	struct container_config config;
	unsigned lines = 0;

	assert_int_equal(
		load_text(&config, "[Exec]\nBoot=x\n[What]\nk=v\nl=v\n[Files]\nRoot=x\n# c\nUser\n"
				   "[Network]\nHostAddress=10.0.0.1\n"),
		-EINVAL);
	for (const char *p = said; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 5);
	assert_non_null(strstr(said, "test.conf:2: "));
	assert_non_null(strstr(said, "test.conf:3: "));
	assert_non_null(strstr(said, "test.conf:7: "));
	assert_non_null(strstr(said, "test.conf:9: "));
	assert_non_null(strstr(said, "test.conf: HostAddress= without"));
}

static void test_control_characters_are_not_printed(void **state)
{
	struct container_config config;
	static const char nul[] = "[Exec]\nBoot=yes\0\n";

	assert_int_equal(load_text(&config, "[Exec]\nBo\x1b[2Jt=x\n[\x9b"
					    "2J]\n"),
		-EINVAL);
	assert_null(strpbrk(said, "\x1b\x9b"));
	write_bytes("test.conf", nul, sizeof(nul) - 1);
	assert_int_equal(load(&config), -EINVAL);
	assert_non_null(strstr(said, "test.conf:2: a NUL byte"));

	/* options come past the parser of files */
	assert_int_equal(config_default("test", &config), 0);
	listen_begin();
	assert_int_equal(config_set(&config, "here", "Ex\x1b", "Boot", "yes"), -EINVAL);
	assert_int_equal(config_set(&config, "here", "Exec", "Bo\x1b", "yes"), -EINVAL);
	assert_int_equal(config_set(&config, "here", "Exec", "Boot", "\x1b"), -EINVAL);
	assert_int_equal(config_set(&config, "here", "Exec", "Environment", "\x1b"), -EINVAL);
	assert_int_equal(config_set_line(&config, "here", "Exec\x1b"), -EINVAL);
	listen_end();
	config_done(&config);
	assert_null(strpbrk(said, "\x1b\x9b"));
}

static void test_unit_sections(void **state)
{
	struct container_config config;

	assert_int_equal(
		load_text(&config,
			"[Service]\nMemoryMax=1G\nExecStartPre=/bin/x \\\n  y ; z # w\n[Unit]\n"
			"Whatever=%i\n[Exec]\nX-Ours=1\n[X-Theirs]\nk=v\n[Service]\nMemoryMax=\n"
			"[Install]\nWantedBy=a.target b.service\n"),
		0);
	assert_string_equal(config.unit_text[UNIT_SERVICE],
		"MemoryMax=1G\nExecStartPre=/bin/x  y ; z # w\nMemoryMax=\n");
	assert_string_equal(config.unit_text[UNIT_UNIT], "Whatever=%i\n");
	assert_string_equal(config.unit_text[UNIT_INSTALL], "WantedBy=a.target b.service\n");
	config_done(&config);

	/* blanks behind a backslash keep it from joining two lines, in the unit, too */
	assert_int_equal(load_text(&config, "[Service]\nA=b\\ \nC=d\\\\\nE=\\ \n"), 0);
	assert_string_equal(config.unit_text[UNIT_SERVICE], "A=b\\ \nC=d\\\\ \nE=\\ \n");
	config_done(&config);
}

static void test_drop_ins(void **state)
{
	struct container_config config;

	assert_int_equal(mkdir(path_of("test.conf.d"), 0755), 0);
	write_text("test.conf.d/20-b.conf", "[Exec]\nHostname=twenty\n[Service]\nA=2\n");
	write_text("test.conf.d/10-a.conf", "[Exec]\nHostname=ten\n[Service]\nA=1\n");
	write_text("test.conf.d/30-c.conf.bak", "[Exec]\nHostname=thirty\n");
	write_text("test.conf.d/.40.conf", "[Exec]\nHostname=forty\n");
	assert_int_equal(load_text(&config, "[Exec]\nHostname=main\n[Service]\nA=0\n"), 0);
	assert_string_equal(config.hostname, "twenty");
	assert_string_equal(config.unit_text[UNIT_SERVICE], "A=0\nA=1\nA=2\n");
	config_done(&config);

	write_text("test.conf.d/20-b.conf", "[Exec]\n\nHostnam=x\n");
	assert_int_equal(load(&config), -EINVAL);
	assert_non_null(strstr(said, "test.conf.d/20-b.conf:3: "));

	write_text("test.conf.d/20-b.conf", "");
	assert_int_equal(chmod(path_of("test.conf.d/10-a.conf"), 0666), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "10-a.conf is not read: it can be written by everybody"));
	assert_int_equal(chmod(path_of("test.conf.d/10-a.conf"), 0644), 0);
	assert_int_equal(chmod(path_of("test.conf.d"), 0777), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "test.conf.d: it can be written by everybody"));

	(void)unlink(path_of("test.conf.d/10-a.conf"));
	(void)unlink(path_of("test.conf.d/20-b.conf"));
	(void)unlink(path_of("test.conf.d/30-c.conf.bak"));
	(void)unlink(path_of("test.conf.d/.40.conf"));
	assert_int_equal(rmdir(path_of("test.conf.d")), 0);
}

/* Whoever may write a configuration rules the host. */
static void test_trust(void **state)
{
	struct container_config config;
	const char *file = path_of("test.conf");

	assert_int_equal(load_text(&config, ""), 0);
	config_done(&config);
	assert_int_equal(chmod(file, 0646), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "can be written by everybody"));
	assert_int_equal(chmod(file, 0664), 0);
	assert_int_equal(load(&config), 0);
	config_done(&config);
	assert_int_equal(chown(file, 0, 1), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "can be written by a group"));
	assert_int_equal(chown(file, 1, 0), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "does not belong to root"));
	assert_int_equal(chown(file, 0, 0), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);

	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0644), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "not a regular file"));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/dev/zero", file), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(load(&config), -ENOENT);
	assert_non_null(strstr(said, "test.conf: No such file"));
}

/* A guest's root owns files in its tree as uid 0: a place says more than an owner. */
static void test_out_of_a_guests_reach(void **state)
{
	struct container_config config;
	char text[512];

	assert_int_equal(mkdir(path_of("tree"), 0755), 0);
	(void)snprintf(text, sizeof(text), "[Files]\nRoot=%s\n", path_of("tree"));
	write_text("tree/inside.conf", text);
	assert_int_equal(symlink("tree/inside.conf", path_of("test.conf")), 0);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "the container's own tree"));
	(void)snprintf(text, sizeof(text), "[Files]\nBind=%s:/x\n", path_of("tree"));
	write_text("tree/inside.conf", text);
	assert_int_equal(load(&config), -EPERM);
	assert_non_null(strstr(said, "Bind= lets the container write"));
	(void)snprintf(text, sizeof(text), "[Files]\nBindReadOnly=%s:/x\n", path_of("tree"));
	write_text("tree/inside.conf", text);
	assert_int_equal(load(&config), 0);
	config_done(&config);
	(void)unlink(path_of("tree/inside.conf"));
	(void)unlink(path_of("test.conf"));
	assert_int_equal(rmdir(path_of("tree")), 0);
}

static void test_names(void **state)
{
	struct container_config config;
	int r;

	listen_begin();
	r = config_load("../x", NULL, &config);
	listen_end();
	assert_int_equal(r, -EINVAL);
	write_text("test.conf", "");
	listen_begin();
	r = config_load("cache", path_of("test.conf"), &config);
	listen_end();
	assert_int_equal(r, -EINVAL);
	assert_non_null(strstr(said, "belongs to podman"));
	write_text("test.conf", "[Files]\nRoot=/srv/cache\n");
	assert_int_equal(config_load("cache", path_of("test.conf"), &config), 0);
	config_done(&config);
}

/* Nothing that a file of the largest size can say takes long. */
static void test_big_files_are_quick(void **state)
{
	static const char *const lines[] = { "Environment=A%zu=1\n", "Bind=/%zu\n",
		"Parameters=%zu\n", "Nonsense%zu=\n" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct container_config config;
		_cleanup_fclose_ FILE *f = fopen(path_of("test.conf"), "we");
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		assert_non_null(f);
		fprintf(f, "[%s]\n", i == 1 ? "Files" : "Exec");
		for (size_t n = 0; ftell(f) < 1000 * 1000; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			fprintf(f, lines[i], n);
#pragma GCC diagnostic pop
		}
		fflush(f);
		assert_true(dup2(null, STDERR_FILENO) >= 0);
		assert_int_equal(config_load("test", path_of("test.conf"), &config), -EINVAL);
		assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
		close(null);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_kind_of_result),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_implications),
		cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_all_errors),
		cmocka_unit_test(test_control_characters_are_not_printed),
		cmocka_unit_test(test_unit_sections),
		cmocka_unit_test(test_drop_ins),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_out_of_a_guests_reach),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_big_files_are_quick),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
