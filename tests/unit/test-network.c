/* SPDX-License-Identifier: MIT */

/* The network as a whole: what is made, and that nothing stays of what fails. */

#include "host-tools/network/network.h"

#include "log.h"
#include "netns.h"
#include "traffic.h"

#include <linux/rtnetlink.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void without_veth_only_lo(void **state)
{
	struct config_address localhost = {};

	config.veth = false;
	assert_int_equal(network_setup(&config, guest_ns), 0);
	set_address(&localhost, AF_INET, "127.0.0.1", 8);
	assert_datagram(guest_ns, &localhost, guest_ns, &localhost);
	set_address(&localhost, AF_INET6, "::1", 128);
	assert_datagram(guest_ns, &localhost, guest_ns, &localhost);
	assert_false(has_link(guest_ns, "eth0"));
	assert_false(has_link(host_ns, "c-foo"));
}

static void lo_is_up_beside_eth0(void **state)
{
	struct config_address localhost = {};

	assert_int_equal(network_setup(&config, guest_ns), 0);
	set_address(&localhost, AF_INET, "127.0.0.1", 8);
	assert_datagram(guest_ns, &localhost, guest_ns, &localhost);
}

static void host_ignores_router_advertisements(void **state)
{
	int fd;
	char text[4] = "";

	assert_int_equal(network_setup(&config, guest_ns), 0);
	fd = open("/proc/sys/net/ipv6/conf/c-foo/accept_ra", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 2);
	assert_string_equal(text, "0\n");
	(void)close(fd);
}

static void namespace_of_a_user_namespace(void **state)
{
	char path[64];
	int status;
	_cleanup_close_ int pipe_read = -EBADF, pipe_write = -EBADF;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pipe_read = fds[0];
	pipe_write = fds[1];
	pid = (pid_t)syscall(
		SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, 0);
	assert_true(pid >= 0);
	if (pid == 0) {
		char byte;

		(void)close(pipe_write);
		_exit(read(pipe_read, &byte, 1) == 0 ? 0 : 1);
	}
	close_fdp(&guest_ns);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	guest_ns = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(guest_ns >= 0);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_reachable(&config.host_address, &config.local_address, true);
	assert_reachable(&config.host_address6, &config.local_address6, true);
	close_fdp(&pipe_write);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void eth0_is_taken(void **state)
{
	enter(guest_ns);
	make_stranger("eth0", NULL, NULL);
	enter(host_ns);
	assert_int_equal(network_setup(&config, guest_ns), -EEXIST);
	assert_logged("cannot create veth pair c-foo: File exists");
	assert_false(has_link(host_ns, "c-foo"));
}

static void assert_nothing_left(const char *part)
{
	assert_int_equal(network_setup(&config, guest_ns), -EINVAL);
	assert_logged(part);
	assert_false(has_link(host_ns, "c-foo"));
	assert_false(has_link(guest_ns, "eth0"));
}

static void bad_local_address_leaves_nothing(void **state)
{
	config.local_address.prefix = 33;
	assert_nothing_left("cannot add address 10.231.0.2/33 to eth0 in the container: "
			    "Invalid argument (kernel: ");
	config.local_address.prefix = 32;
	assert_int_equal(network_setup(&config, guest_ns), 0);
}

static void bad_host_address_leaves_nothing(void **state)
{
	config.host_address6.prefix = 129;
	assert_nothing_left("cannot add address fd12:3456::1/129 to c-foo: "
			    "Invalid argument (kernel: ");
	config.host_address6.prefix = 128;
	assert_int_equal(network_setup(&config, guest_ns), 0);
}

static void bad_namespace(void **state)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(network_setup(&config, null), -EINVAL);
	assert_logged("cannot open a netlink socket in the container's namespace: ");
	assert_false(has_link(host_ns, "c-foo"));
}

static void cleanup_removes_ours_and_is_quiet_without(void **state)
{
	assert_int_equal(network_cleanup("foo"), 0);
	assert_int_equal(network_setup(&config, guest_ns), 0);
	assert_int_equal(network_cleanup("fo"), 0);
	assert_true(has_link(host_ns, "c-foo"));
	assert_int_equal(network_cleanup("foo"), 0);
	assert_false(has_link(host_ns, "c-foo"));
	assert_int_equal(network_cleanup("foo"), 0);
	assert_string_equal(logged(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_veth_only_lo),
		TEST(lo_is_up_beside_eth0),
		TEST(host_ignores_router_advertisements),
		TEST(namespace_of_a_user_namespace),
		TEST(eth0_is_taken),
		TEST(bad_local_address_leaves_nothing),
		TEST(bad_host_address_leaves_nothing),
		TEST(bad_namespace),
		TEST(cleanup_removes_ours_and_is_quiet_without),
	};

	log_init("test-network");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
