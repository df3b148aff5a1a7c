/* SPDX-License-Identifier: MIT */
#pragma once

/* For tests of single keys: a configuration of the test's own, keys set in it, and what is said. */

#include "cleanup.h"
#include "host-tools/config/config.h"
#include "said.h"

#include <string.h>

#define UNUSED_OK __attribute__((unused))

static struct container_config config;

static int setup(void **state)
{
	return config_default("test", &config);
}

static int teardown(void **state)
{
	config_done(&config);
	return 0;
}

static int set_in(const char *section, const char *key, const char *value)
{
	int r;

	listen_begin();
	r = config_set(&config, "here", section, key, value);
	listen_end();
	return r;
}

/* The error says where, and what is wrong. */
UNUSED_OK static void assert_refused_in(
	const char *section, const char *key, const char *value, const char *wanted)
{
	int r = set_in(section, key, value);

	if (r != -EINVAL || !strstr(said, wanted) || !strstr(said, "here: "))
		fail_msg("%s=%s: %d, '%s'", key, value, r, said);
}

UNUSED_OK static int check(void)
{
	int r;

	listen_begin();
	r = config_check(&config, "here");
	listen_end();
	return r;
}
