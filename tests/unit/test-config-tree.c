/* SPDX-License-Identifier: MIT */

#include "config-key.h"

#include <string.h>

static int set(const char *key, const char *value)
{
	return set_in("Files", key, value);
}

static void assert_refused(const char *key, const char *value, const char *wanted)
{
	assert_refused_in("Files", key, value, wanted);
}

static void test_volatile(void **state)
{
	static const struct {
		const char *text;
		enum volatile_mode mode;
		bool temporary;
	} modes[] = {
		{ "yes", VOLATILE_YES, true },
		{ "state", VOLATILE_STATE, false },
		{ "overlay", VOLATILE_OVERLAY, true },
		{ "no", VOLATILE_NO, false },
		{ "", VOLATILE_NO, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(set("Volatile", modes[i].text), 0);
		assert_int_equal(config.volatile_mode, modes[i].mode);
		assert_int_equal(config_root_is_temporary(&config), modes[i].temporary);
	}
	assert_refused("Volatile", "sometimes", "must be yes, no, state or overlay");
	assert_int_equal(set("Volatile", "state"), 0);
	config.ephemeral = true;
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "exclude each other"));
}

static void test_ownership(void **state)
{
	assert_int_equal(set("PrivateUsersOwnership", "off"), 0);
	assert_int_equal(config.ownership, OWNERSHIP_OFF);
	assert_int_equal(set("PrivateUsersOwnership", "auto"), 0);
	assert_int_equal(config.ownership, OWNERSHIP_MAP);
	assert_int_equal(set("PrivateUsersChown", "no"), 0);
	assert_int_equal(config.ownership, OWNERSHIP_OFF);
	assert_int_equal(set("PrivateUsersChown", "yes"), 0);
	assert_int_equal(config.ownership, OWNERSHIP_MAP);
	assert_refused("PrivateUsersOwnership", "chown", "never changes the owners");
	assert_refused("PrivateUsersOwnership", "yes", "must be map, auto or off");
	assert_refused("PrivateUsersOwnership", "foreign", "not systemd's foreign UID range");
}

static void test_inaccessible(void **state)
{
	assert_int_equal(set("Inaccessible", "/a/./b/"), 0);
	assert_int_equal(set("Inaccessible", "/proc/cpuinfo"), 0);
	assert_string_equal(config.inaccessible[0], "/a/b");
	assert_int_equal(set("Bind", "/x:/a/b"), 0);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "two mounts on /a/b"));
	assert_int_equal(set("Inaccessible", ""), 0);
	assert_null(config.inaccessible);
	assert_int_equal(check(), 0);
	assert_refused("Inaccessible", "a", "absolute");
	assert_refused("Inaccessible", "/", "no container works without it");
	assert_refused("Inaccessible", "/run/host/narthex/doors", "no container works without it");
}

static void test_overlays(void **state)
{
	const struct config_overlay *o;

	assert_int_equal(set("Overlay", "/a:+/b:/c\\:d:/t"), 0);
	assert_int_equal(set("Overlay", "/a::/u"), 0);
	assert_int_equal(set("OverlayReadOnly", "/a:/v"), 0);
	assert_int_equal(config.n_overlays, 3);
	o = &config.overlays[0];
	assert_string_equal(o->layers[0], "/a");
	assert_string_equal(o->layers[1], "+/b");
	assert_string_equal(o->layers[2], "/c:d");
	assert_null(o->layers[3]);
	assert_string_equal(o->target, "/t");
	assert_string_equal(config_overlay_upper(o), "/c:d");
	o = &config.overlays[1];
	assert_string_equal(o->layers[1], "");
	assert_string_equal(o->target, "/u");
	assert_null(config_overlay_upper(o));
	/* two paths: the second is a layer, too */
	o = &config.overlays[2];
	assert_string_equal(o->layers[1], "/v");
	assert_string_equal(o->target, "/v");
	assert_null(config_overlay_upper(o));
	/* an empty one takes back its own kind */
	assert_int_equal(set("Overlay", ""), 0);
	assert_int_equal(config.n_overlays, 1);
	assert_true(config.overlays[0].read_only);
}

static void test_bad_overlays(void **state)
{
	assert_refused("Overlay", "/a", "at least two paths");
	assert_refused("Overlay", ":/a:/b", "only the uppermost layer");
	assert_refused("OverlayReadOnly", "/a::/b", "makes no sense");
	assert_refused("Overlay", "a:/b", "absolute");
	assert_refused("Overlay", "/a:/b:c", "absolute");
	assert_refused("Overlay", "/a:/b:/..", "'..'");
	assert_refused("Overlay", "+/:/b:/c", "the root itself");
	assert_refused("Overlay", "/a:/proc", "narthex mounts /proc");
	assert_refused("Overlay", "/a:/b\\", "a backslash at the end");
	assert_refused("Overlay", "/1:/2:/3:/4:/5:/6:/7:/8:/9:/10:/11:/t", "more than 10 layers");
	assert_int_equal(config.n_overlays, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_volatile),
		TEST(test_ownership),
		TEST(test_inaccessible),
		TEST(test_overlays),
		TEST(test_bad_overlays),
	};

	return cmocka_run_group_tests(tests, listen_setup, NULL);
}
