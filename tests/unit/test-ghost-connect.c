/* SPDX-License-Identifier: MIT */
#include "host-tools/client/ghost-connect.h"

#include "syscalls.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define KNOCKS 300

static char directory[] = "/tmp/test-ghost.XXXXXX";
static char path[sizeof(directory) + 8];

struct listener {
	int fd;
	int handles, descriptors, namespaces; /* how many clients had one to give */
};

/* As quick as can be: what a handle is good for is tried before anything else. */
static void *listen_for_clients(void *arg)
{
	struct listener *l = arg;

	for (int i = 0; i < KNOCKS; i++) {
		int client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC), pidfd, stolen;
		socklen_t len = sizeof(pidfd);

		if (getsockopt(client, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0) {
			l->handles++;
			stolen = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
			if (stolen >= 0) {
				l->descriptors++;
				(void)close(stolen);
			}
			/* nothing to enter that isn't ours already: it only has to be there */
			l->namespaces += setns(pidfd, CLONE_NEWUTS) == 0;
			(void)close(pidfd);
		}
		(void)close(client);
	}
	return NULL;
}

static int listen_at(int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static struct listener knock(bool ghost)
{
	struct listener l = { .fd = listen_at(SOCK_SEQPACKET) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int target = open(path, O_PATH | O_CLOEXEC);
	pthread_t thread;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(pthread_create(&thread, NULL, listen_for_clients, &l), 0);
	for (int i = 0; i < KNOCKS; i++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		char byte;

		if (ghost)
			assert_int_equal(ghost_connect(fd, target), 0);
		else
			assert_int_equal(
				connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		/* it is a connection like any other: the listener's end of it is seen */
		assert_int_equal(recv(fd, &byte, 1, 0), 0);
		(void)close(fd);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(target);
	(void)close(l.fd);
	return l;
}

static void test_handle_is_worthless(void **state)
{
	struct listener l = knock(true);

	assert_int_equal(l.descriptors, 0);
	assert_int_equal(l.namespaces, 0);
}

/* Else the test above would prove nothing. */
static void test_handle_of_the_living_is_not(void **state)
{
	struct listener l = knock(false);

	assert_int_equal(l.handles, KNOCKS);
	assert_int_equal(l.descriptors, KNOCKS);
	assert_int_equal(l.namespaces, KNOCKS);
}

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_nothing_is_left(void **state)
{
	int before = count_descriptors();

	(void)knock(true);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_errors(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), target, listener;

	/* the wrong type, nobody there, no socket, no descriptor */
	listener = listen_at(SOCK_SEQPACKET);
	target = open(path, O_PATH | O_CLOEXEC);
	assert_int_equal(ghost_connect(fd, target), -EPROTOTYPE);
	(void)close(listener);
	assert_int_equal(ghost_connect(fd, target), -ECONNREFUSED);
	(void)close(target);
	target = open("/", O_PATH | O_CLOEXEC);
	assert_int_equal(ghost_connect(fd, target), -ECONNREFUSED);
	(void)close(target);
	assert_int_equal(ghost_connect(fd, 9999), -ENOENT);
	(void)close(fd);
}

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/door", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handle_is_worthless),
		cmocka_unit_test(test_handle_of_the_living_is_not),
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
