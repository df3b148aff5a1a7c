/* SPDX-License-Identifier: MIT */
#include "agent/exec-user.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-exec-user.XXXXXX";
static char passwd[64], group[64];
static struct exec_users users;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(passwd, sizeof(passwd), "%s/passwd", dir);
	(void)snprintf(group, sizeof(group), "%s/group", dir);
	users = (struct exec_users){ .passwd = passwd, .group = group };
	return 0;
}

static int teardown(void **state)
{
	exec_users_done(&users);
	exec_users_done(&users);
	(void)unlink(passwd);
	(void)unlink(group);
	return rmdir(dir);
}

static const struct exec_user *find(const char *asked)
{
	const struct exec_user *user = NULL;

	assert_int_equal(exec_users_find(&users, asked, &user), 0);
	return user;
}

static void expect(const char *asked, const char *name, uid_t uid, gid_t gid, const char *home,
	const char *shell, bool known)
{
	const struct exec_user *user = find(asked);

	assert_string_equal(user->name, name);
	assert_int_equal(user->uid, uid);
	assert_int_equal(user->gid, gid);
	assert_string_equal(user->home, home);
	assert_string_equal(user->shell, shell);
	assert_int_equal(user->known, known);
	assert_true(user->n_groups >= 1);
	assert_int_equal(user->groups[0], gid);
}

static void expect_none(const char *asked)
{
	const struct exec_user *user = NULL;

	assert_int_equal(exec_users_find(&users, asked, &user), -ESRCH);
	assert_null(user);
}

static void test_no_files(void **state)
{
	expect("", "root", 0, 0, "/root", "/bin/sh", false);
	expect("root", "root", 0, 0, "/root", "/bin/sh", false);
	expect("0", "root", 0, 0, "/root", "/bin/sh", false);
	expect("77", "77", 77, 77, "/", "/bin/sh", false);
	expect_none("alice");
}

static void test_passwd(void **state)
{
	put(passwd, "root:x:0:0::/r:/bin/rsh\ntoor:x:0:5::/t:\nalice:x:1000:100::home:/bin/a\n"
		    "garbage\n1000:x:7:8::/n:/bin/n\nb:x:9:9::/b:/bin/b\nc:x:9:10::/c:/bin/c\n");
	expect("", "root", 0, 0, "/r", "/bin/rsh", true);
	expect("toor", "toor", 0, 5, "/t", "/bin/sh", true);
	expect("alice", "alice", 1000, 100, "/", "/bin/a", true);
	/* a name that looks like a number comes before the number */
	expect("1000", "1000", 7, 8, "/n", "/bin/n", true);
	expect("9", "b", 9, 9, "/b", "/bin/b", true);
	expect("4294967294", "4294967294", 4294967294U, 4294967294U, "/", "/bin/sh", false);
	expect_none("4294967295");
	expect_none("99999999999");
	expect_none("12x");
	expect_none("-1");
	expect_none("bob");
	expect_none("alice:x");
}

static void test_groups(void **state)
{
	const struct exec_user *user;

	put(group, "root:x:0:\nadm:x:4:alice,b\nusers:x:100:alice\nempty:x:101:\nlast:x:102:b,"
		   "alice\n");
	user = find("alice");
	assert_int_equal(user->n_groups, 3);
	assert_int_equal(user->groups[0], 100);
	assert_int_equal(user->groups[1], 4);
	assert_int_equal(user->groups[2], 102);
	assert_int_equal(find("toor")->n_groups, 1);
	/* no entry, no groups: the name isn't one */
	assert_int_equal(find("77")->n_groups, 1);
}

/* Lines that ask for NIS are nobody, and give nobody the group 0. */
static void test_nis(void **state)
{
	put(passwd, "+\n-b:x:9:9::/b:\n+c::::::\nalice:x:1000:100::/a:/bin/a\n");
	put(group, "+\n+root:::alice\nadm:x:4:alice\n");
	expect("", "root", 0, 0, "/root", "/bin/sh", false);
	expect("9", "9", 9, 9, "/", "/bin/sh", false);
	expect_none("+");
	expect_none("+c");
	expect("alice", "alice", 1000, 100, "/a", "/bin/a", true);
	assert_int_equal(find("alice")->n_groups, 2);
	assert_int_equal(find("alice")->groups[1], 4);
}

/* What was found is forgotten when a file is another one. */
static void test_change(void **state)
{
	char fresh[80];

	expect("b", "b", 9, 9, "/b", "/bin/b", true);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", passwd);
	put(fresh, "b:x:19:9::/b:/bin/b\n");
	assert_return_code(rename(fresh, passwd), errno);
	expect("b", "b", 19, 9, "/b", "/bin/b", true);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", group);
	put(fresh, "adm:x:4:alice,b\nx:x:5:b\n");
	assert_return_code(rename(fresh, group), errno);
	assert_int_equal(find("b")->n_groups, 3);
	assert_int_equal(find("b")->groups[2], 5);
	assert_return_code(unlink(passwd), errno);
	expect_none("b");
}

static int find_without_descriptors(const char *asked, const struct exec_user **ret)
{
	struct rlimit before, none;
	int r;

	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
	r = exec_users_find(&users, asked, ret);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
	return r;
}

/* A file that can't be read has not nobody in it, and nothing of that is remembered. */
static void test_unreadable(void **state)
{
	const struct exec_user *user = NULL;

	put(passwd, "root:x:0:0::/r:/bin/rsh\nalice:x:1000:100::/a:/bin/a\n");
	put(group, "adm:x:4:alice\n");
	(void)find("77");
	assert_int_equal(find_without_descriptors("alice", &user), -EMFILE);
	assert_int_equal(find_without_descriptors("77", &user), -EMFILE);
	assert_null(user);
	assert_int_equal(find_without_descriptors("", &user), EMFILE);
	assert_string_equal(user->home, "/root");
	assert_int_equal(user->n_groups, 1);
	expect("", "root", 0, 0, "/r", "/bin/rsh", true);
	assert_int_equal(find("alice")->n_groups, 2);
	/* one that fails only when it is read */
	assert_return_code(unlink(group), errno);
	assert_return_code(mkdir(group, 0755), errno);
	assert_int_equal(exec_users_find(&users, "alice", &user), -EISDIR);
	assert_return_code(rmdir(group), errno);
	assert_return_code(unlink(passwd), errno);
	assert_return_code(mkdir(passwd, 0755), errno);
	assert_int_equal(exec_users_find(&users, "alice", &user), -EISDIR);
	assert_int_equal(exec_users_find(&users, "0", &user), EISDIR);
	assert_return_code(rmdir(passwd), errno);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_passwd),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_nis),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
