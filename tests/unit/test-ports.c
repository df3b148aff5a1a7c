/* SPDX-License-Identifier: MIT */

/* In a network and a /run/narthex of the test's own. Needs root. */

#include "host-tools/launch/ports.h"

#include "cleanup.h"
#include "fd.h"
#include "said.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static int web_fd = -EBADF;

static void lists(struct container_config *config, const char *const *lines)
{
	assert_int_equal(config_default("web", config), 0);
	for (; *lines; lines++)
		assert_int_equal(config_set(config, "test", "Network", "Port", *lines), 0);
}

#define LIST(config, ...) lists(config, (const char *const[]){ __VA_ARGS__, NULL })

/* Another program's: 0, or -errno. */
static int take(int type, const char *address, uint16_t port, int *ret)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	static const int one = 1;
	_cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, 1) < 0)
		return -errno;
	if (ret)
		*ret = TAKE_FD(fd);
	return 0;
}

static void nobody_else_can_have_it(void **state)
{
	_cleanup_(config_done) struct container_config config = {};
	struct ports ports = {};

	LIST(&config, "8080:80", "udp:127.0.0.1:53", "%nothing:99");
	assert_int_equal(ports_reserve(&ports, "web", config.ports, config.n_ports), 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8080, NULL), -EADDRINUSE);
	assert_int_equal(take(SOCK_DGRAM, "127.0.0.1", 53, NULL), -EADDRINUSE);
	assert_int_equal(take(SOCK_DGRAM, "127.0.0.2", 53, NULL), 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 53, NULL), 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 99, NULL), 0);
	ports_release(&ports);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8080, NULL), 0);
}

/* A change: what is in both lists is never let go. */
static void change_and_back(void **state)
{
	_cleanup_(config_done) struct container_config old = {}, new = {}, impossible = {};
	_cleanup_close_ int taken = -EBADF;
	_cleanup_free_ char *noted = NULL;
	struct ports ports = {};

	LIST(&old, "8080:80", "8081:80");
	LIST(&new, "8081:80", "8082:80");
	LIST(&impossible, "8083:80", "8084:80");
	assert_int_equal(ports_reserve(&ports, "web", old.ports, old.n_ports), 0);
	ports_settle(&ports, web_fd, old.ports, old.n_ports);
	assert_int_equal(ports_reserve(&ports, "web", new.ports, new.n_ports), 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8080, NULL), -EADDRINUSE);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8082, NULL), -EADDRINUSE);
	ports_settle(&ports, web_fd, new.ports, new.n_ports);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8080, NULL), 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8081, NULL), -EADDRINUSE);
	assert_true(file_read_all(web_fd, PORTS_FILE, 0, 4096, &noted) > 0);
	assert_string_equal(noted, "tcp:8081:80\ntcp:8082:80\n");
	/* half of it is another's: none of it is taken */
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8084, &taken), 0);
	assert_int_equal(ports_reserve(&ports, "web", impossible.ports, 2), -EADDRINUSE);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8083, NULL), 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8082, NULL), -EADDRINUSE);
	ports_settle(&ports, web_fd, NULL, 0);
	assert_int_equal(faccessat(web_fd, PORTS_FILE, F_OK, 0), -1);
	ports_release(&ports);
}

static void whose_it_is(void **state)
{
	_cleanup_(config_done) struct container_config config = {}, other = {};
	struct ports ports = {}, others = {};
	_cleanup_close_ int taken = -EBADF;
	char wanted[96];

	LIST(&config, "127.0.0.1:8080:80");
	LIST(&other, "8080:80");
	assert_int_equal(ports_reserve(&ports, "web", config.ports, 1), 0);
	ports_settle(&ports, web_fd, config.ports, 1);
	listen_begin();
	assert_int_equal(ports_reserve(&others, "other", other.ports, 1), -EADDRINUSE);
	listen_end();
	assert_non_null(
		strstr(said, "port tcp:8080 of container 'other' is taken by container 'web'"));
	ports_settle(&ports, web_fd, NULL, 0);
	assert_int_equal(take(SOCK_STREAM, "127.0.0.1", 8080, &taken), 0);
	listen_begin();
	assert_int_equal(ports_reserve(&others, "other", other.ports, 1), -EADDRINUSE);
	listen_end();
	(void)snprintf(
		wanted, sizeof(wanted), "is taken on the host by test-ports (pid %d)", getpid());
	assert_non_null(strstr(said, wanted));
	ports_release(&ports);
	ports_release(&others);
}

static int setup(void **state)
{
	/* /run and the network are the test's own */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("run", "/run", "tmpfs", 0, NULL) < 0 || mkdir("/run/narthex", 0755) < 0 ||
		mkdir("/run/narthex/web", 0755) < 0)
		return -1;
	web_fd = open("/run/narthex/web", O_PATH | O_CLOEXEC);
	return listen_setup(state) < 0 || web_fd < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_else_can_have_it),
		cmocka_unit_test(change_and_back),
		cmocka_unit_test(whose_it_is),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
