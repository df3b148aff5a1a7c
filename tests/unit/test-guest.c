/* SPDX-License-Identifier: MIT */

/* What the launcher sees in a guest's tree, and what it puts there. */

#include "host-tools/launch/guest.h"

#include "scratch.h"

#include "host-tools/launch/tree.h"

#include <ctype.h>
#include <errno.h>

#define BASE SCRATCH "/guest"
#define ROOT BASE "/root"
#define UNITS "/run/systemd/system"

static struct launch launch;
static int root = -EBADF;
static size_t fds_before;

static int setup(void **state)
{
	assert_int_equal(mkdir(BASE, 0755), 0);
	assert_int_equal(mount("guest", BASE, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(ROOT, 0755), 0);
	fds_before = count_fds();
	root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	launch = (struct launch){ .state = STATE_NULL, .cgroup = CGROUP_NULL, .notify_fd = -EBADF };
	assert_int_equal(config_default("foo", &launch.config), 0);
	return 0;
}

static int teardown(void **state)
{
	config_done(&launch.config);
	close_fdp(&root);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(umount2(BASE, MNT_DETACH), 0);
	assert_int_equal(rmdir(BASE), 0);
	return 0;
}

/* Puts a file into the guest's tree, with the directories that it needs. */
static void put(const char *path, const char *text)
{
	char full[512], *slash;

	(void)snprintf(full, sizeof(full), "%s", path);
	slash = strrchr(full, '/');
	*slash = '\0';
	if (full[0])
		close_fdp(&(int){ tree_mkdir_p(root, full) });
	(void)snprintf(full, sizeof(full), ROOT "%s", path);
	put_file(full, text);
}

static void put_link(const char *path, const char *target)
{
	char full[512];

	put(path, "");
	(void)snprintf(full, sizeof(full), ROOT "%s", path);
	assert_int_equal(unlink(full), 0);
	assert_int_equal(symlink(target, full), 0);
}

static enum init_kind kind(void)
{
	return guest_init_kind(&launch, root);
}

static void without_an_init(void **state)
{
	assert_int_equal(kind(), INIT_OTHER);
	launch.config.boot = false;
	put("/sbin/init", "");
	assert_int_equal(kind(), INIT_COMMAND);
}

static void systemd_by_any_way(void **state)
{
	static const char *const ways[] = { "/lib/systemd/systemd", "../lib/systemd/systemd",
		"../../../../lib/systemd/systemd", "hop" };

	put("/lib/systemd/systemd", "");
	assert_int_equal(kind(), INIT_SYSTEMD); /* without /sbin/init */
	put_link("/sbin/hop", "/etc/hop");
	put_link("/etc/hop", "/lib/systemd/systemd");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		put_link("/sbin/init", ways[i]);
		if (kind() != INIT_SYSTEMD)
			fail_msg("not by %s", ways[i]);
		assert_int_equal(unlink(ROOT "/sbin/init"), 0);
	}
	/* merged /usr: directories are links, too */
	assert_int_equal(rename(ROOT "/lib", ROOT "/usrlib"), 0);
	put_link("/lib", "usrlib");
	put_link("/sbin/init", "/lib/systemd/systemd");
	assert_int_equal(kind(), INIT_SYSTEMD);
	/* the first that is there is the one that will run */
	assert_int_equal(unlink(ROOT "/sbin/init"), 0);
	put("/sbin/init", "#!/bin/sh");
	assert_int_equal(kind(), INIT_OTHER);
}

static void busybox_and_others(void **state)
{
	put("/bin/busybox", "");
	put_link("/sbin/init", "/bin/busybox");
	assert_int_equal(kind(), INIT_BUSYBOX);
	assert_int_equal(unlink(ROOT "/sbin/init"), 0);
	put_link("/sbin/init", "../bin/busybox");
	assert_int_equal(kind(), INIT_BUSYBOX);
	assert_int_equal(unlink(ROOT "/sbin/init"), 0);
	put("/sbin/openrc-init", "");
	put_link("/sbin/init", "openrc-init");
	assert_int_equal(kind(), INIT_OTHER);
}

static void hostile_inits(void **state)
{
	static const char *const links[] = { "init", "/sbin/init", "/none", "/", ".", "..", "/..",
		"/proc/self/exe", SCRATCH "/guest/outside/systemd", "../../outside/systemd" };

	assert_int_equal(mkdir(BASE "/outside", 0755), 0);
	put_file(BASE "/outside/systemd", "");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		put_link("/sbin/init", links[i]);
		if (kind() != INIT_OTHER)
			fail_msg("by %s", links[i]);
		assert_int_equal(unlink(ROOT "/sbin/init"), 0);
	}
	put_link("/sbin/b", "a");
	put_link("/sbin/a", "b");
	put_link("/sbin/init", "a");
	assert_int_equal(kind(), INIT_OTHER);
	assert_int_equal(unlink(ROOT "/sbin/init"), 0);
	/* looking opens nothing: a FIFO would block, a directory is looked at as any name */
	assert_int_equal(mkfifo(ROOT "/sbin/init", 0666), 0);
	assert_int_equal(kind(), INIT_OTHER);
}

static void a_nixos_system(void **state)
{
	launch.system = strdup("/nix/store/abc-system");
	put("/sbin/init", "");
	assert_int_equal(kind(), INIT_OTHER);
	put("/nix/store/def-systemd/bin/x", "");
	put_link("/nix/store/abc-system/systemd", "/nix/store/def-systemd");
	assert_int_equal(kind(), INIT_SYSTEMD);
	free(launch.system);
	launch.system = strdup("/profile");
	put_link("/profile", "/nix/store/abc-system");
	assert_int_equal(kind(), INIT_SYSTEMD);
	free(launch.system);
}

/* --- the id -------------------------------------------------------------------------------- */

static void the_id_is_a_uuid_that_stays(void **state)
{
	char first[33], again[33], other[33];
	struct container_config bar;

	memset(first, 'x', sizeof(first));
	guest_uuid(&launch.config, first);
	assert_int_equal(strlen(first), 32);
	for (size_t i = 0; i < 32; i++)
		assert_true(isdigit(first[i]) || (first[i] >= 'a' && first[i] <= 'f'));
	assert_int_equal(first[12], '8');	    /* the version: custom (RFC 9562) */
	assert_non_null(strchr("89ab", first[16])); /* the variant */
	guest_uuid(&launch.config, again);
	assert_string_equal(again, first);
	assert_int_equal(config_default("bar", &bar), 0);
	guest_uuid(&bar, other);
	assert_string_not_equal(other, first);
	assert_int_equal(other[12], '8');
	config_done(&bar);
	launch.config.machine_id = strdup("0123456789abcdef0123456789abcdef");
	guest_uuid(&launch.config, again);
	assert_string_equal(again, launch.config.machine_id);
}

/* --- what is brought in ---------------------------------------------------------------------- */

static void make_bundle(void)
{
	assert_int_equal(mkdir(BASE "/bundle", 0755), 0);
	assert_int_equal(mkdir(BASE "/bundle/units", 0755), 0);
	put_file(BASE "/bundle/units/narthex-login.socket", "[Socket]\n");
	put_file(BASE "/bundle/units/narthex-exec.socket", "[Socket]\n");
	put_file(BASE "/bundle/units/narthex-agent.service", "[Service]\n");
	put_file(BASE "/bundle/units/.complete", "");
	launch.bundle = (char *)BASE "/bundle";
}

static int populate(enum init_kind init)
{
	return guest_populate_run(&launch, root, init);
}

static void the_containers_interface(void **state)
{
	char uuid[33], line[40];
	struct stat st;

	assert_int_equal(populate(INIT_OTHER), 0);
	assert_file(ROOT "/run/host/container-manager", "narthex\n");
	guest_uuid(&launch.config, uuid);
	(void)snprintf(line, sizeof(line), "%s\n", uuid);
	assert_file(ROOT "/run/host/container-uuid", line);
	assert_int_equal(stat(ROOT "/run/host/container-uuid", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_false(exists(ROOT UNITS));
}

static void the_units_come_in(void **state)
{
	char link[64] = "";

	make_bundle();
	assert_int_equal(populate(INIT_SYSTEMD), 0);
	assert_file(ROOT UNITS "/narthex-agent.service", "[Service]\n");
	assert_file(ROOT UNITS "/narthex-login.socket", "[Socket]\n");
	assert_file(ROOT UNITS "/narthex-login.socket.d/10-doors.conf",
		"[Socket]\nListenStream=/run/host/narthex/doors/login.socket\n");
	assert_file(ROOT UNITS "/narthex-exec.socket.d/10-doors.conf",
		"[Socket]\nListenSequentialPacket=/run/host/narthex/doors/exec.socket\n");
	assert_true(readlink(ROOT UNITS "/sockets.target.wants/narthex-login.socket", link,
			    sizeof(link) - 1) > 0);
	assert_string_equal(link, "../narthex-login.socket");
	assert_false(exists(ROOT UNITS "/.complete"));
	assert_false(exists(ROOT UNITS "/narthex-agent.service.d"));
	assert_int_equal(count_entries(ROOT UNITS "/sockets.target.wants"), 2);
}

static void only_into_systemd(void **state)
{
	make_bundle();
	assert_int_equal(populate(INIT_BUSYBOX), 0);
	assert_false(exists(ROOT UNITS));
}

/* The version of the guest's own agent, and whether its units are kept. */
static bool keeps(const char *version)
{
	static unsigned int n;
	char away[64];
	bool kept;

	put("/usr/lib/narthex/guest/version", version);
	assert_int_equal(populate(INIT_SYSTEMD), 0);
	/* its doors are told of ours in any case */
	assert_true(exists(ROOT UNITS "/narthex-login.socket.d/10-doors.conf"));
	assert_true(exists(ROOT UNITS "/sockets.target.wants"));
	kept = !exists(ROOT UNITS "/narthex-agent.service");
	(void)snprintf(away, sizeof(away), BASE "/away%u", n++);
	assert_int_equal(rename(ROOT "/run", away), 0);
	return kept;
}

static void a_newer_agent_of_the_guests_is_kept(void **state)
{
	make_bundle();
	assert_true(keeps("999.0\n"));
	assert_true(keeps(NARTHEX_VERSION ".1\nmore\n"));
	assert_false(keeps(NARTHEX_VERSION "\n"));
	assert_false(keeps("0.0.1\n"));
	assert_false(keeps(""));
}

static void a_hostile_version_is_none(void **state)
{
	make_bundle();
	put("/usr/lib/narthex/guest/other", "999\n");
	put_link("/usr/lib/narthex/guest/version", "other");
	assert_int_equal(populate(INIT_SYSTEMD), 0);
	assert_true(exists(ROOT UNITS "/narthex-agent.service"));
	assert_int_equal(rename(ROOT "/run", BASE "/away"), 0);
	assert_int_equal(unlink(ROOT "/usr/lib/narthex/guest/version"), 0);
	assert_int_equal(mkfifo(ROOT "/usr/lib/narthex/guest/version", 0666), 0);
	assert_int_equal(populate(INIT_SYSTEMD), 0); /* without waiting for a writer */
	assert_true(exists(ROOT UNITS "/narthex-agent.service"));
}

static void what_lies_in_the_way_is_refused(void **state)
{
	make_bundle();
	assert_int_equal(mkdir(BASE "/outside", 0755), 0);
	put_link("/run", "../outside");
	assert_int_equal(populate(INIT_SYSTEMD), -ELOOP);
	assert_int_equal(unlink(ROOT "/run"), 0);
	put_link("/run/systemd/system", "../../../outside");
	assert_int_equal(populate(INIT_SYSTEMD), -ELOOP);
	assert_int_equal(count_entries(BASE "/outside"), 0);
	assert_int_equal(unlink(ROOT "/run/systemd/system"), 0);
	(void)unlink(ROOT "/run/host/container-manager");
	(void)unlink(ROOT "/run/host/container-uuid");
	put_file(BASE "/outside/file", "old");
	put_link("/run/host/container-uuid", "../../../outside/file");
	assert_int_equal(populate(INIT_SYSTEMD), -EEXIST);
	assert_file(BASE "/outside/file", "old");
}

static void a_bundle_without_units_is_an_error(void **state)
{
	launch.bundle = (char *)BASE "/none";
	assert_int_equal(populate(INIT_SYSTEMD), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_an_init),
		TEST(systemd_by_any_way),
		TEST(busybox_and_others),
		TEST(hostile_inits),
		TEST(a_nixos_system),
		TEST(the_id_is_a_uuid_that_stays),
		TEST(the_containers_interface),
		TEST(the_units_come_in),
		TEST(only_into_systemd),
		TEST(a_newer_agent_of_the_guests_is_kept),
		TEST(a_hostile_version_is_none),
		TEST(what_lies_in_the_way_is_refused),
		TEST(a_bundle_without_units_is_an_error),
	};

	return cmocka_run_group_tests_name("guest", tests, scratch_enter, NULL);
}
