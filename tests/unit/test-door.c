/* SPDX-License-Identifier: MIT */
#include "agent/door.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void test_table(void **state)
{
	assert_ptr_equal(door_find("login"), door_get(DOOR_LOGIN));
	assert_ptr_equal(door_find("root-shell"), door_get(DOOR_ROOT_SHELL));
	assert_null(door_find("root"));
	assert_null(door_find(""));
	assert_null(door_find("unknown"));
	for (int i = 0; i < DOOR_MAX_; i++) {
		assert_int_equal(door_get((enum door_kind)i)->kind, i);
		/* whoever may connect to the others is root */
		assert_int_equal(door_get((enum door_kind)i)->mode, i == DOOR_LOGIN ? 0666 : 0600);
	}
	assert_true(door_get(DOOR_LOGIN)->pty);
	assert_true(door_get(DOOR_ROOT_LOGIN)->pty);
	assert_false(door_get(DOOR_ROOT_SHELL)->pty);
	assert_false(door_get(DOOR_EXEC)->pty);
}

static int listening(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	/* an empty Unix address: the kernel picks an abstract one */
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_true(fd >= 0);
	if (family == AF_UNIX)
		assert_return_code(
			bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), errno);
	assert_return_code(listen(fd, 1), errno);
	return fd;
}

static void check(const char *door, int fd, int want)
{
	assert_int_equal(door_check_socket(door_find(door), fd), want);
	(void)close(fd);
}

static void test_socket(void **state)
{
	check("login", listening(AF_UNIX, SOCK_STREAM), 0);
	check("exec", listening(AF_UNIX, SOCK_SEQPACKET), 0);
	check("exec", listening(AF_UNIX, SOCK_STREAM), -EPROTOTYPE);
	check("root-shell", listening(AF_UNIX, SOCK_SEQPACKET), -EPROTOTYPE);
	check("root-shell", listening(AF_INET, SOCK_STREAM), -EPROTOTYPE);
	check("root-shell", socket(AF_UNIX, SOCK_STREAM, 0), -EINVAL);
	check("root-shell", dup(0), -ENOTSOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
