/* SPDX-License-Identifier: MIT */

#include "host-tools/name.h"

#include "cleanup.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* 63 characters. */
#define LONGEST "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890"
static_assert(sizeof(LONGEST) == NAME_MAX_LEN + 1, "the longest name");

static void test_valid(void **state)
{
	static const char *const good[] = { "a", "0", "A9", "web", "a.b", "a-b_c.d", "a.", "a-",
		"x.conf", LONGEST };
	static const char *const bad[] = { "", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\nb",
		"../x", "a@b", "a:b", "\xc3\xa4", "a\xc3\xa4", "a\\x2d", LONGEST "x" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const char *why = "unset";

		if (!name_is_valid(good[i], &why) || why)
			fail_msg("'%s' should be a name", good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *why = NULL;

		if (name_is_valid(bad[i], &why) || !why)
			fail_msg("'%s' should be no name", bad[i]);
		assert_false(name_is_valid(bad[i], NULL));
	}
}

/* Published test vectors of FNV-1a: a hash of another version would orphan uid ranges. */
static void test_hash(void **state)
{
	assert_true(name_hash("") == 0xcbf29ce484222325);
	assert_true(name_hash("a") == 0xaf63dc4c8601ec8c);
	assert_true(name_hash("foobar") == 0x85944171f73967e8);
}

static void test_interface(void **state)
{
	char interface[IFNAMSIZ], altname[ALTNAME_SIZE], other[IFNAMSIZ];

	assert_false(name_interface(NAME_PREFIX, "a", interface, altname));
	assert_string_equal(interface, "c-a");
	assert_string_equal(altname, "c-a");
	/* 13 characters are the most that fit */
	assert_false(name_interface(NAME_PREFIX, "abcdefghijklm", interface, altname));
	assert_string_equal(interface, "c-abcdefghijklm");
	assert_true(name_interface(NAME_PREFIX, "abcdefghijklmn", interface, altname));
	assert_int_equal(strlen(interface), IFNAMSIZ - 1);
	assert_string_equal(altname, "c-abcdefghijklmn");
	assert_true(name_interface(NAME_PREFIX, LONGEST, interface, altname));
	assert_string_equal(altname, "c-" LONGEST);
	/* systemd-nspawn's prefixes: the same length */
	assert_false(name_interface("ve-", "abcdefghijkl", interface, altname));
	assert_string_equal(interface, "ve-abcdefghijkl");
	assert_true(name_interface("vb-", LONGEST, interface, altname));
	assert_int_equal(strlen(interface), IFNAMSIZ - 1);
	assert_memory_equal(interface, "vb-", 3);
	assert_string_equal(altname, "vb-" LONGEST);
	assert_true(name_interface(NAME_PREFIX, LONGEST, interface, altname));
	/* stable, and different for names that begin alike */
	assert_true(name_interface(NAME_PREFIX, LONGEST, other, altname));
	assert_string_equal(interface, other);
	assert_true(name_interface(NAME_PREFIX, "abcdefghijklmnopqrstuvwxyz1", interface, altname));
	assert_true(name_interface(NAME_PREFIX, "abcdefghijklmnopqrstuvwxyz2", other, altname));
	assert_string_not_equal(interface, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
