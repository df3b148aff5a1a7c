/* SPDX-License-Identifier: MIT */

/* What a systemd-networkd in the container is told of its links. */

#include "host-tools/launch/guest-network.h"

#include "scratch.h"

#include <errno.h>

#define ROOT SCRATCH "/root"
#define DIR_PATH ROOT "/run/systemd/network"
#define HOST0_FILE DIR_PATH "/80-container-host0.network"
#define LINKS_FILE DIR_PATH "/zz-narthex.network"

#define TEXT_OF(links)                                                                             \
	"# Of narthex: the host has given these links their addresses and routes.\n"               \
	"[Match]\nName=" links "\n\n[Network]\nKeepConfiguration=yes\nIPv6AcceptRA=no\n"

static int root = -EBADF;

static int setup(void **state)
{
	assert_int_equal(mkdir(ROOT, 0755), 0);
	root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close_fdp(&root);
	(void)unlink(HOST0_FILE);
	(void)unlink(LINKS_FILE);
	(void)rmdir(DIR_PATH);
	(void)unlink(DIR_PATH);
	(void)rmdir(ROOT "/run/systemd");
	(void)rmdir(ROOT "/run");
	return rmdir(ROOT);
}

/* A configuration of lines SECTION/KEY=VALUE, ended by NULL. */
static struct container_config make(const char *const *lines)
{
	struct container_config config;

	assert_int_equal(config_default("foo", &config), 0);
	for (; *lines; lines++)
		assert_int_equal(config_set_line(&config, "test", *lines), 0);
	return config;
}

#define MAKE(...) make((const char *const[]){ __VA_ARGS__, NULL })

/* Links without an address are the guest's own business. */
static void no_address(void **state)
{
	_cleanup_(config_done) struct container_config config =
		MAKE("Network/Bridge=br0", "Network/VirtualEthernetExtra=x1:side");

	assert_int_equal(guest_network_describe(&config, root), 0);
	assert_false(exists(ROOT "/run"));
}

static void names(void **state)
{
	_cleanup_(config_done) struct container_config config =
		MAKE("Network/LocalAddress=10.0.0.2", "Network/VirtualEthernetExtra=x1:side x2:lan",
			"Link side/LocalAddress6=fd00::2", "Link lan/Bridge=br0");

	assert_int_equal(guest_network_describe(&config, root), 0);
	assert_file(LINKS_FILE, TEXT_OF("eth0 side"));
	assert_false(exists(HOST0_FILE));
}

/* systemd has a file of its own for host0, whose place is taken. */
static void host0(void **state)
{
	_cleanup_(config_done) struct container_config config =
		MAKE("Network/Naming=nspawn", "Network/LocalAddress6=fd00::2",
			"Network/VirtualEthernetExtra=x1:side", "Link side/LocalAddress=10.0.0.3");

	assert_int_equal(guest_network_describe(&config, root), 0);
	assert_file(HOST0_FILE, TEXT_OF("host0"));
	assert_file(LINKS_FILE, TEXT_OF("side"));
}

/* After a reload: what was said before is said no more. */
static void another_configuration(void **state)
{
	_cleanup_(
		config_done) struct container_config before = MAKE("Network/Naming=nspawn",
							     "Network/LocalAddress=10.0.0.2",
							     "Network/VirtualEthernetExtra=x1:side",
							     "Link side/LocalAddress=10.0.0.3"),
						     after = MAKE("Network/Naming=nspawn",
							     "Network/VirtualEthernetExtra=x2:more",
							     "Link more/LocalAddress=10.0.0.3"),
						     moved = MAKE("Network/Naming=nspawn",
							     "Network/VirtualEthernetExtra=x2:more",
							     "Link more/LocalAddress=10.0.0.4"),
						     none = MAKE("Network/Private=yes");

	assert_true(guest_network_differs(&before, &after));
	assert_true(guest_network_differs(&after, &none));
	/* addresses are not in the files */
	assert_false(guest_network_differs(&after, &moved));
	assert_int_equal(guest_network_describe(&before, root), 0);
	assert_int_equal(guest_network_describe(&after, root), 0);
	assert_false(exists(HOST0_FILE));
	assert_file(LINKS_FILE, TEXT_OF("more"));
	assert_int_equal(guest_network_describe(&none, root), 0);
	assert_false(exists(LINKS_FILE));
}

/* The guest's root could have put anything there: a link of its own is replaced, not followed. */
static void a_link_of_the_guests(void **state)
{
	_cleanup_(config_done) struct container_config config =
		MAKE("Network/LocalAddress=10.0.0.2");

	put_file(SCRATCH "/elsewhere", "untouched");
	assert_int_equal(mkdir(ROOT "/run", 0755), 0);
	assert_int_equal(mkdir(ROOT "/run/systemd", 0755), 0);
	assert_int_equal(mkdir(DIR_PATH, 0755), 0);
	assert_int_equal(symlink(SCRATCH "/elsewhere", LINKS_FILE), 0);
	assert_int_equal(guest_network_describe(&config, root), 0);
	assert_file(SCRATCH "/elsewhere", "untouched");
	assert_file(LINKS_FILE, TEXT_OF("eth0"));
	/* nor is the directory's */
	assert_int_equal(unlink(LINKS_FILE), 0);
	assert_int_equal(rmdir(DIR_PATH), 0);
	assert_int_equal(symlink(SCRATCH, DIR_PATH), 0);
	assert_int_equal(guest_network_describe(&config, root), -ELOOP);
	assert_false(exists(SCRATCH "/zz-narthex.network"));
	assert_int_equal(unlink(SCRATCH "/elsewhere"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_address, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(host0, setup, teardown),
		cmocka_unit_test_setup_teardown(another_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_of_the_guests, setup, teardown),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
