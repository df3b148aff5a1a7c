/* SPDX-License-Identifier: MIT */
#include "host-tools/ctl/profile.h"

#include "scratch.h"

#define PROFILE SCRATCH "/foo"

static void links(const char *const (*list)[2])
{
	assert_int_equal(umount2(SCRATCH, MNT_DETACH) == 0 || errno == EINVAL, 1);
	assert_int_equal(mount("none", SCRATCH, "tmpfs", 0, NULL), 0);
	for (; (*list)[0]; list++) {
		char path[128];

		(void)snprintf(path, sizeof(path), SCRATCH "/%s", (*list)[0]);
		assert_int_equal(symlink((*list)[1], path), 0);
	}
}

static void generations_are_in_order(void **state)
{
	_cleanup_(profile_done) struct profile profile = {};

	links((const char *const[][2]){
		{ "foo", "foo-10-link" },
		{ "foo-10-link", "/nix/store/a" },
		{ "foo-9-link", "/nix/store/b" },
		{ "foo-2-link", "/nix/store/a" },
		/* others' */
		{ "foo-bar", "foo-bar-1-link" },
		{ "foo-bar-1-link", "/nix/store/c" },
		{ "foo-1-links", "/nix/store/c" },
		{ "foo-0-link", "/nix/store/c" },
		{ "foo-99999999999-link", "/nix/store/c" },
		{ NULL, NULL },
	});
	assert_int_equal(profile_read(PROFILE, &profile), 0);
	assert_int_equal(profile.n, 3);
	assert_int_equal(profile.generations[0].number, 2);
	assert_int_equal(profile.generations[1].number, 9);
	assert_string_equal(profile.generations[1].system, "/nix/store/b");
	assert_int_equal(profile_current(&profile)->number, 10);
	assert_int_equal(profile_find(&profile, "/nix/store/a")->number, 10);
	assert_null(profile_find(&profile, "/nix/store/c"));
}

static void what_is_not_there_has_none(void **state)
{
	_cleanup_(profile_done) struct profile profile = {};

	links((const char *const[][2]){ { NULL, NULL } });
	assert_int_equal(profile_read(PROFILE, &profile), 0);
	assert_int_equal(profile.n, 0);
	assert_null(profile_current(&profile));
	profile_done(&profile);
	assert_int_equal(profile_read(SCRATCH "/none/foo", &profile), 0);
	assert_int_equal(profile.n, 0);
}

static void a_file_is_no_profile(void **state)
{
	_cleanup_(profile_done) struct profile profile = {};

	links((const char *const[][2]){ { NULL, NULL } });
	assert_int_equal(mkdir(PROFILE, 0755), 0);
	assert_int_equal(profile_read(PROFILE, &profile), -EINVAL);
	assert_false(profile_is_usable("test", PROFILE));
}

static void what_can_be_one(void **state)
{
	links((const char *const[][2]){
		{ "foo", "foo-1-link" },
		{ "guests", "/nix/var/nix/profiles/per-container/foo/" },
		{ NULL, NULL },
	});
	assert_true(profile_is_usable("test", PROFILE));
	assert_true(profile_is_usable("test", SCRATCH "/not-there-yet"));
	assert_false(profile_is_usable("test", "/nix/store/abc-system"));
	/* its root could lead the host anywhere */
	assert_false(profile_is_usable("test", "/nix/var/nix/profiles/per-container/foo/system"));
}

static void names_of_generations(void **state)
{
	assert_true(profile_name_is_generation("web-2-link"));
	assert_true(profile_name_is_generation("a-b-10-link"));
	assert_false(profile_name_is_generation("web"));
	assert_false(profile_name_is_generation("web-link"));
	assert_false(profile_name_is_generation("2-link"));
	assert_false(profile_name_is_generation("web2-link"));
	assert_false(profile_name_is_generation("web-2-link2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_generations),
		cmocka_unit_test(generations_are_in_order),
		cmocka_unit_test(what_is_not_there_has_none),
		cmocka_unit_test(a_file_is_no_profile),
		cmocka_unit_test(what_can_be_one),
	};

	return cmocka_run_group_tests(tests, scratch_enter, NULL);
}
