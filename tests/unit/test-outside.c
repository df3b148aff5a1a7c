/* SPDX-License-Identifier: MIT */

/* Paths of the host's that lead through what a guest can write to. */

#include "host-tools/launch/outside.h"

#include "said.h"
#include "scratch.h"

#include <errno.h>

#define HOST SCRATCH "/host"
#define APP HOST "/app"
#define CANARY HOST "/canary"
#define ROOT HOST "/root"
#define DISK HOST "/disk"

static struct config_bind bound;
static struct config_overlay overlay;
static char *layers[] = { (char *)CANARY, (char *)APP, NULL };
static struct container_config config, wanted;

/* /srv/app may be written to; links in it and elsewhere. */
static int setup_host(void **state)
{
	static const char *const directories[] = { HOST, APP, APP "/data", APP "/data/sub",
		HOST "/app2", ROOT, ROOT "/srv", CANARY, CANARY "/sub", DISK, CONTAINERS_DIR,
		CONTAINERS_DIR "/next", CONTAINERS_DIR "/next/srv" };
	static const char *const links[][2] = {
		{ CANARY, APP "/link" },
		{ "data", APP "/short" },
		{ CANARY, HOST "/app2/link" },
		{ CANARY, ROOT "/srv/link" },
		{ "app", HOST "/alias" },
		{ "../host//alias/link/sub", HOST "/deep" },
		{ "round", HOST "/round" },
		{ "alias/../app2", HOST "/back" },
		{ CANARY, CONTAINERS_DIR "/next/srv/link" },
		{ DISK, CONTAINERS_DIR "/disk" },
		{ CANARY, DISK "/link" },
	};

	if (scratch_enter(state) < 0 || listen_setup(state) < 0 ||
		mount("lib", "/var/lib", "tmpfs", 0, NULL) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		assert_int_equal(mkdir(directories[i], 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlink(links[i][0], links[i][1]), 0);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	bound = (struct config_bind){ .source = (char *)APP, .target = (char *)"/srv" };
	overlay = (struct config_overlay){ .target = (char *)"/srv", .layers = layers };
	config = wanted = (struct container_config){ .root = (char *)ROOT };
	config.binds = wanted.binds = &bound;
	config.overlays = &overlay;
	return 0;
}

static int try(const char *path)
{
	int r;

	listen_begin();
	r = outside_open(&config, &wanted, path);
	listen_end();
	return r;
}

static void opens(const char *path, const char *what)
{
	_cleanup_close_ int fd = try(path);
	struct stat is, expected;

	if (fd < 0)
		fail_msg("%s: %s; %s", path, strerror(-fd), said);
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(stat(what, &expected), 0);
	if (is.st_dev != expected.st_dev || is.st_ino != expected.st_ino)
		fail_msg("%s is not %s", path, what);
	assert_string_equal(said, "");
}

static void refuses(const char *path, const char *link)
{
	char wants[300];
	int r = try(path);

	(void)snprintf(wants, sizeof(wants), "'%s' is a symbolic link, and a container can", link);
	if (r != -ELOOP || !strstr(said, wants))
		fail_msg("%s: %d, '%s'", path, r, said);
}

static void links_of_the_host_are_followed(void **state)
{
	opens(APP "/link", CANARY);
	opens(HOST "/deep", CANARY "/sub");
	opens(HOST "/app2/link", CANARY);
	opens(HOST "/back/link", CANARY);
	config.n_binds = 1;
	opens(HOST "/app2/link", CANARY);
	opens(APP, APP);
	opens(APP "/", APP);
	opens(HOST "/alias", APP);
	opens("/", "/");
	assert_int_equal(try(HOST "/round"), -ELOOP);
	assert_int_equal(try(HOST "/missing"), -ENOENT);
}

static void below_a_bind_they_are_not(void **state)
{
	config.n_binds = 1;
	opens(APP "/data/sub", APP "/data/sub");
	opens(HOST "/alias/data", APP "/data");
	refuses(APP "/link", APP "/link");
	refuses(APP "//link/sub", APP "//link");
	refuses(APP "/short/sub", APP "/short");
	refuses(HOST "/alias/link", HOST "/alias/link");
	/* by a link of the host's that leads into it */
	refuses(HOST "/deep", HOST "/../host//alias/link");
	/* what is behind a way back isn't below it */
	assert_int_equal(try(HOST "/back/link"), -ELOOP);
	assert_non_null(strstr(said, "name the place itself"));
	assert_int_equal(try(APP "/missing"), -ENOENT);
	config.n_binds = 0;
	wanted.n_binds = 1;
	refuses(APP "/link", APP "/link");
}

static void what_the_container_only_reads_is_the_hosts(void **state)
{
	config.n_binds = 1;
	bound.read_only = true;
	opens(APP "/link", CANARY);
	bound.read_only = false;
	bound.inside = true;
	opens(APP "/link", CANARY);
}

static void everybodys_root_is_nobodys(void **state)
{
	config.n_binds = 1;
	bound.source = (char *)"/";
	opens(APP "/link", CANARY);
}

static void nor_below_an_overlay(void **state)
{
	config.n_overlays = 1;
	refuses(APP "/link", APP "/link");
	overlay.read_only = true;
	opens(APP "/link", CANARY);
}

static void nor_in_a_tree(void **state)
{
	opens(ROOT "/srv", ROOT "/srv");
	refuses(ROOT "/srv/link", ROOT "/srv/link");
	opens(CONTAINERS_DIR "/next/srv", CONTAINERS_DIR "/next/srv");
	refuses(CONTAINERS_DIR "/next/srv/link", CONTAINERS_DIR "/next/srv/link");
	opens(CONTAINERS_DIR "/disk", DISK);
	refuses(CONTAINERS_DIR "/disk/link", CONTAINERS_DIR "/disk/link");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(links_of_the_host_are_followed, setup),
		cmocka_unit_test_setup(below_a_bind_they_are_not, setup),
		cmocka_unit_test_setup(what_the_container_only_reads_is_the_hosts, setup),
		cmocka_unit_test_setup(everybodys_root_is_nobodys, setup),
		cmocka_unit_test_setup(nor_below_an_overlay, setup),
		cmocka_unit_test_setup(nor_in_a_tree, setup),
	};

	return cmocka_run_group_tests(tests, setup_host, NULL);
}
