/* SPDX-License-Identifier: MIT */

/* Which news of the host's interfaces wake the launcher, and which don't. */

#include "host-tools/launch/bridge-watch.h"

#include "loop.h"
#include "said.h"
#include "scratch.h"

#include "log.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#define WATCHED 16
#define LINKS 18

static struct bridge_watch watch;
static struct container_config config;
static struct config_link links[LINKS];
static struct event_base *base;
static int any = -EBADF; /* a socket, for ioctls */
static size_t fds_before;

static int setup(void **state)
{
	fds_before = count_fds();
	any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	base = event_base_new();
	watch = BRIDGE_WATCH_NULL;
	memset(links, 0, sizeof(links));
	config = (struct container_config){ .name = (char *)"foo", .links = links };
	return any < 0 || !base ? -1 : 0;
}

static int teardown(void **state)
{
	bridge_watch_stop(&watch);
	bridge_watch_stop(&watch); /* the null state */
	event_base_free(base);
	close_fdp(&any);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

static void make(const char *name)
{
	assert_int_equal(ioctl(any, SIOCBRADDBR, name), 0);
}

static void change(const char *name, bool up)
{
	struct ifreq request = { .ifr_flags = up ? IFF_UP : 0 };

	(void)strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	assert_int_equal(ioctl(any, SIOCSIFFLAGS, &request), 0);
}

static void delete (const char *name)
{
	assert_int_equal(ioctl(any, SIOCBRDELBR, name), 0);
}

static int index_of(const char *name)
{
	struct ifreq request = {};

	(void)strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(any, SIOCGIFINDEX, &request) < 0 ? 0 : request.ifr_ifindex;
}

static void start(void)
{
	listen_begin();
	bridge_watch_start(&watch, base, &config);
	listen_end();
	assert_string_equal(said, "");
}

/* The kernel tells of an interface before the call that changes it returns. */
static bool is_quiet(void)
{
	struct pollfd p = { .fd = watch.fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static void assert_news(void)
{
	char message[4096];

	assert_true(wait_readable(watch.fd));
	while (recv(watch.fd, message, sizeof(message), MSG_DONTWAIT) >= 0)
		;
	assert_true(is_quiet());
}

static void without_bridges_it_costs_nothing(void **state)
{
	size_t before = count_fds();

	start();
	assert_int_equal(watch.fd, -EBADF);
	assert_int_equal(count_fds(), before);
	bridge_watch_attach(&watch);
	/* a zone's is named by [Network], a link of a zone has its bridge: only Bridge= counts */
	strcpy(config.zone, "alpha");
	start();
	assert_int_equal(watch.fd, -EBADF);
}

static void each_bridge_once(void **state)
{
	make("br0");
	strcpy(config.bridge, "br0");
	strcpy(links[0].bridge, "br1");
	strcpy(links[2].bridge, "br0");
	strcpy(links[3].bridge, "br1");
	config.n_links = 4;
	start();
	assert_int_equal(watch.n, 2);
	assert_string_equal(watch.bridges[0].name, "br0");
	assert_int_equal(watch.bridges[0].index, index_of("br0"));
	assert_string_equal(watch.bridges[1].name, "br1");
	assert_int_equal(watch.bridges[1].index, 0);
	delete ("br0");
}

static void what_others_do_wakes_nobody(void **state)
{
	make("br0");
	strcpy(config.bridge, "br0");
	start();
	make("br");
	make("br00");
	make("other");
	change("other", true);
	/* the one that we know, as it goes on being */
	change("br0", true);
	change("br0", false);
	change("other", false);
	delete ("other");
	delete ("br00");
	delete ("br");
	assert_true(is_quiet());
	delete ("br0");
	assert_news();
}

/* A name is compared in words of four bytes: every length, and the neighbours of it. */
static void names_of_every_length(void **state)
{
	static const char longest[] = "abcdefghijklmno";

	for (size_t n = 1; n < IFNAMSIZ; n++) {
		char shorter[IFNAMSIZ] = "", other[IFNAMSIZ] = "";

		(void)snprintf(config.bridge, IFNAMSIZ, "%.*s", (int)n, longest);
		(void)snprintf(shorter, IFNAMSIZ, "%.*s", (int)n - 1, longest);
		(void)snprintf(other, IFNAMSIZ, "%.*sZ", (int)n - 1, longest);
		start();
		if (n > 1) {
			make(shorter);
			delete (shorter);
		}
		make(other);
		delete (other);
		assert_true(is_quiet());
		make(config.bridge);
		assert_news();
		delete (config.bridge);
		assert_news();
	}
}

static void one_that_is_made_anew(void **state)
{
	make("br0");
	strcpy(config.bridge, "br0");
	start();
	delete ("br0");
	make("br0");
	assert_true(index_of("br0") != watch.bridges[0].index);
	assert_news();
	delete ("br0");
}

static bool is_known(void *arg)
{
	return watch.bridges[0].index == index_of("br0");
}

/* From then on the new one is known, and its news are none; that the helper can't be started here
 * changes nothing about it. */
static void news_are_looked_into(void **state)
{
	strcpy(config.bridge, "br0");
	start();
	assert_int_equal(watch.bridges[0].index, 0);
	make("br0");
	listen_begin();
	assert_true(loop_until(base, is_known, NULL, LOOP_DEADLINE_SEC));
	bridge_watch_stop(&watch);
	listen_end();
	start();
	change("br0", true);
	change("br0", false);
	assert_true(is_quiet());
	delete ("br0");
}

static void others_after_a_reload(void **state)
{
	make("br0");
	make("br1");
	strcpy(config.bridge, "br0");
	start();
	strcpy(config.bridge, "br1");
	start();
	delete ("br0");
	assert_true(is_quiet());
	delete ("br1");
	assert_news();
	config.bridge[0] = '\0';
	start();
	assert_int_equal(watch.fd, -EBADF);
}

/* The memory that kernels before 6.9 have for a filter; where it isn't a namespace's own, the
 * machine's stays. */
static void have_little_memory(void)
{
	FILE *f = fopen("/proc/sys/net/core/optmem_max", "we");

	if (!f)
		return;
	assert_true(fputs("20480", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A filter has an end: what is beyond isn't watched, which is said, the rest is. */
static void very_many(void **state)
{
	have_little_memory();
	config.n_links = WATCHED;
	for (size_t i = 0; i < LINKS; i++)
		(void)snprintf(links[i].bridge, IFNAMSIZ, "a-long-name-%03zu", i);
	start();
	config.n_links = LINKS;
	listen_begin();
	bridge_watch_start(&watch, base, &config);
	listen_end();
	assert_non_null(strstr(said, "bridge a-long-name-016 isn't watched"));
	assert_null(strstr(said, "a-long-name-015"));
	assert_int_equal(watch.n, WATCHED);
	make("a-long-name-015");
	assert_news();
	delete ("a-long-name-015");
	assert_news();
	make("a-long-name-000");
	assert_news();
	delete ("a-long-name-000");
}

#define WATCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int enter(void **state)
{
	return scratch_enter(state) < 0 ? -1 : listen_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH(without_bridges_it_costs_nothing),
		WATCH(each_bridge_once),
		WATCH(what_others_do_wakes_nobody),
		WATCH(names_of_every_length),
		WATCH(one_that_is_made_anew),
		WATCH(news_are_looked_into),
		WATCH(others_after_a_reload),
		WATCH(very_many),
	};

	log_init("test-bridge-watch");
	return cmocka_run_group_tests(tests, enter, NULL);
}
