/* SPDX-License-Identifier: MIT */

#include "config-key.h"

#include <netinet/in.h>
#include <stdio.h>

static void set_line(void **state)
{
	assert_int_equal(config_set_line(&config, "--set", "Exec.Hostname=a.b=c/d"), -EINVAL);
	assert_int_equal(config_set_line(&config, "--set", "Exec.Environment=A=b.c/d"), 0);
	assert_string_equal(config.environment[0], "A=b.c/d");
	assert_int_equal(
		config_set_line(&config, "--set", "Network.VirtualEthernetExtra=x:a.1"), 0);
	assert_int_equal(config_set_line(&config, "--set", "Link a.1.LocalAddress=10.0.0.2"), 0);
	assert_int_equal(config_set_line(&config, "--set", "Link a.1/MTU=1400"), 0);
	assert_int_equal(config.n_links, 1);
	assert_int_equal(config.links[0].mtu, 1400);
	assert_int_equal(config.links[0].local_address.family, AF_INET);
	assert_int_equal(config_set_line(&config, "--set", "Link a.1.HostAddress=10.0.0.1/24"), 0);
	assert_int_equal(config.links[0].host_address.prefix, 24);
	assert_int_equal(config_set_line(&config, "kept", "Link a=b.c/HostAddress=10.0.0.1/24"), 0);
	assert_string_equal(config.links[1].guest, "a=b.c");
	assert_int_equal(config.links[1].host_address.prefix, 24);
}

static void a_line_is_section_key_and_value(void **state)
{
	static const char *const lines[] = { "", "Exec", "Exec.Boot", "=", "Boot=yes", "A=b.c" };
	char wanted[80];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		listen_begin();
		assert_int_equal(config_set_line(&config, "--set", lines[i]), -EINVAL);
		listen_end();
		(void)snprintf(wanted, sizeof(wanted), "--set %s: SECTION.KEY=VALUE is expected",
			lines[i]);
		assert_non_null(strstr(said, wanted));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(set_line),
		TEST(a_line_is_section_key_and_value),
	};

	return cmocka_run_group_tests(tests, listen_setup, NULL);
}
