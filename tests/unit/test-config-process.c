/* SPDX-License-Identifier: MIT */

#include "config-key.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>

static int set(const char *key, const char *value)
{
	return set_in("Exec", key, value);
}

static void assert_refused(const char *key, const char *value, const char *wanted)
{
	assert_refused_in("Exec", key, value, wanted);
}

/* --- limits ---------------------------------------------------------------------------------- */

static const struct {
	const char *key, *value;
	int resource;
	uint64_t soft, hard;
} limits[] = {
	{ "LimitCPU", "10", RLIMIT_CPU, 10, 10 },
	{ "LimitCPU", "1min 30s:2h", RLIMIT_CPU, 90, 7200 },
	{ "LimitCPU", "1500ms", RLIMIT_CPU, 2, 2 },
	{ "LimitCPU", "1d", RLIMIT_CPU, 86400, 86400 },
	{ "LimitFSIZE", "1K:1M", RLIMIT_FSIZE, 1024, 1048576 },
	{ "LimitDATA", "infinity", RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY },
	{ "LimitSTACK", "8M:infinity", RLIMIT_STACK, 8388608, RLIM_INFINITY },
	{ "LimitCORE", "0", RLIMIT_CORE, 0, 0 },
	{ "LimitRSS", "1G", RLIMIT_RSS, 1073741824, 1073741824 },
	{ "LimitNOFILE", "1024:524288", RLIMIT_NOFILE, 1024, 524288 },
	{ "LimitAS", "2T", RLIMIT_AS, UINT64_C(2) << 40, UINT64_C(2) << 40 },
	{ "LimitNPROC", "100", RLIMIT_NPROC, 100, 100 },
	{ "LimitMEMLOCK", "64B", RLIMIT_MEMLOCK, 64, 64 },
	{ "LimitLOCKS", "1", RLIMIT_LOCKS, 1, 1 },
	{ "LimitSIGPENDING", "1", RLIMIT_SIGPENDING, 1, 1 },
	{ "LimitMSGQUEUE", "1K", RLIMIT_MSGQUEUE, 1024, 1024 },
	{ "LimitNICE", "+19", RLIMIT_NICE, 1, 1 },
	{ "LimitNICE", "-20", RLIMIT_NICE, 40, 40 },
	{ "LimitNICE", "+5:-5", RLIMIT_NICE, 15, 25 },
	{ "LimitNICE", "30", RLIMIT_NICE, 30, 30 },
	{ "LimitRTPRIO", "99", RLIMIT_RTPRIO, 99, 99 },
	{ "LimitRTTIME", "5", RLIMIT_RTTIME, 5, 5 },
	{ "LimitRTTIME", "2s", RLIMIT_RTTIME, 2000000, 2000000 },
};

static void test_limits(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const struct config_limit *limit = &config.limits[limits[i].resource];

		if (set(limits[i].key, limits[i].value) != 0 || !limit->written ||
			limit->soft != limits[i].soft || limit->hard != limits[i].hard)
			fail_msg("%s=%s: '%s'", limits[i].key, limits[i].value, said);
		assert_int_equal(set(limits[i].key, ""), 0);
		assert_false(limit->written);
	}
}

static void test_bad_limits(void **state)
{
	assert_refused("LimitNOFILE", "many", "LimitNOFILE=many: must be LIMIT or SOFT:HARD");
	assert_refused("LimitNOFILE", "1K", "each a number, or infinity");
	assert_refused("LimitNOFILE", "2:1", "the soft limit is above the hard one");
	assert_refused("LimitNOFILE", "infinity:1", "the soft limit is above the hard one");
	assert_refused("LimitNOFILE", "1:2:3", "must be LIMIT");
	assert_refused("LimitNOFILE", "18446744073709551615", "must be LIMIT");
	assert_refused("LimitNOFILE", ":", "must be LIMIT");
	assert_refused("LimitFSIZE", "1Q", "bytes");
	assert_refused("LimitFSIZE", "1K 1", "bytes");
	assert_refused("LimitFSIZE", "99999999P", "bytes");
	assert_refused("LimitCPU", "1 fortnight", "seconds");
	assert_refused("LimitCPU", "99999999999999999999", "seconds");
	assert_refused("LimitCPU", "18000000000000s 999999999999999s", "seconds");
	assert_refused("LimitNICE", "-21", "a level of -20 to +19");
	assert_refused("LimitNICE", "+20", "a level of -20 to +19");
	assert_refused("LimitNICE", "41", "0 to 40");
	assert_refused("LimitNIC", "1", "did you mean LimitNICE=?");
}

/* --- the rest -------------------------------------------------------------------------------- */

static void test_processors(void **state)
{
	assert_int_equal(set("CPUAffinity", "0 2-3,70"), 0);
	assert_true(config.cpu_affinity.written);
	assert_int_equal(config.cpu_affinity.bits[0], 0xd);
	assert_int_equal(config.cpu_affinity.bits[1], 1 << 6);
	/* more lines are more processors; an empty one takes all back */
	assert_int_equal(set("CPUAffinity", "1"), 0);
	assert_int_equal(config.cpu_affinity.bits[0], 0xf);
	assert_int_equal(set("CPUAffinity", ""), 0);
	assert_false(config.cpu_affinity.written);
	assert_refused("CPUAffinity", "3-2", "'3-2' is no range");
	assert_refused("CPUAffinity", "1-", "'1-' is no range");
	assert_refused("CPUAffinity", "all", "'all' is no processor");
	assert_refused("CPUAffinity", "1024", "'1024' is no processor");
	/* nothing of a wrong line is taken */
	assert_refused("CPUAffinity", "5 x", "'x'");
	assert_false(config.cpu_affinity.written);
}

static void test_oom_score(void **state)
{
	assert_int_equal(set("OOMScoreAdjust", "-1000"), 0);
	assert_int_equal(config.oom_score_adjust, -1000);
	assert_true(config.oom_score_adjust_written);
	assert_int_equal(set("OOMScoreAdjust", ""), 0);
	assert_false(config.oom_score_adjust_written);
	assert_refused("OOMScoreAdjust", "1001", "-1000 to 1000");
	assert_refused("OOMScoreAdjust", "--1", "-1000 to 1000");
	assert_refused("OOMScoreAdjust", "-", "-1000 to 1000");
}

static void test_user(void **state)
{
	assert_int_equal(set("User", "www-data"), 0);
	assert_string_equal(config.user, "www-data");
	assert_int_equal(set("User", "1000"), 0);
	assert_int_equal(set("User", ""), 0);
	assert_null(config.user);
	assert_refused("User", "a b", "not the name");
	assert_refused("User", "a:b", "not the name");
	assert_refused("User", "-a", "not the name");
}

static void test_personality(void **state)
{
	assert_int_equal(config.personality, CONFIG_PERSONALITY_HOST);
	assert_refused("Personality", "s390", "Personality=s390: on this machine it is ");
#ifdef __x86_64__
	assert_int_equal(set("Personality", "x86"), 0);
	assert_int_equal(config.personality, PER_LINUX32);
	assert_int_equal(set("Personality", "x86-64"), 0);
	assert_int_equal(config.personality, PER_LINUX);
#endif
	assert_int_equal(set("Personality", ""), 0);
	assert_int_equal(config.personality, CONFIG_PERSONALITY_HOST);
}

static void test_pivot_root(void **state)
{
	assert_int_equal(set("PivotRoot", "/deploy//1:/sysroot/"), 0);
	assert_string_equal(config.pivot_root, "/deploy/1");
	assert_string_equal(config.pivot_root_old, "/sysroot");
	assert_int_equal(set("PivotRoot", "/other"), 0);
	assert_string_equal(config.pivot_root, "/other");
	assert_null(config.pivot_root_old);
	assert_int_equal(set("PivotRoot", ""), 0);
	assert_null(config.pivot_root);
	assert_refused("PivotRoot", "deploy", "absolute");
	assert_refused("PivotRoot", "/deploy:", "absolute");
	assert_refused("PivotRoot", "/deploy/../x", "'..'");
	assert_refused("PivotRoot", "/", "/ is the root already");
	assert_refused("PivotRoot", "/a:/", "the old root can't be at /");
}

static void test_ambient_capabilities(void **state)
{
	assert_refused("AmbientCapability", "CAP_KILL all", "'all' is not possible");
	assert_refused("AmbientCapability", "CAP_KIL", "did you mean CAP_KILL?");
	assert_int_equal(set("AmbientCapability", "CAP_KILL CAP_BPF"), 0);
	assert_int_equal(config.capability_ambient, 1 << CAP_KILL | UINT64_C(1) << CAP_BPF);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "AmbientCapability= is for a command"));
	assert_int_equal(set("Boot", "no"), 0);
	assert_int_equal(set("Parameters", "/bin/true"), 0);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "has CAP_BPF, which the container's bounding set doesn't"));
	assert_int_equal(set("Capability", "CAP_BPF"), 0);
	assert_int_equal(check(), 0);
	assert_int_equal(set("DropCapability", "CAP_KILL"), 0);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "has CAP_KILL, which"));
	assert_int_equal(set("AmbientCapability", ""), 0);
	assert_int_equal(check(), 0);
}

static void test_an_init_is_root(void **state)
{
	assert_int_equal(set("User", "alice"), 0);
	assert_int_equal(check(), -EINVAL);
	assert_non_null(strstr(said, "an init must be root"));
	assert_int_equal(set("Boot", "no"), 0);
	assert_int_equal(set("Parameters", "/bin/true"), 0);
	assert_int_equal(check(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_limits),
		TEST(test_bad_limits),
		TEST(test_processors),
		TEST(test_oom_score),
		TEST(test_user),
		TEST(test_personality),
		TEST(test_pivot_root),
		TEST(test_ambient_capabilities),
		TEST(test_an_init_is_root),
	};

	return cmocka_run_group_tests(tests, listen_setup, NULL);
}
